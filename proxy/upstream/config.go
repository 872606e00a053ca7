package upstream

import (
	"flag"
	"time"

	"weir/proxy/frame"
)

// Config tunes the transport of one process. Default gives its values; it is
// copied by NewRegistry.
type Config struct {
	IdleLifetime     time.Duration // an unused connection is kept so long
	MaxConnections   int           // to one target, 0 = no limit
	MaxIdle          int           // unused connections kept to one target
	ConnectTimeout   time.Duration
	FirstByteTimeout time.Duration
	IdleTimeout      time.Duration // of one wait while a body moves
	HeadLimit        int           // bytes of an answer's head
	ReadBuffer       int           // bytes of a busy HTTP/1.1 connection's buffer
	MaxStreams       int           // at once on one HTTP/2 connection
	Window           int           // bytes of an answer that HTTP/2 may send ahead of its reader
	Ping             time.Duration // an HTTP/2 connection may be silent so long without proof that it is alive
}

// Default returns the values that the flags begin with.
func Default() Config {
	return Config{
		IdleLifetime:     90 * time.Second,
		MaxIdle:          512,
		ConnectTimeout:   3 * time.Second,
		FirstByteTimeout: 60 * time.Second,
		IdleTimeout:      60 * time.Second,
		HeadLimit:        64 << 10,
		ReadBuffer:       32 << 10,
		MaxStreams:       250,
		Window:           256 << 10,
		Ping:             15 * time.Second,
	}
}

// RegisterFlags adds the flags of this package to fs. The present values of c
// are their defaults.
func (c *Config) RegisterFlags(fs *flag.FlagSet) {
	fs.DurationVar(&c.IdleLifetime, "upstream.idle", c.IdleLifetime,
		"How long an unused connection to a target is kept. 0 keeps it until the target closes it.")
	fs.IntVar(&c.MaxConnections, "upstream.maxConnections", c.MaxConnections,
		"Connections to one target at once, used and unused; requests beyond wait for one until the connect timeout. 0 means no limit.")
	fs.IntVar(&c.MaxIdle, "upstream.maxIdle", c.MaxIdle,
		"Unused connections kept to one target. 0 closes each after its answer.")
	fs.DurationVar(&c.ConnectTimeout, "upstream.connectTimeout", c.ConnectTimeout,
		"How long connecting to a target may take, TLS included. 0 means no limit but the system's.")
	fs.DurationVar(&c.FirstByteTimeout, "upstream.firstByteTimeout", c.FirstByteTimeout,
		"How long a target may take to answer once it has the request. 0 means no limit.")
	fs.DurationVar(&c.IdleTimeout, "upstream.idleTimeout", c.IdleTimeout,
		"How long a body may stand still, in either direction. 0 means no limit.")
	fs.IntVar(&c.HeadLimit, "upstream.headerLimit", c.HeadLimit,
		"Size of an answer's header section in bytes. 0 means no limit but 16 MiB.")
	fs.IntVar(&c.ReadBuffer, "upstream.readBuffer", c.ReadBuffer,
		"Buffer of a connection that is in use, in bytes. 0 means 32 KiB.")
	fs.IntVar(&c.MaxStreams, "upstream.maxStreams", c.MaxStreams,
		"Requests at once on one HTTP/2 connection, if the target allows as many; for more, another is opened. 0 means 250.")
	fs.IntVar(&c.Window, "upstream.window", c.Window,
		"How much of an answer over HTTP/2 a target may send ahead of a slow client, in bytes. 0 means 256 KiB.")
	fs.DurationVar(&c.Ping, "upstream.ping", c.Ping,
		"How long an HTTP/2 connection may be silent, with requests waiting or before it is used again, until a PING must prove it alive. 0 sends none.")
}

const (
	maxHead     = 16 << 20 // where no limit is set
	maxFields   = 1000     // header fields of an answer
	readBuffer  = 32 << 10
	minBuffer   = 4 << 10
	maxInterims = 16

	maxStreams   = 250
	streamWindow = 256 << 10
)

// ready replaces zeros that would be no limit at all.
func (c Config) ready() Config {
	if c.HeadLimit <= 0 {
		c.HeadLimit = maxHead
	}
	if c.ReadBuffer <= 0 {
		c.ReadBuffer = readBuffer
	}
	c.ReadBuffer = max(c.ReadBuffer, minBuffer)
	if c.MaxStreams <= 0 {
		c.MaxStreams = maxStreams
	}
	if c.Window <= 0 {
		c.Window = streamWindow
	}
	c.Window = min(c.Window, frame.MaxWindow)
	return c
}

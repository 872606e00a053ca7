package h3

import (
	"flag"
	"time"

	"weir/proxy/front"
)

// Config tunes HTTP/3. What it shares with the other front ends is in Front.
type Config struct {
	Front front.Config

	MaxStreams       int           // requests of a connection at a time
	Window           int           // bytes that a client may send of one body before they are read
	MaxWindow        int           // the same of all bodies of a connection
	HandshakeTimeout time.Duration // from a client's first packet to the end of its handshake
	MaxHandshakes    int           // in progress, of a listener; 0 means no limit
	RetryAbove       int           // handshakes in progress from which on addresses are validated; 0 means always, -1 never
	RetryRate        int           // the same for handshakes begun in a second; 0 means always, -1 never
	MaxResets        int           // requests that a connection may give up for each that it lets end; 0 means no limit
}

// RegisterFlags defines the flags of HTTP/3, but not those of Front.
func (c *Config) RegisterFlags(fs *flag.FlagSet) {
	fs.IntVar(&c.MaxStreams, "http3.maxStreams", 128, "Requests that a connection may have under way at a time, 1 or more")
	fs.IntVar(&c.Window, "http3.window", 512<<10, "Bytes that a client may send of one request body ahead of their being read, 16384 or more")
	fs.IntVar(&c.MaxWindow, "http3.maxWindow", 2<<20, "Bytes that a client may send of all request bodies of a connection ahead of their being read, 16384 or more")
	fs.DurationVar(&c.HandshakeTimeout, "http3.handshakeTimeout", 10*time.Second, "Time a client has for its handshake. 0 means 10s")
	fs.IntVar(&c.MaxHandshakes, "http3.maxHandshakes", 4096, "Handshakes of a listener in progress; more are refused. 0 means no limit")
	fs.IntVar(&c.RetryAbove, "http3.retryAbove", 256, "Handshakes in progress from which on clients must prove their address by a Retry. 0 means always, -1 never")
	fs.IntVar(&c.RetryRate, "http3.retryRate", 2000, "Handshakes begun in a second from which on clients must prove their address by a Retry. 0 means always, -1 never")
	fs.IntVar(&c.MaxResets, "http3.maxResets", 200, "Requests that a client may give up beyond those that it lets end before its connection is closed. 0 means no limit")
}

package h2

import (
	"flag"

	"weir/proxy/frame"
)

// Config tunes the HTTP/2 connections of clients, beside what front.Config
// says of all connections.
type Config struct {
	MaxStreams       int // requests of a connection under way at once
	Window           int // bytes of one request body that wait for the upstream
	ConnectionWindow int // bytes of all request bodies of a connection that wait
	MaxFrame         int // bytes of a frame's payload that a client may send
	TableSize        int // bytes of the table that compresses a client's fields
	ResetBurst       int // requests in a row that a client may give up
	ResetRate        int // requests that it may give up each second after that
	FrameBurst       int // frames in a row that move nothing
	FrameRate        int // frames that move nothing each second after that
}

// RegisterFlags defines the flags of HTTP/2 connections.
func (c *Config) RegisterFlags(fs *flag.FlagSet) {
	fs.IntVar(&c.MaxStreams, "http2.maxStreams", 128, "Requests that an HTTP/2 connection may have under way at once; more are turned away and can be repeated")
	fs.IntVar(&c.Window, "http2.window", 256<<10, "Bytes of a request body that may wait in the gateway while the upstream is slow, for each stream of HTTP/2")
	fs.IntVar(&c.ConnectionWindow, "http2.connectionWindow", 1<<20, "Bytes of request bodies that may wait in the gateway for each HTTP/2 connection")
	fs.IntVar(&c.MaxFrame, "http2.maxFrame", frame.MinMaxFrame, "Bytes of a frame that an HTTP/2 client may send, 16384 or more. Each busy connection holds a buffer of twice this size")
	fs.IntVar(&c.TableSize, "http2.tableSize", 4096, "Bytes of the table that keeps repeated header fields of an HTTP/2 connection, on either side. 0 turns it off")
	fs.IntVar(&c.ResetBurst, "http2.resetBurst", 400, "Requests that an HTTP/2 client may give up in a row before its connection is closed")
	fs.IntVar(&c.ResetRate, "http2.resetRate", 50, "Requests that an HTTP/2 client may give up each second, over time, before its connection is closed")
	fs.IntVar(&c.FrameBurst, "http2.frameBurst", 10_000, "Frames without content (settings, pings, window updates, empty data) that an HTTP/2 client may send in a row before its connection is closed")
	fs.IntVar(&c.FrameRate, "http2.frameRate", 1_000, "Frames without content that an HTTP/2 client may send each second, over time, before its connection is closed")
}

// bounded brings the settings within what the protocol allows.
func (c Config) bounded() Config {
	c.MaxStreams = max(c.MaxStreams, 1)
	c.Window = min(max(c.Window, 1), frame.MaxWindow)
	c.ConnectionWindow = min(max(c.ConnectionWindow, frame.DefaultWindow), frame.MaxWindow)
	c.MaxFrame = min(max(c.MaxFrame, frame.MinMaxFrame), frame.MaxMaxFrame)
	c.TableSize = min(max(c.TableSize, 0), 1<<20)
	return c
}

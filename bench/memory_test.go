package bench

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"weir/proxy/front"
	"weir/proxy/h1"
	"weir/proxy/wire"
)

// memoryConn is a connection whose client is already there: each read returns
// one request, until next says that there are no more, and writes are checked.
type memoryConn struct {
	request, status []byte
	next            func() bool
	answers         int
	wrong           []byte // the first answer that was not the expected one
}

func (c *memoryConn) Read(p []byte) (int, error) {
	if !c.next() {
		return 0, io.EOF
	}
	return copy(p, c.request), nil
}

func (c *memoryConn) Write(p []byte) (int, error) {
	if !bytes.HasPrefix(p, c.status) && c.wrong == nil {
		c.wrong = bytes.Clone(p)
	}
	c.answers++
	return len(p), nil
}

func (c *memoryConn) Close() error                     { return nil }
func (c *memoryConn) LocalAddr() net.Addr              { return memoryAddr }
func (c *memoryConn) RemoteAddr() net.Addr             { return memoryAddr }
func (c *memoryConn) SetDeadline(time.Time) error      { return nil }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }

var memoryAddr = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4711}

// front returns a front end that serves such connections with g.
func (g *gateway) front() *h1.Server { return h1.NewServer(g.options.Listen, 0, g) }

// serveMemory has one connection served until its requests end, and returns
// how many answers there were.
func serveMemory(tb testing.TB, server *h1.Server, c *wayCase, next func() bool) int {
	nc := &memoryConn{request: c.request, status: c.status, next: next}
	server.Serve(wire.NewConn(nc), front.Origin{Listener: "main"}, nil)
	if nc.wrong != nil {
		tb.Errorf("%s: got %q; want %q", c.name, nc.wrong, c.status)
	}
	return nc.answers
}

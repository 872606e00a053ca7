package upstream

import (
	"net"
	"sync/atomic"

	"weir/proxy/wire"
)

// Tunnel is the connection that a 101 leads to, taken out of the pool for
// good. One goroutine may read while another writes; Close may be called by
// anybody, and more than once.
type Tunnel struct {
	c      *conn
	early  []byte // arrived with the answer's head
	unread int    // of early
	closed atomic.Bool
}

func newTunnel(c *conn) *Tunnel {
	t := &Tunnel{c: c}
	if have, _ := c.br.Peek(c.br.Buffered()); len(have) > 0 {
		t.early = append([]byte(nil), have...)
		_, _ = c.br.Discard(len(have))
	}
	c.detach()
	return t
}

// Side returns the connection for wire.Tunnel, early bytes included.
func (t *Tunnel) Side() wire.Side {
	side := wire.Side{Sock: t.c.sock, Early: t.Buffered()}
	if t.c.tls != nil {
		side.Over = net.Conn(t.c.tls)
	}
	return side
}

// Sock returns the socket. With TLS, which Side tells, the bytes on it are
// not those of the tunnel.
func (t *Tunnel) Sock() *wire.Sock { return t.c.sock }

// Buffered returns the bytes that arrived with the answer's head and were not
// read yet.
func (t *Tunnel) Buffered() []byte { return t.early[t.unread:] }

// Read implements io.Reader.
func (t *Tunnel) Read(p []byte) (int, error) {
	if early := t.Buffered(); len(early) > 0 {
		n := copy(p, early)
		t.unread += n
		return n, nil
	}
	return t.c.rw.Read(p)
}

// Write implements io.Writer.
func (t *Tunnel) Write(p []byte) (int, error) { return t.c.rw.Write(p) }

// Close closes the connection and frees its place in the pool.
func (t *Tunnel) Close() error {
	if !t.closed.CompareAndSwap(false, true) {
		return nil
	}
	target := t.c.target
	err := t.c.sock.Close()
	target.inFlight.Add(-1)
	target.pool.leave()
	return err
}

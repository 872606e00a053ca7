package h2

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/frame"
	"weir/proxy/front"
	"weir/proxy/hpack"
	"weir/proxy/wire"
)

// sendTunnel accepts an extended CONNECT (RFC 8441 §5) and then moves bytes
// until the tunnel ends. The upstream has answered 101; here that is a 200.
func (s *stream) sendTunnel(x *exchange.Exchange) error {
	c := s.c
	tunnel := x.Tunnel
	x.Tunnel = nil
	defer tunnel.Close()
	other, ok := tunnel.(interface{ Side() wire.Side })
	if !ok {
		panic("BUG: a tunnel that is no socket")
	}
	if !s.challenge.Accepts(x.Response.PeekBytes(hpack.SecWebSocketAccept.Canonical())) {
		return errors.Join(exchange.ErrUnsent, front.ErrNotAccepted)
	}
	c.mu.Lock()
	if s.gone.Load() || c.dead {
		err := s.abandoned(x, errGone)
		c.mu.Unlock()
		return err
	}
	c.appendOpening(s, x)
	s.tunnel = true
	c.send()
	c.mu.Unlock()
	c.server.AddTunnel(1)
	defer c.server.AddTunnel(-1)
	in, out := wire.Tunnel(wire.Side{Over: tunnelEnd{s}}, other.Side(), x.Limits.Idle, x.Limits.Total)
	x.BytesIn, x.BytesOut = in, out
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case s.gone.Load() || c.dead:
	case s.ended:
		c.answered(s)
	default:
		c.reset(s, frame.Cancel)
	}
	return nil
}

// appendOpening appends the answer that accepts an extended CONNECT.
func (c *conn) appendOpening(s *stream, x *exchange.Exchange) {
	o := c.room()
	at := len(*o)
	b := c.enc.AppendStatus(c.enc.Begin(append(*o, noHeader...)), 200)
	for name, value := range x.Response.All() {
		token := hpack.Lookup(name)
		if !isOfConnection(token) && token != hpack.ContentLength && token != hpack.SecWebSocketAccept {
			b = c.enc.Append(b, token, name, value)
		}
	}
	*o = c.endSection(b, at, s.id, false)
}

// tunnelEnd is a stream as a connection. One goroutine may read while another
// writes, and anybody may set deadlines. A write that its deadline cuts short
// does not end with os.ErrDeadlineExceeded: what of it was sent is not known.
type tunnelEnd struct{ s *stream }

func (e tunnelEnd) Read(p []byte) (int, error) {
	s := e.s
	c, b := s.c, &s.body
	if len(p) == 0 {
		return 0, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case b.at < len(b.buf):
			n := copy(p, b.buf[b.at:])
			if b.at += n; b.at == len(b.buf) {
				b.buf, b.at = b.buf[:0], 0
			}
			c.credit(s, n)
			c.send()
			return n, nil
		case s.gone.Load():
			return 0, io.ErrUnexpectedEOF
		case b.ended:
			return 0, io.EOF
		}
		d := untilOf(s.readBy)
		if d < 0 {
			return 0, os.ErrDeadlineExceeded
		}
		b.wait.wait(&c.mu, d)
	}
}

func (e tunnelEnd) Write(p []byte) (int, error) {
	s := e.s
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.content(s, p, false); err != nil {
		return 0, err
	}
	c.send()
	return len(p), nil
}

// CloseWrite ends the direction to the client.
func (e tunnelEnd) CloseWrite() error {
	s := e.s
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.ended {
		return nil
	}
	if err := c.content(s, nil, true); err != nil {
		return err
	}
	s.ended = true
	c.send()
	return nil
}

// untilOf returns how long a wait with deadline t may last: 0 for no limit,
// below 0 when it has passed.
func untilOf(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	if d := time.Until(t); d > 0 {
		return d
	}
	return -1
}

func (e tunnelEnd) SetDeadline(t time.Time) error {
	_ = e.SetReadDeadline(t)
	return e.SetWriteDeadline(t)
}

func (e tunnelEnd) SetReadDeadline(t time.Time) error {
	e.s.c.mu.Lock()
	defer e.s.c.mu.Unlock()
	e.s.readBy = t
	e.s.body.wait.wake()
	return nil
}

func (e tunnelEnd) SetWriteDeadline(t time.Time) error {
	e.s.c.mu.Lock()
	defer e.s.c.mu.Unlock()
	e.s.writeBy = t
	e.s.room.wake()
	return nil
}

// Close gives the stream up in both directions.
func (e tunnelEnd) Close() error { return nil }

func (e tunnelEnd) LocalAddr() net.Addr  { return e.s.c.sock.LocalAddr() }
func (e tunnelEnd) RemoteAddr() net.Addr { return e.s.c.sock.RemoteAddr() }

var _ net.Conn = tunnelEnd{}

package h3

import (
	"errors"
	"io"
	"net"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/front"
	"weir/proxy/wire"
)

var errStuck = errors.New("the client does not take what the tunnel brings")

// sendTunnel sends the answer that opens a WebSocket (RFC 9220 §3) and then
// moves bytes until the tunnel ends.
func (r *request) sendTunnel(x *exchange.Exchange) error {
	tunnel := x.Tunnel
	x.Tunnel = nil
	defer tunnel.Close()
	other, ok := tunnel.(interface{ Side() wire.Side })
	if !ok {
		panic("BUG: a tunnel that is no socket")
	}
	if !r.websocket || !r.challenge.Accepts(x.Response.PeekBytes(nameAccept)) {
		return errors.Join(exchange.ErrUnsent, front.ErrNotAccepted)
	}
	x.Response.DelBytes(nameAccept)
	x.Response.DelBytes(nameUpgrade)
	x.Response.SetStatusCode(200)
	r.out = r.appendHead(r.out[:0], x, true)
	if err := r.sendFinal(x, r.out); err != nil {
		return err
	}
	r.tunnel.Store(true)
	r.server.AddTunnel(1)
	defer r.server.AddTunnel(-1)
	end := &tunnelEnd{r: r}
	x.BytesIn, x.BytesOut = wire.Tunnel(wire.Side{Over: end}, other.Side(), x.Limits.Idle, x.Limits.Total)
	x.Response.SetStatusCode(101) // what it means to the log
	if !end.closed {
		r.stream.CancelWrite(codeConnectError)
	}
	return nil
}

var (
	nameAccept  = []byte("Sec-Websocket-Accept")
	nameUpgrade = []byte("Upgrade")
)

// tunnelEnd is the client's end of a tunnel: the content of DATA frames. One
// goroutine may read while another writes.
type tunnelEnd struct {
	r      *request
	left   uint64 // of the DATA frame under way
	idle   int
	out    []byte
	closed bool
}

func (t *tunnelEnd) Read(p []byte) (int, error) {
	for t.left == 0 {
		kind, length, err := t.r.in.next()
		switch {
		case err != nil:
			return 0, err
		case kind == frameData:
			t.left = length
		case kind == frameHeaders || isForbidden(kind):
			return 0, t.r.breach(codeFrameUnexpected, "frame does not belong in a tunnel")
		default:
			if err := t.r.in.skip(length); err != nil {
				return 0, err
			}
		}
		if t.left > 0 {
			t.idle = 0
		} else if t.idle++; t.idle > idleFramesMost {
			t.r.c.overload("too many frames that say nothing")
			return 0, errGone
		}
	}
	if uint64(len(p)) > t.left {
		p = p[:t.left]
	}
	n, err := t.r.in.Read(p)
	t.left -= uint64(n)
	if err == io.EOF && t.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (t *tunnelEnd) Write(p []byte) (int, error) {
	t.out = append(appendFrame(t.out[:0], frameData, uint64(len(p))), p...)
	if _, err := t.r.stream.Write(t.out); err != nil {
		// Some of the frame may have left, so nothing can follow it: that a
		// deadline was the reason must not look like something that passes.
		t.r.stream.CancelWrite(codeConnectError)
		return 0, errStuck
	}
	return len(p), nil
}

// CloseWrite ends the direction to the client.
func (t *tunnelEnd) CloseWrite() error {
	t.closed = true
	return t.r.stream.Close()
}

func (t *tunnelEnd) Close() error {
	t.r.stream.CancelRead(codeNoError)
	t.r.stream.CancelWrite(codeNoError)
	return nil
}

func (t *tunnelEnd) LocalAddr() net.Addr                 { return t.r.c.qc.LocalAddr() }
func (t *tunnelEnd) RemoteAddr() net.Addr                { return t.r.c.qc.RemoteAddr() }
func (t *tunnelEnd) SetDeadline(at time.Time) error      { return t.r.stream.SetDeadline(at) }
func (t *tunnelEnd) SetReadDeadline(at time.Time) error  { return t.r.stream.SetReadDeadline(at) }
func (t *tunnelEnd) SetWriteDeadline(at time.Time) error { return t.r.stream.SetWriteDeadline(at) }

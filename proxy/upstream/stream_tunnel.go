package upstream

import (
	"crypto/sha1" // what RFC 6455 proves a handshake by; nothing is kept secret by it
	"encoding/base64"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"weir/proxy/hpack"
	"weir/proxy/wire"
)

var errNoConnect = errors.New("upstream does not take WebSockets over HTTP/2 (RFC 8441)")

var websocket = []byte("websocket")

// connects tells whether the request asks for a WebSocket, which over HTTP/2
// is an extended CONNECT.
func (s *stream) connects() bool { return namesProtocol(websocket, s.call.Upgrade) }

// appendConnect appends the head of an extended CONNECT (RFC 8441 §4).
func (s *stream) appendConnect(dst []byte) []byte {
	enc, h := &s.c.enc, &s.x.Request
	dst = enc.AppendToken(dst, hpack.Method, []byte(fasthttp.MethodConnect))
	dst = enc.AppendToken(dst, hpack.Protocol, websocket)
	dst = enc.AppendToken(dst, hpack.Scheme, []byte(s.t.scheme))
	dst = enc.AppendToken(dst, hpack.Authority, h.Host())
	return enc.AppendToken(dst, hpack.Path, h.RequestURI())
}

// change makes of the 2xx to an extended CONNECT the 101 that it stands for.
func (s *stream) change() {
	x := s.x
	h := &x.Response
	h.SetStatusCode(fasthttp.StatusSwitchingProtocols)
	h.SetBytesV(fasthttp.HeaderUpgrade, websocket)
	h.Del(fasthttp.HeaderContentLength)
	if key := x.Request.Peek(fasthttp.HeaderSecWebSocketKey); len(key) > 0 {
		sum := sha1.Sum(append(append([]byte(nil), key...), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
		h.Set(fasthttp.HeaderSecWebSocketAccept, base64.StdEncoding.EncodeToString(sum[:]))
	}
	if x.Front != nil {
		x.Front.Notify(nil)
	}
	s.by, s.idle = 0, 0
	x.UpstreamStatus = fasthttp.StatusSwitchingProtocols
	x.Tunnel, x.Stream, x.Length = &StreamTunnel{s: s}, nil, 0
}

// StreamTunnel is the stream that an extended CONNECT leads to. It is a
// net.Conn whose bytes are those of a WebSocket. Close may be called more than once.
type StreamTunnel struct {
	s      *stream
	readBy atomic.Int64 // on the clock of wire, 0 = never
	closed atomic.Bool
}

// Side returns the stream for wire.Tunnel.
func (t *StreamTunnel) Side() wire.Side { return wire.Side{Over: t} }

// Read implements io.Reader.
func (t *StreamTunnel) Read(p []byte) (int, error) {
	s := t.s
	if len(p) == 0 {
		return 0, nil
	}
	for len(s.own) == 0 {
		switch {
		case s.refill() && len(s.own) > 0:
		case s.tail:
			return 0, io.EOF
		default:
			if err := s.lost(); err != nil {
				return 0, err
			}
			if s.park(t.readBy.Load(), false) != nil {
				return 0, os.ErrDeadlineExceeded
			}
		}
	}
	n := copy(p, s.own)
	s.own = s.own[n:]
	s.eat(n)
	return n, nil
}

// lost returns why nothing more comes, nil if something may.
func (s *stream) lost() error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if len(s.in) > 0 || s.ended {
		return nil
	}
	return s.err
}

// Write implements io.Writer.
func (t *StreamTunnel) Write(p []byte) (int, error) {
	switch err := t.s.sendData(p, false, nil); err {
	case nil:
		return len(p), nil
	case wire.ErrTimeout:
		return 0, os.ErrDeadlineExceeded
	default:
		return 0, err
	}
}

// CloseWrite ends the direction to the target.
func (t *StreamTunnel) CloseWrite() error { return t.s.sendData(nil, true, nil) }

// Close gives the stream back. Neither direction may be in use any more.
func (t *StreamTunnel) Close() error {
	if !t.closed.CompareAndSwap(false, true) {
		return nil
	}
	s := t.s
	s.finish(s.tail)
	s.writeBy.Store(0)
	s.free()
	return nil
}

func (t *StreamTunnel) SetDeadline(at time.Time) error {
	_ = t.SetReadDeadline(at)
	return t.SetWriteDeadline(at)
}

func (t *StreamTunnel) SetReadDeadline(at time.Time) error {
	t.readBy.Store(limitAt(at))
	t.s.signal()
	return nil
}

func (t *StreamTunnel) SetWriteDeadline(at time.Time) error {
	t.s.writeBy.Store(limitAt(at))
	t.s.signalPump()
	return nil
}

func limitAt(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return wire.At(at)
}

func (t *StreamTunnel) LocalAddr() net.Addr  { return t.s.c.wire.LocalAddr() }
func (t *StreamTunnel) RemoteAddr() net.Addr { return t.s.c.wire.RemoteAddr() }

var _ net.Conn = (*StreamTunnel)(nil)

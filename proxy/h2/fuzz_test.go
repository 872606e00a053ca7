package h2

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"weir/proxy/exchange"
	"weir/proxy/frame"
	"weir/proxy/front"
	"weir/proxy/hpack"
	"weir/proxy/wire"
)

// memoryConn is a connection whose peer has sent everything and closed.
type memoryConn struct {
	in   *bytes.Reader
	step int // most bytes of a read, 0 for any
}

func (c *memoryConn) Read(p []byte) (int, error) {
	if c.step > 0 && len(p) > c.step {
		p = p[:c.step]
	}
	return c.in.Read(p)
}

func (c *memoryConn) Write(p []byte) (int, error)      { return len(p), nil }
func (c *memoryConn) Close() error                     { return nil }
func (c *memoryConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *memoryConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *memoryConn) SetDeadline(time.Time) error      { return nil }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }

// conversation is what a client sends in order to be understood.
func conversation() []byte {
	enc := hpack.NewEncoder(4096)
	section := func(flags frame.Flags, id uint32, lines ...[2]string) []byte {
		block := enc.Begin(nil)
		for _, l := range lines {
			block = enc.AppendField(block, []byte(l[0]), []byte(l[1]))
		}
		return append(frame.Append(nil, len(block), frame.Headers, flags|frame.EndHeaders, id), block...)
	}
	head := [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}, {"x-own", "y"}}
	b := frame.AppendSettingsAck(frame.AppendSettings([]byte(http2.ClientPreface), frame.Setting{ID: frame.InitialWindow, Value: 10}))
	b = append(b, section(0, 1, head...)...)
	b = append(frame.Append(b, 5, frame.Data, 0, 1), "hello"...)
	b = append(b, section(frame.EndStream, 3, head...)...)
	b = frame.AppendWindowUpdate(b, 1, 7)
	b = append(b, section(frame.EndStream, 1, [2]string{"x-sum", "5"})...)
	b = frame.AppendPing(frame.AppendRSTStream(b, 3, frame.Cancel), 0, [8]byte{})
	return frame.AppendPriorityUpdate(frame.AppendSettings(b, frame.Setting{ID: frame.TableSize, Value: 0}), 1, []byte("u=1"))
}

// FuzzConnection has a connection take any bytes: it must end, and everything
// that was begun on it too.
func FuzzConnection(f *testing.F) {
	f.Add(conversation(), 0)
	f.Add(conversation(), 1)
	f.Add(conversation()[24:], 7)
	f.Add([]byte(http2.ClientPreface), 0)
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		cfg, own := settings()
		cfg.HeadTimeout, cfg.SendTimeout = time.Second, time.Second
		s := NewServer(cfg, own, 0, handle(func(x *exchange.Exchange) {
			if x.RequestBody != nil {
				_, _ = io.Copy(io.Discard, x.RequestBody)
			}
			echo(x)
		}))
		done := make(chan struct{})
		go func() {
			defer close(done)
			for _, early := range [][]byte{nil, stream[:min(len(stream), 24)]} {
				nc := &memoryConn{in: bytes.NewReader(stream[len(early):]), step: max(step, 0) % 100}
				s.Serve(wire.NewConn(nc), front.Origin{Listener: "main"}, early)
			}
		}()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			panic("the connection does not end")
		}
		if s.Open() != 0 {
			t.Fatalf("%d connections are left", s.Open())
		}
	})
}

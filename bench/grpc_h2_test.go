package bench

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"weir/proxy/frame"
	"weir/proxy/hpack"
)

// frames is one end of an HTTP/2 connection that allocates nothing once it is
// open.
type frames struct {
	nc     net.Conn
	enc    hpack.Encoder
	out    []byte
	in     []byte
	unread []byte
}

func newFrames(nc net.Conn) *frames {
	return &frames{nc: nc, enc: hpack.NewEncoder(4096), in: make([]byte, 64<<10)}
}

// next returns the next frame. Its payload is valid until the next call.
func (f *frames) next() (frame.Header, []byte, error) {
	for len(f.unread) < frame.HeaderLen || len(f.unread) < frame.HeaderLen+frame.Parse(f.unread).Length {
		k := copy(f.in, f.unread)
		n, err := f.nc.Read(f.in[k:])
		if err != nil {
			return frame.Header{}, nil, err
		}
		f.unread = f.in[:k+n]
	}
	h := frame.Parse(f.unread)
	payload := f.unread[frame.HeaderLen : frame.HeaderLen+h.Length]
	f.unread = f.unread[frame.HeaderLen+h.Length:]
	return h, payload, nil
}

// section queues a frame of fields: an answer's status, or none, and pairs.
func (f *frames) section(status int, id uint32, flags frame.Flags, pairs ...[]byte) {
	at := len(f.out)
	f.out = f.enc.Begin(frame.Append(f.out, 0, frame.Headers, 0, id))
	if status > 0 {
		f.out = f.enc.AppendStatus(f.out, status)
	}
	for i := 0; i < len(pairs); i += 2 {
		f.out = f.enc.Append(f.out, hpack.Lookup(pairs[i]), pairs[i], pairs[i+1])
	}
	frame.Put(f.out[at:], len(f.out)-at-frame.HeaderLen, frame.Headers, flags|frame.EndHeaders, id)
}

func (f *frames) data(id uint32, flags frame.Flags, content []byte) {
	f.out = append(frame.Append(f.out, len(content), frame.Data, flags, id), content...)
}

func (f *frames) flush() error {
	_, err := f.nc.Write(f.out)
	f.out = f.out[:0]
	return err
}

func fields(texts ...string) [][]byte {
	out := make([][]byte, len(texts))
	for i := range texts {
		out[i] = []byte(texts[i])
	}
	return out
}

// startCallServer answers every call with one message and the status OK.
func startCallServer(tb testing.TB) string {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer nc.Close()
				serveCalls(newFrames(nc))
			})
		}
	})
	tb.Cleanup(func() {
		_ = ln.Close()
		serving.Wait()
	})
	return ln.Addr().String()
}

func serveCalls(f *frames) {
	head, end, message := fields("content-type", "application/grpc"), fields("grpc-status", "0", "grpc-message", "fine"), []byte("message")
	if _, err := io.ReadFull(f.nc, f.in[:len(frame.Preface)]); err != nil {
		return
	}
	f.out = frame.AppendSettings(f.out)
	for {
		if len(f.out) > 0 && f.flush() != nil {
			return
		}
		h, payload, err := f.next()
		switch {
		case err != nil:
			return
		case h.Type == frame.Settings && !h.Flags.Has(frame.Ack):
			f.out = frame.AppendSettingsAck(f.out)
		case h.Type == frame.Ping && !h.Flags.Has(frame.Ack):
			f.out = frame.AppendPing(f.out, frame.Ack, [8]byte(payload))
		case h.Type == frame.Data && h.Length > 0:
			f.out = frame.AppendWindowUpdate(f.out, 0, uint32(h.Length))
		}
		if (h.Type == frame.Data || h.Type == frame.Headers) && h.Flags.Has(frame.EndStream) {
			f.section(200, h.Stream, 0, head...)
			f.data(h.Stream, 0, message)
			f.section(0, h.Stream, frame.EndStream, end...)
		}
	}
}

// caller makes calls over one connection of HTTP/2.
type caller struct {
	*frames
	tb       testing.TB
	id       uint32
	request  [][]byte
	question []byte
}

// startCalling serves calls from HTTP/2 to HTTP/2, gRPC-Web translated.
func startCalling(tb testing.TB, flags string) *gateway {
	tb.Helper()
	return startGateway(tb, fmt.Sprintf(`
listeners: { main: { address: "127.0.0.1:0", protocols: [h2, http/1.1] } }
apis: { bench: { routes: [ { path: /pets.Pets/Get, upstream: calls, grpcWeb: true } ] } }
upstreams: { calls: { targets: [ "h2c://%s" ] } }
`, startCallServer(tb)), flags)
}

func (g *gateway) caller(tb testing.TB, contentType string) *caller {
	tb.Helper()
	nc, err := net.Dial("tcp", g.address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = nc.Close() })
	c := &caller{frames: newFrames(nc), tb: tb, id: 1, question: []byte("question")}
	if strings.Contains(contentType, "text") {
		c.question = []byte("cXVlc3Rpb24=")
	}
	c.request = fields(":method", "POST", ":scheme", "http", ":path", "/pets.Pets/Get", ":authority", "api.example.org",
		"content-type", contentType, "te", "trailers", "grpc-timeout", "10S", "user-agent", "bench/1.0")
	c.out = frame.AppendSettingsAck(frame.AppendSettings(append(c.out, frame.Preface...)))
	return c
}

// call makes one call and waits for its end.
func (c *caller) call() {
	c.section(0, c.id, 0, c.request...)
	c.data(c.id, frame.EndStream, c.question)
	c.out = frame.AppendWindowUpdate(c.out, 0, 1<<10)
	c.id += 2
	if err := c.flush(); err != nil {
		c.tb.Fatal(err)
	}
	for {
		h, payload, err := c.next()
		if err != nil || h.Type == frame.RSTStream || h.Type == frame.GoAway {
			c.tb.Fatalf("got %v %q, %v", h, payload, err)
		}
		if h.Stream != 0 && h.Flags.Has(frame.EndStream) {
			return
		}
	}
}

// callForms are the forms in which calls come.
var callForms = []string{"application/grpc", "application/grpc-web", "application/grpc-web-text"}

// BenchmarkCall is one client that makes small calls one after the other, from
// HTTP/2 to HTTP/2.
func BenchmarkCall(b *testing.B) {
	g := startCalling(b, metrics+" -http2.frameRate=1000000000")
	for _, form := range callForms {
		b.Run(form, func(b *testing.B) {
			c := g.caller(b, form)
			b.ReportAllocs()
			for b.Loop() {
				c.call()
			}
		})
	}
}

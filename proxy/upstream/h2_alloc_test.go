//go:build !race

package upstream

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"testing"

	"weir/proxy/exchange"
	"weir/proxy/frame"
)

// newH2Trip is newTrip over HTTP/2, to an upstream that answers each request
// with the same frames.
func newH2Trip(t testing.TB, fill func(x *exchange.Exchange)) *trip {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		echoFrames(c)
	}()
	r := NewRegistry(Default(), 2)
	t.Cleanup(func() {
		r.Close()
		_ = l.Close()
		<-ended
	})
	target, err := r.Acquire(Address{URL: "h2c://" + l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	x := request("GET", "/a/b?c=d")
	x.Request.Set("Accept", "*/*")
	x.Request.Set("X-Forwarded-For", "192.0.2.1")
	fill(x)
	return &trip{target: target, x: x, call: Call{Upstream: "u", Retry: true}}
}

// echoFrames answers every stream that ends with hello.
func echoFrames(c net.Conn) {
	in, out, filled := make([]byte, 64<<10), frame.AppendSettings(nil), 0
	if _, err := io.ReadFull(c, in[:len(frame.Preface)]); err != nil {
		return
	}
	for {
		if _, err := c.Write(out); err != nil {
			return
		}
		out = out[:0]
		n, err := c.Read(in[filled:])
		if err != nil {
			return
		}
		b := in[:filled+n]
		for len(b) >= frame.HeaderLen {
			h := frame.Parse(b)
			if len(b) < frame.HeaderLen+h.Length {
				break
			}
			b = b[frame.HeaderLen+h.Length:]
			if h.Type == frame.Data && h.Length > 0 {
				out = frame.AppendWindowUpdate(out, 0, uint32(h.Length))
			}
			if (h.Type == frame.Headers || h.Type == frame.Data) && h.Flags.Has(frame.EndStream) {
				// :status 200, and content-length 5 as a literal.
				out = append(frame.Append(out, 5, frame.Headers, frame.EndHeaders, h.Stream), 0x88, 0x0f, 0x0d, 1, '5')
				out = append(frame.Append(out, 5, frame.Data, frame.EndStream, h.Stream), "hello"...)
			}
		}
		filled = copy(in, b)
	}
}

func TestH2RoundTripsAllocateNothing(t *testing.T) {
	f := func(name string, fill func(x *exchange.Exchange)) {
		t.Helper()
		trip := newH2Trip(t, fill)
		for range 50 {
			trip.run(t)
		}
		if got := testing.AllocsPerRun(500, func() { trip.run(t) }); got != 0 {
			t.Errorf("%s: got %g allocations; want 0", name, got)
		}
	}
	f("GET", func(x *exchange.Exchange) {})
	f("GET, cookie", func(x *exchange.Exchange) { x.Request.Set("Cookie", "a=b; c=d") })
	body := []byte(`{"name":"rex"}`)
	f("POST", func(x *exchange.Exchange) {
		x.Request.SetMethod("POST")
		x.Request.SetContentType("application/json")
		x.RequestBytes, x.RequestLength = body, int64(len(body))
	})
}

func BenchmarkSendH2(b *testing.B) {
	f := func(name string, fill func(x *exchange.Exchange)) {
		b.Run(name, func(b *testing.B) {
			trip := newH2Trip(b, fill)
			b.ReportAllocs()
			for b.Loop() {
				trip.run(b)
			}
		})
	}
	body := bytes.Repeat([]byte("x"), 1<<10)
	f("get", func(*exchange.Exchange) {})
	f("post", func(x *exchange.Exchange) {
		x.Request.SetMethod("POST")
		x.RequestBytes, x.RequestLength = body, int64(len(body))
	})
}

// BenchmarkSendParallel sends 64 requests at a time.
func BenchmarkSendParallel(b *testing.B) {
	f := func(name, scheme string, serve func(c net.Conn)) {
		b.Run(name, func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						defer c.Close()
						serve(c)
					}()
				}
			}()
			r := NewRegistry(Default(), 2)
			defer r.Close()
			target, err := r.Acquire(Address{URL: scheme + l.Addr().String()})
			if err != nil {
				b.Fatal(err)
			}
			var shard atomic.Int64
			b.SetParallelism(64 / runtime.GOMAXPROCS(0))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				trip := &trip{target: target, x: request("GET", "/a/b?c=d"), call: Call{Shard: int(shard.Add(1))}}
				for pb.Next() {
					trip.run(b)
				}
			})
		})
	}
	f("h1", "http://", func(c net.Conn) {
		in := make([]byte, 4<<10)
		for {
			if _, err := c.Read(in); err != nil {
				return
			}
			if _, err := io.WriteString(c, hello); err != nil {
				return
			}
		}
	})
	f("h2", "h2c://", echoFrames)
}

//go:build !race

package upstream

import (
	"bytes"
	"net"
	"testing"

	"weir/proxy/exchange"
)

func TestWarmRoundTripsAllocateNothing(t *testing.T) {
	f := func(name, answer string, fill func(x *exchange.Exchange)) {
		t.Helper()
		trip := newTrip(t, answer, fill)
		for range 20 {
			trip.run(t)
		}
		if got := testing.AllocsPerRun(500, func() { trip.run(t) }); got != 0 {
			t.Errorf("%s: got %g allocations; want 0", name, got)
		}
	}
	f("GET", hello, func(x *exchange.Exchange) {})
	f("GET, connection fields", "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 5\r\n\r\nhello",
		func(x *exchange.Exchange) {})
	f("GET, chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", func(x *exchange.Exchange) {})
	f("GET, no content", "HTTP/1.1 204 No Content\r\n\r\n", func(x *exchange.Exchange) {})
	f("GET, old protocol", hello, func(x *exchange.Exchange) { x.Request.SetProtocol("HTTP/1.0") })
	body := []byte(`{"name":"rex"}`)
	f("POST", hello, func(x *exchange.Exchange) {
		x.Request.SetMethod("POST")
		x.Request.SetContentType("application/json")
		x.RequestBytes, x.RequestLength = body, int64(len(body))
	})
}

func BenchmarkSend(b *testing.B) {
	f := func(name, answer string, fill func(x *exchange.Exchange)) {
		b.Run(name, func(b *testing.B) {
			trip := newTrip(b, answer, fill)
			b.ReportAllocs()
			for b.Loop() {
				trip.run(b)
			}
		})
	}
	body := bytes.Repeat([]byte("x"), 1<<10)
	f("get", hello, func(*exchange.Exchange) {})
	f("post", hello, func(x *exchange.Exchange) {
		x.Request.SetMethod("POST")
		x.RequestBytes, x.RequestLength = body, int64(len(body))
	})
}

// trip is one exchange that is sent again and again to an upstream which
// answers each read with the same bytes.
type trip struct {
	target *Target
	x      *exchange.Exchange
	call   Call
	buf    [4 << 10]byte
}

func newTrip(t testing.TB, answer string, fill func(x *exchange.Exchange)) *trip {
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
		out, in := []byte(answer), make([]byte, 64<<10)
		for {
			if _, err := c.Read(in); err != nil {
				return
			}
			if _, err := c.Write(out); err != nil {
				return
			}
		}
	}()
	r := NewRegistry(Default(), 2)
	t.Cleanup(func() {
		r.Close()
		_ = l.Close()
		<-ended
	})
	target, err := r.Acquire(Address{URL: "http://" + l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	x := request("GET", "/a/b?c=d")
	x.Request.Set("Accept", "*/*")
	x.Request.Set("X-Forwarded-For", "192.0.2.1")
	fill(x)
	return &trip{target: target, x: x, call: Call{Upstream: "u", Retry: true}}
}

func (t *trip) run(tb testing.TB) {
	if r := t.target.Send(t.x, &t.call); r != nil {
		tb.Fatalf("got refusal %s (%v)", r.Cause, t.x.Cause)
	}
	if t.x.Stream == nil {
		return
	}
	for !t.x.Stream.Done() {
		if _, err := t.x.Stream.Read(t.buf[:]); err != nil {
			tb.Fatal(err)
		}
	}
	_ = t.x.Stream.Close()
	t.x.Stream = nil
}

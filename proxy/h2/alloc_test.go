//go:build !race

package h2

import (
	"bytes"
	"net"
	"testing"

	"golang.org/x/net/http2"

	"weir/proxy/exchange"
	"weir/proxy/frame"
	"weir/proxy/front"
	"weir/proxy/hpack"
)

// allocRuns is large enough that what the process does beside the requests (a
// date each second, a sweep of the pools) is less than one a request.
const allocRuns = 2000

// lean is a client that allocates nothing either.
type lean struct {
	tb     testing.TB
	nc     net.Conn
	enc    hpack.Encoder
	id     uint32
	out    []byte
	in     []byte
	unread []byte
	body   []byte
}

func newLean(tb testing.TB, s *served) *lean {
	tb.Helper()
	nc, err := net.Dial("tcp", s.address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = nc.Close() })
	c := &lean{tb: tb, nc: nc, enc: hpack.NewEncoder(4096), id: 1, in: make([]byte, 64<<10), body: []byte("a body of a request")}
	c.out = frame.AppendSettingsAck(frame.AppendSettings(append(c.out, http2.ClientPreface...)))
	return c
}

var (
	leanAuthority = []byte("a.example")
	leanPath      = []byte("/pets/7")
	leanAgent     = []byte("lean/1.0")
	leanMethods   = [2][]byte{[]byte("GET"), []byte("POST")}
)

// ask queues a request.
func (c *lean) ask(withBody int) {
	at := len(c.out)
	b := c.enc.Begin(append(c.out, noHeader...))
	b = c.enc.AppendToken(b, hpack.Method, leanMethods[withBody])
	b = c.enc.AppendToken(b, hpack.Scheme, schemeOfTest)
	b = c.enc.AppendToken(b, hpack.Authority, leanAuthority)
	b = c.enc.AppendToken(b, hpack.Path, leanPath)
	b = c.enc.AppendToken(b, hpack.UserAgent, leanAgent)
	flags := frame.EndHeaders
	if withBody == 0 {
		flags |= frame.EndStream
	}
	frame.Put(b[at:], len(b)-at-frame.HeaderLen, frame.Headers, flags, c.id)
	if withBody != 0 {
		b = append(frame.Append(b, len(c.body), frame.Data, frame.EndStream, c.id), c.body...)
	}
	c.out = frame.AppendWindowUpdate(b, 0, 1<<10)
	c.id += 2
}

var schemeOfTest = []byte("http")

// exchange sends what is queued and reads until n streams have ended.
func (c *lean) exchange(n int) {
	if _, err := c.nc.Write(c.out); err != nil {
		c.tb.Fatal(err)
	}
	c.out = c.out[:0]
	for n > 0 {
		for len(c.unread) < frame.HeaderLen || len(c.unread) < frame.HeaderLen+frame.Parse(c.unread).Length {
			k := copy(c.in, c.unread)
			m, err := c.nc.Read(c.in[k:])
			if err != nil {
				c.tb.Fatal(err)
			}
			c.unread = c.in[:k+m]
		}
		h := frame.Parse(c.unread)
		if h.Type == frame.GoAway || h.Type == frame.RSTStream {
			c.tb.Fatalf("got %v %q", h, c.unread)
		}
		if h.Stream != 0 && h.Flags.Has(frame.EndStream) && (h.Type == frame.Data || h.Type == frame.Headers) {
			n--
		}
		c.unread = c.unread[frame.HeaderLen+h.Length:]
	}
}

// TestAllocNothing holds requests with fixed answers, and such that stream, to
// no allocation: server and client together, one by one and many at once.
func TestAllocNothing(t *testing.T) {
	text := bytes.Repeat([]byte{'x'}, 1024)
	lines := []byte("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\nX-Other: value\r\n")
	s := serve(t, handle(func(x *exchange.Exchange) {
		x.Response.SetStatusCode(200)
		x.Bytes, x.Lines = text, lines
		if x.RequestBody != nil {
			x.Bytes, x.Stream, x.Length = nil, x.RequestBody, x.RequestLength
		}
		_ = x.Front.Send(x)
	}), func(_ *front.Config, own *Config) { own.FrameBurst = 1 << 30 })
	f := func(streams, withBody int) {
		t.Helper()
		c := newLean(t, s)
		round := func() {
			for range streams {
				c.ask(withBody)
			}
			c.exchange(streams)
		}
		for range 500 {
			round()
		}
		if got := testing.AllocsPerRun(allocRuns, round); got != 0 {
			t.Errorf("%d streams, with body %d: got %v allocations a round; want none", streams, withBody, got)
		}
	}
	f(1, 0)
	f(1, 1)
	f(10, 0)
	f(10, 1)
}

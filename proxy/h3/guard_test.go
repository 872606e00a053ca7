package h3

import (
	"context"
	"crypto/tls"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"weir/proxy/exchange"
)

// TestRetry holds that clients prove their address once many handshakes are in
// progress, and are served all the same.
func TestRetry(t *testing.T) {
	cfg := testConfig()
	cfg.RetryAbove, cfg.RetryRate = 100, -1
	s := serve(t, cfg, strict)
	f := func() {
		t.Helper()
		stream := dial(t, s).open(get())
		_ = stream.Close()
		if got := read(stream); got.status() != "200" {
			t.Fatalf("got %q, %v; want 200", got.heads, got.err)
		}
	}
	f()
	if got := s.Stats.Retries.Load(); got != 0 {
		t.Fatalf("got %d retries; want none yet", got)
	}
	s.Stats.Handshakes.Add(100)
	f()
	if got := s.Stats.Retries.Load(); got == 0 {
		t.Fatal("got no retry; want some")
	}
	if got := s.Stats.Handshakes.Add(-100); got != 0 {
		t.Fatalf("got %d handshakes in progress; want 0", got)
	}
}

// TestRetryForRate holds that many handshakes in one second do the same.
func TestRetryForRate(t *testing.T) {
	cfg := testConfig()
	cfg.RetryAbove, cfg.RetryRate = -1, 10
	s := New(cfg, 1, handlerFunc(strict))
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for i := 0; !s.guard.doubts(nil); i++ {
		if i == 10_000 {
			t.Fatal("nobody is asked to prove an address")
		}
		if _, err := s.guard.begin(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMaxHandshakes(t *testing.T) {
	cfg := testConfig()
	cfg.MaxHandshakes = 8 // the packets of one that was refused may begin others
	s := serve(t, cfg, strict)
	s.Stats.Handshakes.Add(8)
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	if _, err := quic.DialAddr(ctx, s.addr.String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, nil); err == nil {
		t.Fatal("got a connection; want none")
	}
	s.Stats.Handshakes.Add(-8)
	dial(t, s)
	if got := s.Stats.Refused.Load(); got < 1 {
		t.Fatalf("got %d refused; want some", got)
	}
}

// TestHandshakeThatFails holds that it is not counted for ever.
func TestHandshakeThatFails(t *testing.T) {
	s := serve(t, testConfig(), strict)
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	if _, err := quic.DialAddr(ctx, s.addr.String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"other"}}, nil); err == nil {
		t.Fatal("got a connection; want none")
	}
	for s.Stats.Failed.Load() == 0 {
		if ctx.Err() != nil {
			t.Fatal("the failure was not counted")
		}
		runtime.Gosched()
	}
	if got := s.Stats.Handshakes.Load(); got != 0 {
		t.Fatalf("got %d handshakes in progress; want 0", got)
	}
}

func TestAdmission(t *testing.T) {
	left := make(chan netip.Addr, 1)
	var full atomic.Bool
	s := serveWith(t, testConfig(), strict, func(asked *Listening) {
		asked.Admit = func(a netip.Addr) bool { return !full.Load() && a == netip.AddrFrom4([4]byte{127, 0, 0, 1}) }
		asked.Left = func(a netip.Addr) { left <- a }
	})
	c := dial(t, s)
	stream := c.open(get())
	_ = stream.Close()
	if got := read(stream); got.status() != "200" {
		t.Fatalf("got %q, %v; want 200", got.heads, got.err)
	}
	_ = c.conn.CloseWithError(codeNoError, "")
	if got := <-left; got.String() != "127.0.0.1" {
		t.Fatalf("got %s; want 127.0.0.1", got)
	}
	full.Store(true)
	if got := dial(t, s).closed(); got != codeExcessiveLoad {
		t.Fatalf("got %#x; want %#x", got, codeExcessiveLoad)
	}
}

// TestRapidReset attacks by giving up every request at once: no more of them
// than the limit are worked on at a time, and the connection is closed.
func TestRapidReset(t *testing.T) {
	cfg := testConfig()
	cfg.MaxStreams, cfg.MaxResets = 10, 50
	s := serve(t, cfg, func(x *exchange.Exchange) {
		w := make(wakes, 1)
		x.Front.Notify(w)
		<-w
		x.Front.Notify(nil)
		answer(x, 200, "")
	})
	c := dial(t, s)
	c.uni(settings())
	go func() {
		for c.conn.Context().Err() == nil {
			stream, err := c.conn.OpenStreamSync(c.conn.Context())
			if err != nil {
				return
			}
			_, _ = stream.Write(get())
			stream.CancelRead(codeRequestCancelled)
			stream.CancelWrite(codeRequestCancelled)
		}
	}()
	if got := c.closed(); got != codeExcessiveLoad {
		t.Fatalf("got %#x; want %#x", got, codeExcessiveLoad)
	}
	if got := s.Stats.Streams.Load(); got > 500 {
		t.Fatalf("got %d requests; want a few more than %d", got, cfg.MaxResets)
	}
}

// TestFloods attacks by frames that say nothing.
func TestFloods(t *testing.T) {
	s := serve(t, testConfig(), strict)
	f := func(name string, begin, frame []byte) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			c := dial(t, s)
			c.uni(settings())
			c.open(append(begin, strings.Repeat(string(frame), 1200)...))
			if got := c.closed(); got != codeExcessiveLoad {
				t.Fatalf("got %#x; want %#x", got, codeExcessiveLoad)
			}
		})
	}
	f("empty DATA", post(), data(""))
	f("unknown frames", post(), appendFrame(nil, 0x21, 0))
	f("unknown frames first", nil, appendFrame(nil, 0x21, 0))
}

// TestSlowReaders holds that clients that take nothing cost bounded memory:
// their answers wait in the upstream, not here.
func TestSlowReaders(t *testing.T) {
	cfg := testConfig()
	cfg.Front.SendTimeout = time.Minute
	goOn := make(chan struct{})
	const readers, size = 20, 32 << 20
	s := serve(t, cfg, func(x *exchange.Exchange) {
		<-goOn
		_ = stream(x, 200, &zeros{left: size}, size)
	})
	c := dial(t, s)
	c.uni(settings())
	for range readers {
		_ = c.open(get()).Close()
	}
	before := heap()
	close(goOn)
	for s.Stats.Streams.Load() < readers {
		runtime.Gosched()
	}
	time.Sleep(100 * time.Millisecond) // nothing tells that a sender waits
	if grown := heap() - before; grown > 24<<20 {
		t.Fatalf("got %d MiB for %d readers; want little", grown>>20, readers)
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// zeros is content without end or memory.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	n := min(int64(len(p)), z.left)
	z.left -= n
	return int(n), nil
}
func (z *zeros) Done() bool       { return z.left == 0 }
func (z *zeros) Ready() bool      { return true }
func (z *zeros) Trailers() []byte { return nil }
func (z *zeros) Close() error     { return nil }

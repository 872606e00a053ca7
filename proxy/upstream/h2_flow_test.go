package upstream

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/frame"
	"weir/proxy/wire"
)

// TestH2LeavingClientEndsTheStream holds that the target hears of a client that
// leaves within 100 ms.
func TestH2LeavingClientEndsTheStream(t *testing.T) {
	f := func(name string, head bool) {
		t.Helper()
		leave, gone := make(chan struct{}, 1), make(chan time.Time, 1)
		url, _ := serveH2C(t, func(w http.ResponseWriter, r *http.Request) {
			if head {
				w.(http.Flusher).Flush()
			} else {
				leave <- struct{}{}
			}
			<-r.Context().Done()
			gone <- time.Now()
		})
		target := target(t, registry(t, nil), url)
		x := request("GET", "/")
		fr := &toldFront{}
		x.Front = fr
		var left time.Time
		go func() {
			<-leave
			left = time.Now()
			fr.gone.Store(true)
			(*fr.waker.Load()).Wake()
		}()
		if head {
			if r := target.Send(x, &Call{}); r != nil {
				t.Fatalf("%s: got refusal %s (%v)", name, r.Cause, x.Cause)
			}
			leave <- struct{}{}
			if _, err := contentErr(x); !errors.Is(err, wire.ErrAbandoned) {
				t.Fatalf("%s: got %v; want %v", name, err, wire.ErrAbandoned)
			}
		} else {
			wantRefusal(t, target, x, &Call{}, exchange.ClientGone)
		}
		if took := (<-gone).Sub(left); took > 100*time.Millisecond {
			t.Errorf("%s: got %s until the target knew; want 100ms at most", name, took)
		}
		if got := target.Stats(); got.Idle != 1 || got.Streams != 0 {
			t.Fatalf("%s: got %+v; want the connection kept", name, got)
		}
	}
	f("before the answer", false)
	f("within the answer", true)
}

// toldFront is a front that tells when its client leaves.
type toldFront struct {
	front
	waker atomic.Pointer[exchange.Waker]
}

func (f *toldFront) Notify(w exchange.Waker) {
	if w == nil {
		f.waker.Store(nil)
		return
	}
	f.waker.Store(&w)
}

func TestH2FullDuplexWithTrailers(t *testing.T) {
	url, _ := serveH2C(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Count")
		w.(http.Flusher).Flush()
		buf, count := make([]byte, 100), "0"
		for {
			n, err := r.Body.Read(buf)
			if n > 0 {
				count += "1"
				_, _ = w.Write(buf[:n])
				w.(http.Flusher).Flush()
			}
			if err != nil {
				break
			}
		}
		w.Header().Set("X-Count", r.Trailer.Get("X-Sum"))
	})
	target := target(t, registry(t, nil), url)
	in, out := io.Pipe()
	x := withUpload(request("POST", "/"), exchange.Chunked, in)
	body := x.RequestBody.(*upload)
	body.trailers, body.waits = "X-Sum: seven\r\n", true
	x.Request.SetTrailer("X-Sum")
	if r := target.Send(x, &Call{}); r != nil {
		t.Fatalf("got refusal %s (%v)", r.Cause, x.Cause)
	}
	buf := make([]byte, 100)
	for _, word := range []string{"one", "two", "three"} {
		if _, err := io.WriteString(out, word); err != nil {
			t.Fatal(err)
		}
		if n, err := x.Stream.Read(buf); err != nil || string(buf[:n]) != word {
			t.Fatalf("got %q, %v; want %q", buf[:n], err, word)
		}
	}
	_ = out.Close()
	if n, err := x.Stream.Read(buf); n != 0 || err != io.EOF {
		t.Fatalf("got %d bytes, %v; want the end", n, err)
	}
	if got := string(x.Stream.Trailers()); got != "x-count: seven\r\n" {
		t.Fatalf("got trailers %q", got)
	}
	_ = x.Stream.Close()
	if got := target.Stats(); got.Idle != 1 || got.Streams != 0 || target.InFlight() != 0 {
		t.Fatalf("got %+v, %d in flight", got, target.InFlight())
	}
}

func TestH2EarlyAnswerStopsTheUpload(t *testing.T) {
	f := func(name string, code frame.Code) {
		t.Helper()
		s := listenRaw(t, func(r *raw) {
			r.settings()
			g, ok := r.await(frame.Headers)
			if !ok {
				return
			}
			r.headers(g.Stream, frame.EndHeaders, ":status", "413", "content-length", "7")
			r.data(g.Stream, frame.EndStream, "too big")
			if code != 0 {
				r.send(frame.AppendRSTStream(nil, g.Stream, code-1))
			}
			r.drainFrames()
		})
		target := target(t, registry(t, nil), s.url)
		e := &endless{stop: make(chan struct{})}
		x := withUpload(request("POST", "/"), exchange.Chunked, e)
		fr := x.Front.(*front)
		fr.stop = func() { close(e.stop) }
		wantRound(t, target, x, &Call{}, 413, "too big")
		if code == 0 && !fr.stopped.Load() {
			t.Fatalf("%s: the client's body was not stopped", name)
		}
		if got := target.Stats(); got.Idle != 1 || got.Streams != 0 {
			t.Fatalf("%s: got %+v; want the connection kept", name, got)
		}
	}
	f("without a reset", 0)
	f("with NO_ERROR", frame.NoError+1)
}

func TestH2SlowClientSlowsTheTarget(t *testing.T) {
	const window = 64 << 10
	written := make(chan int64, 1)
	var sum atomic.Int64
	url, _ := serveH2C(t, func(w http.ResponseWriter, r *http.Request) {
		piece := make([]byte, 16<<10)
		for range 640 {
			n, err := w.Write(piece)
			sum.Add(int64(n))
			if err != nil {
				break
			}
		}
		written <- sum.Load()
	})
	target := target(t, registry(t, func(c *Config) { c.Window = window }), url)
	x := request("GET", "/")
	if r := target.Send(x, &Call{}); r != nil {
		t.Fatalf("got refusal %s (%v)", r.Cause, x.Cause)
	}
	eventually(t, "the window is full", func() bool { return sum.Load() >= window })
	// Others are not held up by it.
	quick := request("HEAD", "/")
	if r := target.Send(quick, &Call{}); r != nil {
		t.Fatalf("got refusal %s (%v)", r.Cause, quick.Cause)
	}
	<-written
	s := x.Stream.(*stream)
	s.c.mu.Lock()
	held := len(s.in)
	s.c.mu.Unlock()
	if held != window {
		t.Fatalf("got %d bytes held for a client that reads nothing; want %d", held, window)
	}
	if got := content(t, x); len(got) != 10<<20 {
		t.Fatalf("got %d bytes; want %d", len(got), 10<<20)
	}
	<-written
}

func TestH2Limits(t *testing.T) {
	silent := listenRaw(t, func(r *raw) {
		r.settings(frame.Setting{ID: frame.InitialWindow, Value: 10})
		r.drainFrames()
	})
	target := target(t, registry(t, nil), silent.url)
	wantRefusal(t, target, request("GET", "/"), &Call{FirstByte: short}, exchange.FirstByteTimeout)
	wantRefusal(t, target, request("GET", "/"), &Call{Total: short}, exchange.TotalTimeout)
	wantRefusal(t, target, withBody(request("PUT", "/"), strings.Repeat("x", 100)), &Call{Idle: short}, exchange.WriteTimeout)
	if got := silent.accepted.Load(); got != 1 {
		t.Fatalf("got %d connections; want 1", got)
	}
	mute := listen(t, func(p *peer) { p.drain() })
	wantRefusal(t, targetOf(t, target.registry, "h2c"+strings.TrimPrefix(mute.url, "http")), request("GET", "/"), &Call{Connect: short}, exchange.ConnectTimeout)

	stalls := listenRaw(t, onceRaw(func(r *raw, id uint32) {
		r.headers(id, frame.EndHeaders, ":status", "200")
		r.data(id, 0, "hel")
	}))
	x := request("GET", "/")
	if r := targetOf(t, target.registry, stalls.url).Send(x, &Call{Idle: short}); r != nil {
		t.Fatalf("got refusal %s (%v)", r.Cause, x.Cause)
	}
	if got, err := contentErr(x); got != "hel" || !isTimeout(err) {
		t.Fatalf("got %q, %v; want a timeout behind the first part", got, err)
	}
}

// TestH2DeafTargetHoldsNobody holds that limits hold on a connection whose
// target takes nothing more, and that little is kept for it.
func TestH2DeafTargetHoldsNobody(t *testing.T) {
	release := make(chan struct{})
	s := listenRaw(t, func(r *raw) {
		r.settings(frame.Setting{ID: frame.InitialWindow, Value: frame.MaxWindow})
		r.send(frame.AppendWindowUpdate(nil, 0, 1<<30))
		<-release
	})
	defer close(release)
	target := target(t, registry(t, nil), s.url)
	large := withBody(request("PUT", "/"), strings.Repeat("x", 64<<20))
	wantRefusal(t, target, large, &Call{Idle: short}, exchange.WriteTimeout)
	began := time.Now()
	wantRefusal(t, target, request("GET", "/"), &Call{Total: short}, exchange.TotalTimeout)
	if took := time.Since(began); took > time.Second {
		t.Fatalf("got a refusal after %s; want it within the limit of %s", took, short)
	}
	c := target.sessions.all()[0]
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out) > 2*outMost {
		t.Fatalf("got %d bytes queued; want %d at most", len(c.out), 2*outMost)
	}
}

// TestH2GivenUpAnswersCostNoConnection gives up many answers whose content is
// on its way: what comes of it late is no flood.
func TestH2GivenUpAnswersCostNoConnection(t *testing.T) {
	url, _ := serveH2C(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(make([]byte, 1<<20))
	})
	target := target(t, registry(t, nil), url)
	var ended sync.WaitGroup
	for range 20 {
		ended.Go(func() {
			for range 20 {
				x := request("GET", "/")
				if r := target.Send(x, &Call{}); r != nil {
					t.Errorf("got refusal %s (%v)", r.Cause, x.Cause)
					return
				}
				_ = x.Stream.Close()
			}
		})
	}
	ended.Wait()
	x := request("GET", "/")
	if r := target.Send(x, &Call{}); r != nil {
		t.Fatalf("got refusal %s (%v)", r.Cause, x.Cause)
	}
	if got := content(t, x); len(got) != 1<<20 {
		t.Fatalf("got %d bytes", len(got))
	}
	if got := target.Stats(); got.Dialed != 1 || got.Idle != 1 || target.InFlight() != 0 {
		t.Fatalf("got %+v, %d in flight; want the one connection", got, target.InFlight())
	}
}

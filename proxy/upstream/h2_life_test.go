package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/frame"
	"weir/proxy/wire"
)

func TestH2StreamsShareConnections(t *testing.T) {
	var conns sync.Map
	release := make(chan struct{})
	url, _ := serveH2C(t, func(w http.ResponseWriter, r *http.Request) {
		conns.Store(r.RemoteAddr, true)
		<-release
		_, _ = io.WriteString(w, "hello")
	})
	target := target(t, registry(t, func(c *Config) { c.MaxStreams = 10 }), url)
	var ended sync.WaitGroup
	for range 25 {
		ended.Go(func() { wantRound(t, target, request("GET", "/"), &Call{}, 200, "hello") })
	}
	eventually(t, "25 streams", func() bool { return target.Stats().Streams == 25 })
	if got := target.Stats(); got.Busy != 3 || got.Dialed != 3 || target.InFlight() != 25 {
		t.Fatalf("got %+v, %d in flight; want 25 streams on 3 connections", got, target.InFlight())
	}
	close(release)
	ended.Wait()
	if got := target.Stats(); got.Idle != 3 || got.Busy != 0 || got.Streams != 0 || target.InFlight() != 0 {
		t.Fatalf("got %+v, %d in flight; want 3 connections idle", got, target.InFlight())
	}
}

func TestH2LimitOfConnections(t *testing.T) {
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	url, _ := serveH2C(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		_, _ = io.WriteString(w, "hello")
	})
	target := target(t, registry(t, func(c *Config) { c.MaxStreams, c.MaxConnections = 2, 1 }), url)
	var ended sync.WaitGroup
	for i := range 6 {
		ended.Go(func() { wantRound(t, target, request("GET", "/"), &Call{Shard: i}, 200, "hello") })
	}
	<-arrived
	<-arrived
	eventually(t, "four wait", func() bool { return target.Stats().Waiting == 4 })
	wantRefusal(t, target, request("GET", "/"), &Call{Connect: short}, exchange.PoolExhausted)
	close(release)
	ended.Wait()
	if got := target.Stats(); got.Dialed != 1 || got.Waiting != 0 {
		t.Fatalf("got %+v; want one connection", got)
	}
}

func TestH2TargetThatAllowsFewStreams(t *testing.T) {
	var now, most atomic.Int64
	s := listenRaw(t, func(r *raw) {
		r.settings(frame.Setting{ID: frame.MaxStreams, Value: 1})
		for {
			g, ok := r.await(frame.Headers)
			if !ok {
				return
			}
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			now.Add(-1)
			r.answer(g.Stream)
		}
	})
	target := target(t, registry(t, func(c *Config) { c.MaxConnections = 2 }), s.url)
	var ended sync.WaitGroup
	for i := range 8 {
		ended.Go(func() {
			for range 20 {
				wantRound(t, target, request("POST", "/"), &Call{Shard: i}, 200, "hello")
			}
		})
	}
	ended.Wait()
	if got := s.accepted.Load(); got > 2 || most.Load() > 2 {
		t.Fatalf("got %d connections; want at most 2", got)
	}
}

// TestH2GoAwayUnderLoad sends requests while the server restarts in good order
// again and again: none of them may fail.
func TestH2GoAwayUnderLoad(t *testing.T) {
	const requests, clients = 10_000, 20
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "hello")
	})
	start := func(l net.Listener) *httptest.Server {
		s := &httptest.Server{Listener: l, Config: &http.Server{Handler: handler, Protocols: new(http.Protocols)}}
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
		return s
	}
	server := start(l)
	target := target(t, registry(t, nil), "h2c://"+address)

	var ended sync.WaitGroup
	var sent, retried atomic.Int64
	stop := make(chan struct{})
	for i := range clients {
		ended.Go(func() {
			for sent.Add(1) <= requests {
				x := withBody(request("POST", "/"), "abc")
				wantRound(t, target, x, &Call{Shard: i, Retry: true}, 200, "hello")
				retried.Add(int64(x.Retries))
			}
		})
	}
	go func() {
		ended.Wait()
		close(stop)
	}()
	restarts := 0
	for running := true; running; {
		select {
		case <-stop:
			running = false
		case <-time.After(20 * time.Millisecond):
			// A listener of its own for the new server, as a restart behind a
			// load balancer or with a handed-over socket has it.
			next := handOver(t, server)
			old := server
			server = start(next)
			if err := old.Config.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
			restarts++
		}
	}
	server.Close()
	if restarts < 2 {
		t.Fatalf("got %d restarts; want some", restarts)
	}
	t.Logf("%d restarts, %d requests moved, %+v", restarts, retried.Load(), target.Stats())
}

// handOver returns a listener on the socket of a server, as a process that is
// replaced hands it over.
func handOver(t *testing.T, server *httptest.Server) net.Listener {
	t.Helper()
	file, err := server.Listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	next, err := net.FileListener(file)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func TestH2RequestsThatNobodyActedOnAreSentAgain(t *testing.T) {
	f := func(name string, x *exchange.Exchange, refuse func(r *raw, id uint32)) {
		t.Helper()
		var refused atomic.Bool
		bodies := make(chan string, 1)
		s := listenRaw(t, func(r *raw) {
			r.settings()
			body := ""
			for {
				g, ok := r.next()
				switch {
				case !ok:
					return
				case g.Type == frame.Headers && refused.CompareAndSwap(false, true):
					refuse(r, g.Stream)
					continue
				case g.Type == frame.Data:
					body += string(g.payload)
				case g.Type != frame.Headers:
					continue
				}
				if g.Flags.Has(frame.EndStream) && refused.Load() && (g.Stream > 1 || r.n > 1) {
					bodies <- body
					r.answer(g.Stream)
				}
			}
		})
		target := target(t, registry(t, nil), s.url)
		wantRound(t, target, x, &Call{}, 200, "hello")
		if x.Retries != 1 {
			t.Fatalf("%s: got %d retries; want 1", name, x.Retries)
		}
		want := ""
		if !x.Request.IsGet() {
			want = "abc"
		}
		if got := <-bodies; !strings.HasSuffix(got, want) {
			t.Fatalf("%s: got body %q; want %q", name, got, want)
		}
	}
	refuse := func(r *raw, id uint32) { r.send(frame.AppendRSTStream(nil, id, frame.RefusedStream)) }
	goaway := func(r *raw, id uint32) { r.send(frame.AppendGoAway(nil, 0, frame.NoError, "")) }
	f("refused GET", request("GET", "/"), refuse)
	f("refused POST", withBody(request("POST", "/"), "abc"), refuse)
	f("refused gRPC", withUpload(request("POST", "/"), exchange.Chunked, strings.NewReader("abc")), refuse)
	f("moved GET", request("GET", "/"), goaway)
	f("moved POST", withBody(request("POST", "/"), "abc"), goaway)
	f("moved gRPC", withUpload(request("POST", "/"), exchange.Chunked, strings.NewReader("abc")), goaway)
}

func TestH2RefusedForEver(t *testing.T) {
	s := listenRaw(t, func(r *raw) {
		r.settings()
		for {
			g, ok := r.await(frame.Headers)
			if !ok {
				return
			}
			r.send(frame.AppendRSTStream(nil, g.Stream, frame.RefusedStream))
		}
	})
	target := target(t, registry(t, nil), s.url)
	x, call := withUpload(request("POST", "/"), exchange.Chunked, strings.NewReader("abc")), &Call{}
	wantRefusal(t, target, x, call, exchange.UpstreamReset)
	if !call.Unsent || x.Retries != movesMost || string(x.RequestBytes) != "abc" {
		t.Fatalf("got unsent %v, %d retries, body %q; want another target to get it", call.Unsent, x.Retries, x.RequestBytes)
	}
}

func TestH2AnswersEndBehindGoAway(t *testing.T) {
	s := listenRaw(t, func(r *raw) {
		r.settings()
		g, ok := r.await(frame.Headers)
		if !ok {
			return
		}
		r.send(frame.AppendGoAway(nil, g.Stream, frame.NoError, "bye"))
		r.headers(g.Stream, frame.EndHeaders, ":status", "200")
		r.data(g.Stream, 0, "hel")
		r.data(g.Stream, frame.EndStream, "lo")
		r.drainFrames()
	})
	target := target(t, registry(t, nil), s.url)
	for i := range 3 {
		x := request("GET", "/")
		wantRound(t, target, x, &Call{}, 200, "hello")
		eventually(t, "the connection ends", func() bool { return target.Stats() == Stats{Dialed: uint64(i + 1)} })
	}
}

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

func TestH2SilentConnectionsArePinged(t *testing.T) {
	answers := listenRaw(t, func(r *raw) {
		r.settings()
		g, _ := r.await(frame.Headers)
		ping, ok := r.await(frame.Ping)
		if !ok {
			return
		}
		r.send(frame.AppendPing(nil, frame.Ack, [8]byte(ping.payload)))
		r.answer(g.Stream)
		r.drainFrames()
	})
	reg := registry(t, func(c *Config) { c.Ping = short })
	wantRound(t, targetOf(t, reg, answers.url), request("GET", "/"), &Call{}, 200, "hello")

	dead := listenRaw(t, func(r *raw) {
		r.settings()
		r.drainFrames()
	})
	wantRefusal(t, targetOf(t, reg, dead.url), request("POST", "/"), &Call{}, exchange.UpstreamReset)
}

func TestH2IdleConnectionsAreProvedAlive(t *testing.T) {
	s := listenRaw(t, func(r *raw) {
		r.settings()
		for {
			g, ok := r.await(frame.Headers)
			if !ok {
				return
			}
			r.answer(g.Stream)
			if r.n == 1 { // and is dead from here on
				r.drainFrames()
			}
		}
	})
	target := target(t, registry(t, func(c *Config) { c.Ping = time.Millisecond }), s.url)
	wantRound(t, target, request("GET", "/"), &Call{}, 200, "hello")
	eventually(t, "silence", func() bool {
		c := target.sessions.all()[0]
		return wire.Now()-c.lastRead.Load() > int64(time.Millisecond)
	})
	x := withUpload(request("POST", "/"), exchange.Chunked, strings.NewReader("abc"))
	wantRound(t, target, x, &Call{Connect: 2 * short}, 200, "hello")
	if got := s.accepted.Load(); got != 2 {
		t.Fatalf("got %d connections; want 2", got)
	}
}

func TestH2LostConnections(t *testing.T) {
	f := func(name string, x *exchange.Exchange, call *Call, want *exchange.Refusal) {
		t.Helper()
		s := listenRaw(t, func(r *raw) {
			r.settings()
			for n := 0; ; n++ {
				g, ok := r.await(frame.Headers)
				if !ok || (r.n == 1 && n == 1) {
					return
				}
				r.answer(g.Stream)
			}
		})
		target := target(t, registry(t, nil), s.url)
		wantRound(t, target, request("GET", "/"), &Call{}, 200, "hello")
		r := target.Send(x, call)
		if r != want {
			t.Fatalf("%s: got %v (%v); want %v", name, r, x.Cause, want)
		}
		if r == nil {
			content(t, x)
		}
	}
	f("GET", request("GET", "/"), &Call{Retry: true}, nil)
	f("GET without retries", request("GET", "/"), &Call{}, exchange.ConnectionClosed)
	f("POST", withBody(request("POST", "/"), "abc"), &Call{Retry: true}, exchange.ConnectionClosed)
}

func TestH2TargetsThatAreForgottenEndWithTheirStreams(t *testing.T) {
	release := make(chan struct{})
	url, _ := serveH2C(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		_, _ = io.WriteString(w, "hello")
	})
	r := registry(t, nil)
	target := target(t, r, url)
	done := make(chan string, 1)
	go func() {
		x := request("GET", "/")
		if r := target.Send(x, &Call{}); r != nil {
			done <- r.Cause
			return
		}
		got, _ := contentErr(x)
		done <- got
	}()
	eventually(t, "a stream", func() bool { return target.Stats().Streams == 1 })
	if kept := targetOf(t, r, url); kept != target {
		t.Fatal("got another target for the same address")
	}
	r.Retain(nil)
	close(release)
	if got := <-done; got != "hello" {
		t.Fatalf("got %q; want the answer", got)
	}
	eventually(t, "the connection ends", func() bool { s := target.Stats(); return s.Busy+s.Idle == 0 })
}

func TestH2UnusedConnectionsAreClosed(t *testing.T) {
	url, _ := serveH2C(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello") })
	target := target(t, registry(t, func(c *Config) { c.IdleLifetime = short }), url)
	wantRound(t, target, request("GET", "/"), &Call{}, 200, "hello")
	eventually(t, "the connection ends", func() bool { return target.Stats() == Stats{Dialed: 1} })
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

func TestH2WebSocket(t *testing.T) {
	heads := make(chan []string, 1)
	s := listenRaw(t, func(r *raw) {
		r.settings(frame.Setting{ID: frame.ConnectProtocol, Value: 1})
		var id uint32
		for {
			g, ok := r.next()
			switch {
			case !ok:
				return
			case g.Type == frame.Headers:
				heads <- r.fields(g.payload)
				id = g.Stream
				r.headers(id, frame.EndHeaders, ":status", "200", "sec-websocket-protocol", "chat")
				r.data(id, 0, "early")
			case g.Type == frame.Data && g.Flags.Has(frame.EndStream):
				r.data(id, frame.EndStream, "")
			case g.Type == frame.Data:
				r.data(id, 0, string(g.payload))
			}
		}
	})
	target := target(t, registry(t, nil), s.url)
	x := request("GET", "/ws")
	x.Request.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	x.Request.Set("Sec-WebSocket-Version", "13")
	if r := target.Send(x, &Call{Upgrade: []byte("WebSocket")}); r != nil {
		t.Fatalf("got refusal %s (%v)", r.Cause, x.Cause)
	}
	want := ":method=CONNECT :protocol=websocket :scheme=http :authority=example.org :path=/ws sec-websocket-version=13"
	if got := strings.Join(<-heads, " "); got != want {
		t.Fatalf("got %s; want %s", got, want)
	}
	if x.Response.StatusCode() != 101 || string(x.Response.Peek("Sec-WebSocket-Accept")) != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" ||
		string(x.Response.Peek("Upgrade")) != "websocket" || string(x.Response.Peek("Sec-WebSocket-Protocol")) != "chat" {
		t.Fatalf("got %s", x.Response.Header())
	}
	tunnel := x.Tunnel.(interface{ Side() wire.Side })
	end := tunnel.Side().Over.(*StreamTunnel)
	if _, err := end.Write([]byte(" late")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("early late"))
	if _, err := io.ReadFull(end, got); err != nil || string(got) != "early late" {
		t.Fatalf("got %q, %v; want the echo behind the early bytes", got, err)
	}
	if stats := target.Stats(); stats.Streams != 1 || target.InFlight() != 1 {
		t.Fatalf("got %+v; want the stream in use", stats)
	}
	_ = end.SetReadDeadline(time.Now().Add(short))
	if _, err := end.Read(got); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v; want the deadline", err)
	}
	_ = end.SetReadDeadline(time.Time{})
	if err := end.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := end.Read(got); err != io.EOF {
		t.Fatalf("got %v; want the end", err)
	}
	_ = end.Close()
	_ = end.Close()
	if stats := target.Stats(); stats.Streams != 0 || stats.Idle != 1 || target.InFlight() != 0 {
		t.Fatalf("got %+v, %d in flight; want the stream given back", stats, target.InFlight())
	}
}

func TestH2WithoutWebSocket(t *testing.T) {
	url, _ := serveH2C(t, nil)
	r := registry(t, nil)
	wantRefusal(t, targetOf(t, r, url), request("GET", "/ws"), &Call{Upgrade: []byte("websocket")}, exchange.ProtocolMismatch)

	cert, ca := certificate(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// One server for both, that upgrades only what comes over HTTP/1.1.
	server := &httptest.Server{Listener: l, EnableHTTP2: true, TLS: serverConfig(cert, nil), Config: &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", r.Header.Get("Upgrade"))
			w.WriteHeader(http.StatusSwitchingProtocols)
		}),
	}}
	server.StartTLS()
	t.Cleanup(server.Close)
	both, err := r.Acquire(Address{URL: server.URL, Protocol: "h2", TLS: optionsOf(ca)})
	if err != nil {
		t.Fatal(err)
	}
	x := request("GET", "/ws")
	if r := both.Send(x, &Call{Upgrade: []byte("websocket")}); r != nil {
		t.Fatalf("got refusal %s (%v)", r.Cause, x.Cause)
	}
	if _, ok := x.Tunnel.(*Tunnel); !ok || x.Response.StatusCode() != 101 {
		t.Fatalf("got %d and %T; want a tunnel over HTTP/1.1", x.Response.StatusCode(), x.Tunnel)
	}
	_ = x.Tunnel.Close()
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

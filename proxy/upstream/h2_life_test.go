package upstream

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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
	release := make(chan struct{})
	url, _ := serveH2C(t, func(w http.ResponseWriter, r *http.Request) {
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
	const everySo = requests / 20 // restarts
	restart, stop := make(chan struct{}, 20), make(chan struct{})
	for i := range clients {
		ended.Go(func() {
			for {
				n := sent.Add(1)
				if n > requests {
					return
				}
				if n%everySo == 0 {
					restart <- struct{}{}
				}
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
		case <-restart:
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
	if restarts < 10 {
		t.Fatalf("got %d restarts; want 10 at least", restarts)
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

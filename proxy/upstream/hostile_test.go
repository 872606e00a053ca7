package upstream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// once plays an answer to the first request of every connection and leaves
// the connection open.
func once(answer string) func(p *peer) {
	return func(p *peer) {
		if _, _, err := p.request(); err == nil {
			p.say(answer)
			p.drain()
		}
	}
}

func TestMalformedAnswersAreRefused(t *testing.T) {
	f := func(answer string, want *exchange.Refusal) {
		t.Helper()
		s := listen(t, once(answer))
		r := registry(t, func(c *Config) { c.HeadLimit, c.ReadBuffer = 8<<10, 4<<10 })
		target := target(t, r, s.url)
		call := &Call{Retry: true}
		wantRefusal(t, target, request("GET", "/"), call, want)
		if call.Unsent || s.accepted.Load() != 1 {
			t.Fatalf("%.40q: got unsent %v after %d connections; want one try", answer, call.Unsent, s.accepted.Load())
		}
		if got := target.Stats(); got.Idle != 0 || got.Busy != 0 || target.InFlight() != 0 {
			t.Fatalf("%.40q: got %+v, %d in flight; want the connection closed", answer, got, target.InFlight())
		}
	}
	f("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", exchange.MalformedAnswer)
	f("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", exchange.MalformedAnswer)
	f("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n", exchange.MalformedAnswer)
	f("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", exchange.MalformedAnswer)
	f("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", exchange.MalformedAnswer)
	f("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", exchange.MalformedAnswer)
	f("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na", exchange.MalformedAnswer)
	f("HTTP/1.1 200 OK\nContent-Length: 0\n\n", exchange.MalformedAnswer)
	f("HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n", exchange.MalformedAnswer)
	f("HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n", exchange.MalformedAnswer)
	f("HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 0\r\n\r\n", exchange.MalformedAnswer)
	f("HTTP/1.1 200 OK\r\nX Y: a\r\n\r\n", exchange.MalformedAnswer)
	f("HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n", exchange.MalformedAnswer)
	f("HTTP/2.0 200 OK\r\n\r\n", exchange.MalformedAnswer)
	f("HTTP/1.1 99 Low\r\n\r\n", exchange.MalformedAnswer)
	f("HTTP/1.1 2000 Long\r\n\r\n", exchange.MalformedAnswer)
	f("\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", exchange.MalformedAnswer)
	f("SSH-2.0-OpenSSH_9.6\r\n", exchange.MalformedAnswer)
	f(strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", maxInterims+1)+hello, exchange.MalformedAnswer)
	f("HTTP/1.1 200 OK\r\n"+strings.Repeat("X: "+strings.Repeat("y", 100)+"\r\n", 100), exchange.AnswerHeadTooLarge)
	f("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("y", 10_000), exchange.AnswerHeadTooLarge)
	f("HTTP/1.1 200 OK\r\n"+strings.Repeat("X:\r\n", maxFields+1)+"\r\n", exchange.AnswerHeadTooLarge)
	f("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", exchange.UpgradeFailed)
}

func TestNoContentThatAnnouncesContentCostsTheConnection(t *testing.T) {
	f := func(answer string, want int) {
		t.Helper()
		s := listen(t, answers(answer))
		target := target(t, registry(t, nil), s.url)
		for range 2 {
			wantRound(t, target, request("GET", "/"), &Call{}, 204, "")
		}
		if got := int(s.accepted.Load()); got != want {
			t.Fatalf("%q: got %d connections for two requests; want %d", answer, got, want)
		}
	}
	f("HTTP/1.1 204 No Content\r\n\r\n", 1)
	f("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 1)
	f("HTTP/1.1 204 No Content\r\nContent-Length: 60\r\n\r\n", 2)
	f("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", 2)
}

func TestUpgradeToAnotherProtocolIsRefused(t *testing.T) {
	s := listen(t, func(p *peer) {
		p.head()
		p.say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
		p.drain()
	})
	target := target(t, registry(t, nil), s.url)
	wantRefusal(t, target, request("GET", "/"), &Call{Upgrade: []byte("websocket")}, exchange.UpgradeFailed)
	if got := target.Stats(); got.Idle != 0 || got.Busy != 0 {
		t.Fatalf("got %+v; want the connection closed", got)
	}
}

func TestLargeHeadsGrowTheBuffer(t *testing.T) {
	value := strings.Repeat("y", 20_000)
	s := listen(t, answers("HTTP/1.1 200 OK\r\nX-Large: "+value+"\r\nContent-Length: 5\r\n\r\nhello"))
	r := registry(t, func(c *Config) { c.ReadBuffer = 4 << 10 })
	target := target(t, r, s.url)
	for range 2 {
		x := request("GET", "/")
		wantRound(t, target, x, &Call{}, 200, "hello")
		if got := string(x.Response.Peek("X-Large")); got != value {
			t.Fatalf("got %d bytes of the large field; want %d", len(got), len(value))
		}
	}
	if s.accepted.Load() != 1 {
		t.Fatal("the connection was not used again")
	}
}

func TestConnectionsThatEndEarly(t *testing.T) {
	f := func(answer string, want *exchange.Refusal) {
		t.Helper()
		s := listen(t, func(p *peer) {
			if _, _, err := p.request(); err == nil {
				p.say(answer)
			}
		})
		wantRefusal(t, target(t, registry(t, nil), s.url), request("GET", "/"), &Call{Retry: true}, want)
		if got := s.accepted.Load(); got != 1 {
			t.Fatalf("got %d connections; want 1: a fresh connection that fails is not tried again", got)
		}
	}
	f("", exchange.ConnectionClosed)
	f("HTTP/1.1 200", exchange.TruncatedAnswer)
	f("HTTP/1.1 103 Early Hints\r\n\r\n", exchange.TruncatedAnswer)
}

func TestContentThatBreaks(t *testing.T) {
	f := func(answer, content string, want error) {
		t.Helper()
		s := listen(t, func(p *peer) {
			if _, _, err := p.request(); err == nil {
				p.say(answer)
			}
		})
		target := target(t, registry(t, nil), s.url)
		x := request("GET", "/")
		if r := target.Send(x, &Call{Retry: true}); r != nil {
			t.Fatalf("got refusal %s; want an answer", r.Cause)
		}
		got, err := contentErr(x)
		var fault *wire.Fault
		if (want == nil && !errors.As(err, &fault)) || (want != nil && !errors.Is(err, want)) {
			t.Fatalf("%q: got error %v; want %v", answer, err, want)
		}
		if got != content || x.Cause == nil {
			t.Fatalf("%q: got %q, cause %v; want %q and a cause", answer, got, x.Cause, content)
		}
		if got := target.Stats(); got.Idle+got.Busy != 0 || target.InFlight() != 0 || s.accepted.Load() != 1 {
			t.Fatalf("%q: got %+v after %d connections; want one, closed", answer, got, s.accepted.Load())
		}
	}
	f("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "short", wire.ErrTruncated)
	f("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n", "short", wire.ErrTruncated)
	f("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nzz\r\n", "short", nil)
	f("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshortXY", "short", nil)
}

func TestTrailersOfAnAnswer(t *testing.T) {
	s := listen(t, answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n"))
	target := target(t, registry(t, nil), s.url)
	x := request("GET", "/")
	if r := target.Send(x, &Call{}); r != nil {
		t.Fatalf("got refusal %s", r.Cause)
	}
	got, err := io.ReadAll(x.Stream)
	if err != nil || string(got) != "ok" || !x.Stream.Done() || string(x.Stream.Trailers()) != "X-Sum: 7\r\n" {
		t.Fatalf("got %q, %v, trailers %q", got, err, x.Stream.Trailers())
	}
	_ = x.Stream.Close()
	if target.Stats().Idle != 1 {
		t.Fatal("the connection was not kept")
	}
}

func TestHopByHopFieldsStayBehind(t *testing.T) {
	s := listen(t, answers("HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\n"+
		"Proxy-Connection: x\r\nUpgrade: h2c\r\nX-End: 1\r\nContent-Length: 5\r\n\r\nhello"))
	x := request("GET", "/")
	wantRound(t, target(t, registry(t, nil), s.url), x, &Call{}, 200, "hello")
	for _, name := range []string{"Connection", "Keep-Alive", "X-Hop", "Proxy-Connection", "Upgrade"} {
		if got := x.Response.Peek(name); len(got) > 0 {
			t.Errorf("got %s: %s; want it removed", name, got)
		}
	}
	if string(x.Response.Peek("X-End")) != "1" || x.Response.ConnectionClose() {
		t.Errorf("got X-End %q, close %v; want the end-to-end field and no close", x.Response.Peek("X-End"), x.Response.ConnectionClose())
	}
}

// warm leaves the target with one unused connection.
func warm(t *testing.T, target *Target) {
	t.Helper()
	wantRound(t, target, request("GET", "/warm"), &Call{}, 200, "hello")
	if got := target.Stats().Idle; got != 1 {
		t.Fatalf("got %d unused connections; want 1", got)
	}
}

func TestLateBytesNeverAnswerTheNextRequest(t *testing.T) {
	poisoned := make(chan struct{})
	s := listen(t, func(p *peer) {
		for i := 0; ; i++ {
			if _, _, err := p.request(); err != nil {
				return
			}
			p.say(hello)
			if p.n == 1 {
				<-poisoned
				p.say("HTTP/1.1 500 POISON\r\nContent-Length: 0\r\n\r\n")
				poisoned <- struct{}{}
			}
		}
	})
	target := target(t, registry(t, nil), s.url)
	warm(t, target)
	poisoned <- struct{}{}
	<-poisoned
	eventually(t, "the poison arrives", func() bool {
		c := target.pool.shards[0].pop()
		defer target.pool.push(c, 0)
		return !c.sock.Pristine()
	})
	x := request("POST", "/")
	wantRound(t, target, withBody(x, "a"), &Call{}, 200, "hello")
	if !x.Dialed || x.Reused || s.accepted.Load() != 2 {
		t.Fatalf("got dialed %v, reused %v; want a new connection", x.Dialed, x.Reused)
	}
}

func TestAClosedConnectionIsNotUsed(t *testing.T) {
	s := listen(t, func(p *peer) {
		if _, _, err := p.request(); err == nil {
			p.say(hello)
		}
	})
	target := target(t, registry(t, nil), s.url)
	for range 3 {
		x := withBody(request("POST", "/"), "once")
		wantRound(t, target, x, &Call{Retry: true}, 200, "hello")
		eventually(t, "the close is seen", func() bool {
			for _, c := range target.pool.shards[0].conns {
				if !c.sock.Gone() {
					return false
				}
			}
			return true
		})
	}
}

// TestStaleConnection covers a connection that the target closes, or resets,
// just when the next request is on its way.
func TestStaleConnection(t *testing.T) {
	f := func(x *exchange.Exchange, retry, reset bool, want *exchange.Refusal) {
		t.Helper()
		s := listen(t, func(p *peer) {
			for i := 0; ; i++ {
				if _, _, err := p.request(); err != nil {
					return
				}
				if p.n == 1 && i == 1 {
					if reset {
						_ = p.Conn.(*net.TCPConn).SetLinger(0)
					}
					return
				}
				p.say(hello)
			}
		})
		target := target(t, registry(t, nil), s.url)
		warm(t, target)
		name := fmt.Sprintf("%s retry=%v reset=%v", x.Request.Method(), retry, reset)
		r := target.Send(x, &Call{Retry: retry})
		if r != want {
			t.Fatalf("%s: got %v (%v); want %v", name, r, x.Cause, want)
		}
		if want != nil {
			if s.accepted.Load() != 1 || x.Retries != 0 {
				t.Fatalf("%s: got %d connections, %d retries; want no second try", name, s.accepted.Load(), x.Retries)
			}
			return
		}
		body := "hello"
		if x.Request.IsHead() {
			body = ""
		}
		if got := content(t, x); got != body || x.Retries != 1 || !x.Dialed || x.Reused {
			t.Fatalf("%s: got %q after %d retries; want one retry", name, got, x.Retries)
		}
	}
	f(request("GET", "/"), true, false, nil)
	f(request("HEAD", "/"), true, false, nil)
	f(withBody(request("PUT", "/"), "again"), true, false, nil)
	f(request("GET", "/"), true, true, nil)
	f(request("GET", "/"), false, false, exchange.ConnectionClosed)
	f(request("POST", "/"), true, false, exchange.ConnectionClosed)
	f(withBody(request("POST", "/"), "once"), true, false, exchange.ConnectionClosed)
	f(withBody(request("PATCH", "/"), "once"), true, true, exchange.UpstreamReset)
	f(withUpload(request("PUT", "/"), 4, strings.NewReader("once")), true, false, exchange.ConnectionClosed)
}

func TestInterimAnswers(t *testing.T) {
	s := listen(t, answers("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"+
		"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b.css>\r\n\r\n"+hello))
	target := target(t, registry(t, nil), s.url)
	x := request("GET", "/")
	wantRound(t, target, x, &Call{}, 200, "hello")
	got := x.Front.(*front).interims
	if len(got) != 2 || !strings.Contains(got[0], "103") || !strings.Contains(got[0], "</a.css>") || !strings.Contains(got[1], "</b.css>") {
		t.Fatalf("got interim answers %q; want the two 103", got)
	}
	if len(x.Response.Peek("Link")) != 0 {
		t.Fatal("fields of an interim answer are in the final one")
	}
	old := request("GET", "/")
	old.Old = true
	wantRound(t, target, old, &Call{}, 200, "hello")
	if got := old.Front.(*front).interims; len(got) != 0 {
		t.Fatalf("got %q for an HTTP/1.0 client; want none", got)
	}
	if s.accepted.Load() != 1 {
		t.Fatal("the connection was not used again")
	}
}

func TestVanishedClientFreesTheUpstream(t *testing.T) {
	arrived, freed := make(chan struct{}, 1), make(chan struct{}, 1)
	s := listen(t, func(p *peer) {
		head := p.head()
		if strings.Contains(head, "/stream") {
			p.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
		}
		arrived <- struct{}{}
		p.drain()
		freed <- struct{}{}
	})
	target := target(t, registry(t, nil), s.url)
	leave := func(x *exchange.Exchange) time.Time {
		<-arrived
		x.Front.(*front).gone.Store(true)
		return time.Now()
	}
	wantSoon := func(since time.Time) {
		t.Helper()
		select {
		case <-freed:
		case <-time.After(patience):
			t.Fatal("the upstream connection was not freed")
		}
		if took := time.Since(since); took > 2*time.Second {
			t.Fatalf("got freed after %s; want within a second", took)
		}
	}
	x := request("GET", "/wait")
	left := make(chan time.Time, 1)
	go func() { left <- leave(x) }()
	wantRefusal(t, target, x, &Call{}, exchange.ClientGone)
	wantSoon(<-left)

	x = request("GET", "/stream")
	if r := target.Send(x, &Call{}); r != nil {
		t.Fatalf("got refusal %s", r.Cause)
	}
	since := leave(x)
	if got, err := contentErr(x); got != "ab" || !errors.Is(err, wire.ErrAbandoned) {
		t.Fatalf("got %q, %v; want ab and the client gone", got, err)
	}
	wantSoon(since)
}

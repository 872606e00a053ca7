package upstream

import (
	"io"
	"strings"
	"testing"

	"weir/proxy/exchange"
)

const hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

func TestGetReusesTheConnection(t *testing.T) {
	s := listen(t, answers(hello))
	target := target(t, registry(t, nil), s.url)
	for i := range 3 {
		x := request("GET", "/a?b=c")
		wantRound(t, target, x, &Call{Upstream: "pets"}, 200, "hello")
		if x.Reused != (i > 0) || x.Dialed != (i == 0) {
			t.Fatalf("round %d: got reused %v, dialed %v", i, x.Reused, x.Dialed)
		}
		if x.Upstream != "pets" || x.Address != s.url || x.UpstreamStatus != 200 || x.FirstByte <= 0 {
			t.Fatalf("got upstream %q, address %q, status %d, first byte %s", x.Upstream, x.Address, x.UpstreamStatus, x.FirstByte)
		}
	}
	if got := s.accepted.Load(); got != 1 {
		t.Fatalf("got %d connections; want 1", got)
	}
	if got := target.Stats(); got != (Stats{Idle: 1, Dialed: 1, Reused: 2}) {
		t.Fatalf("got %+v", got)
	}
}

func TestRequestOnTheWire(t *testing.T) {
	heads := make(chan string, 1)
	bodies := make(chan string, 1)
	s := listen(t, func(p *peer) {
		for {
			head, body, err := p.request()
			if err != nil {
				return
			}
			heads <- head
			bodies <- string(body)
			p.say(hello)
		}
	})
	target := target(t, registry(t, nil), s.url)
	f := func(x *exchange.Exchange, call *Call, head, body string) {
		t.Helper()
		wantRound(t, target, x, call, 200, "hello")
		if got := <-heads; got != strings.ReplaceAll(head, "\n", "\r\n") {
			t.Fatalf("got head\n%s\nwant\n%s", got, head)
		}
		if got := <-bodies; got != body {
			t.Fatalf("got body %q; want %q", got, body)
		}
	}
	f(request("GET", "/a%2Fb?"), &Call{}, "GET /a%2Fb? HTTP/1.1\nHost: example.org\n\n", "")
	f(request("POST", "/"), &Call{}, "POST / HTTP/1.1\nHost: example.org\nContent-Length: 0\n\n", "")
	f(withBody(request("POST", "/"), "abc"), &Call{}, "POST / HTTP/1.1\nHost: example.org\nContent-Length: 3\n\n", "abc")

	x := withBody(request("PUT", "/"), "abc")
	x.Request.SetProtocol("HTTP/1.0")
	x.Request.Set("Connection", "keep-alive")
	x.Request.Set("Expect", "100-continue")
	x.Request.Set("Transfer-Encoding", "chunked")
	x.Request.Set("Upgrade", "h2c")
	x.Request.Set("Http2-Settings", "x")
	x.Request.Set("X-Last", "kept")
	f(x, &Call{}, "PUT / HTTP/1.1\nHost: example.org\nX-Last: kept\nContent-Length: 3\n\n", "abc")

	x = withUpload(request("PUT", "/"), exchange.Chunked, strings.NewReader("streamed"))
	x.Request.SetContentType("text/plain")
	f(x, &Call{}, "PUT / HTTP/1.1\nHost: example.org\nContent-Type: text/plain\nTransfer-Encoding: chunked\n\n", "streamed")

	f(withUpload(request("PUT", "/"), 8, strings.NewReader("streamed")), &Call{},
		"PUT / HTTP/1.1\nHost: example.org\nContent-Length: 8\n\n", "streamed")
	big := strings.Repeat("0123456789", 50_000)
	f(withBody(request("PUT", "/"), big), &Call{}, "PUT / HTTP/1.1\nHost: example.org\nContent-Length: 500000\n\n", big)
	f(withUpload(request("PUT", "/"), exchange.Chunked, strings.NewReader(big)), &Call{},
		"PUT / HTTP/1.1\nHost: example.org\nTransfer-Encoding: chunked\n\n", big)
	if got := s.accepted.Load(); got != 1 {
		t.Fatalf("got %d connections; want 1", got)
	}
}

func TestAnswerFraming(t *testing.T) {
	f := func(method, answer string, status int, length int64, body string, reused bool) {
		t.Helper()
		s := listen(t, func(p *peer) {
			for {
				if _, _, err := p.request(); err != nil {
					return
				}
				p.say(answer)
				if strings.Contains(answer, "lose") {
					return
				}
			}
		})
		target := target(t, registry(t, nil), s.url)
		x := request(method, "/")
		if r := target.Send(x, &Call{}); r != nil {
			t.Fatalf("%q: got refusal %s (%v)", answer, r.Cause, x.Cause)
		}
		if x.Response.StatusCode() != status || x.Length != length {
			t.Fatalf("%q: got status %d, length %d; want %d, %d", answer, x.Response.StatusCode(), x.Length, status, length)
		}
		if got := content(t, x); got != body {
			t.Fatalf("%q: got content %q; want %q", answer, got, body)
		}
		if got := target.Stats().Idle == 1; got != reused {
			t.Fatalf("%q: got kept %v; want %v", answer, got, reused)
		}
	}
	f("GET", hello, 200, 5, "hello", true)
	f("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", 200, -1, "abcde", true)
	f("GET", "HTTP/1.1 200 OK\r\nX-How: closes\r\n\r\nuntil the end", 200, -1, "until the end", false)
	f("GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, 0, "", true)
	f("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", 304, 0, "", true)
	f("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", 200, 100, "", true)
	f("HEAD", "HTTP/1.1 200 OK\r\n\r\n", 200, -1, "", true)
	f("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, -1, "", true)
	f("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, 0, "", true)
	f("GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 200, 2, "ok", false)
	f("GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, 2, "ok", false)
	f("GET", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok", 200, 2, "ok", true)
	f("GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok, and more in the same packet", 200, 2, "ok", false)
}

func TestUpgradeTakesTheConnection(t *testing.T) {
	heads := make(chan string, 1)
	s := listen(t, func(p *peer) {
		heads <- p.head()
		p.say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\nearly")
		_, _ = io.Copy(p.Conn, p.br)
	})
	target := target(t, registry(t, nil), s.url)
	x := request("GET", "/ws")
	if r := target.Send(x, &Call{Upgrade: []byte("websocket")}); r != nil {
		t.Fatalf("got refusal %s (%v)", r.Cause, x.Cause)
	}
	if got, want := <-heads, "GET /ws HTTP/1.1\r\nHost: example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"; got != want {
		t.Fatalf("got %q; want %q", got, want)
	}
	tunnel := x.Tunnel.(*Tunnel)
	if got := string(tunnel.Buffered()); got != "early" || x.Response.StatusCode() != 101 {
		t.Fatalf("got %d and %q; want 101 and early", x.Response.StatusCode(), got)
	}
	if _, err := tunnel.Write([]byte(" late")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("early late"))
	if _, err := io.ReadFull(tunnel, got); err != nil || string(got) != "early late" {
		t.Fatalf("got %q, %v; want the echo behind the early bytes", got, err)
	}
	if got := target.Stats(); got.Idle != 0 || got.Busy != 1 || target.InFlight() != 1 {
		t.Fatalf("got %+v; want the connection busy", got)
	}
	_ = tunnel.Close()
	_ = tunnel.Close()
	if got := target.Stats(); got.Busy != 0 || target.InFlight() != 0 {
		t.Fatalf("got %+v, %d in flight; want none", got, target.InFlight())
	}
}

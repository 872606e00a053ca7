package h2

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"weir/proxy/exchange"
	"weir/proxy/frame"
	"weir/proxy/front"
	"weir/proxy/hpack"
	"weir/proxy/wire"
)

// seen answers with what an HTTP/1.1 upstream would be sent.
func seen(x *exchange.Exchange) {
	x.Response.SetStatusCode(200)
	x.Bytes = x.Request.AppendBytes(nil)
	_ = x.Front.Send(x)
}

// TestMalformed holds what must come of requests that are not as they should
// be: a reset where HTTP/2 has a rule of its own, else the answer that the same
// request gets over HTTP/1.1. Each line is sent as it stands.
func TestMalformed(t *testing.T) {
	s := serve(t, handle(seen), nil)
	const reset, ok = "reset", "200"
	c := s.open(t)
	id := uint32(1)
	f := func(want string, lines ...string) {
		t.Helper()
		c.headers(id, true, lines...)
		r := c.await(id)
		got := r.status
		if r.wasReset && r.reset == 1 {
			got = reset
		}
		if got != want {
			t.Errorf("%q: got %s; want %s", lines, r, want)
		}
		id += 2
	}
	f(ok, get("/")...)
	f(ok, get("/?a=b&c", "x: ", "y: \x80\xff", "te: trailers", "content-length: 0")...)
	f(ok, ":method: OPTIONS", ":scheme: https", ":path: *", ":authority: a.example")
	f(ok, ":method: GET", ":scheme: http", ":path: /", "host: a.example")
	f(ok, get("/", "host: A.EXAMPLE")...)
	f(ok, ":method: BREW", ":scheme: http", ":path: /", ":authority: a.example:8080")
	f(ok, ":method: GET", ":scheme: http", ":path: //a/../b", ":authority: [::1]:80")

	// RFC 9113 §8.2.1: names and values.
	for _, name := range []string{"X-Capital", "a b", "a:", "a\r\nb", "a\x00b", "a\nb", "\x7f", "a\xff", "a(", "", ":unknown", ":status", ": ", "a\tb"} {
		f(reset, get("/", name+": v")...)
	}
	for _, value := range []string{"a\r\nb: c", "a\nb", "a\rb", "a\x00b", " a", "a ", "\ta", "a\t", "\r", "\x01", "\x7f", "a\r\n\r\nGET /x HTTP/1.1\r\nhost: b"} {
		f(reset, get("/", "x: "+value)...)
		f(reset, get("/", "cookie: "+value)...)
		if isBlank(value[0]) {
			continue // inside a value that is allowed; see below
		}
		f(reset, get("/"+value)...)
		f(reset, ":method: G"+value, ":scheme: http", ":path: /", ":authority: a.example")
		f(reset, ":method: GET", ":scheme: http", ":path: /", ":authority: a"+value)
	}

	// RFC 9113 §8.2.2: fields of a connection.
	for _, line := range []string{"connection: close", "connection: x", "keep-alive: 5", "proxy-connection: x", "transfer-encoding: chunked",
		"transfer-encoding: ", "upgrade: h2c", "te: gzip", "te: trailers, gzip", "te: "} {
		f(reset, get("/", line)...)
	}

	// RFC 9113 §8.3.1: pseudo-header fields.
	f(reset, ":scheme: http", ":path: /", ":authority: a.example")
	f(reset, ":method: GET", ":path: /", ":authority: a.example")
	f(reset, ":method: GET", ":scheme: http", ":authority: a.example")
	f(reset, get("/", ":method: GET")...)
	f(reset, append(get("/"), ":path: /b")...)
	f(reset, ":method: GET", ":method: GET", ":scheme: http", ":path: /", ":authority: a.example")
	f(reset, ":method: GET", ":scheme: http", ":scheme: http", ":path: /", ":authority: a.example")
	f(reset, ":method: GET", ":scheme: http", ":path: /", ":path: /", ":authority: a.example")
	f(reset, ":method: GET", ":scheme: http", ":path: /", ":authority: a.example", ":authority: a.example")
	f(reset, ":method: GET", "x: y", ":scheme: http", ":path: /", ":authority: a.example")
	f(reset, ":method: GET", ":scheme: http", ":path: ", ":authority: a.example")
	f(reset, ":method: GET", ":scheme: http", ":path: a", ":authority: a.example")
	f(reset, ":method: GET", ":scheme: http", ":path: *", ":authority: a.example")
	f(reset, ":method: GET", ":scheme: http", ":path: http://b.example/", ":authority: a.example")
	f(reset, get("/", "host: b.example")...)
	f(reset, get("/", "host: a.example", "host: a.example")...)
	f(reset, ":method: GET", ":scheme: http", ":path: /", "host: a.example", "host: b.example")
	f(reset, ":method: CONNECT", ":scheme: http", ":path: /", ":authority: a.example")
	f(reset, ":method: CONNECT", ":path: /", ":authority: a.example:80")
	f(reset, ":method: CONNECT")
	f(reset, ":method: GET", ":protocol: websocket", ":scheme: http", ":path: /", ":authority: a.example")
	f(reset, ":method: CONNECT", ":protocol: websocket", ":scheme: http", ":path: /")
	f(reset, ":method: CONNECT", ":protocol: websocket", ":scheme: http", ":path: *", ":authority: a.example")
	f(reset, connect("content-length: 3")...)

	// RFC 9113 §8.1.1: content that is not there.
	f(reset, get("/", "content-length: 1")...)

	// What HTTP/1.1 refuses too.
	f("400", ":method: GET", ":scheme: http", ":path: /")
	f("400", ":method: GET", ":scheme: http", ":path: /", ":authority: ")
	f("400", ":method: GET", ":scheme: http", ":path: /", ":authority: u@a.example")
	f("400", ":method: GET", ":scheme: http", ":path: /", ":authority: a.example:port")
	f("400", ":method: GET", ":scheme: http", ":path: /", ":authority: a/b")
	f("400", ":method: GET", ":scheme: http", ":path: /", ":authority: a, b")
	f("400", ":method: GET", ":scheme: ftp", ":path: /", ":authority: a.example")
	f("400", ":method: G T", ":scheme: http", ":path: /", ":authority: a.example")
	f("400", ":method: GET / HTTP/1.1", ":scheme: http", ":path: /", ":authority: a.example")
	f("400", ":method: ", ":scheme: http", ":path: /", ":authority: a.example")
	f("400", get("/a b")...)
	f("400", get("/ HTTP/1.1")...)
	f("400", get("/#fragment")...)
	f("400", get("/\x80")...)
	f("400", get("/", "content-length: +1")...)
	f("400", get("/", "content-length: 1, 1")...)
	f("400", get("/", "content-length: 0", "content-length: 0")...)
	f("417", get("/", "expect: x")...)
	f("414", get("/"+strings.Repeat("a", 9<<10))...)
	f("431", get("/", "x: "+strings.Repeat("a", 17<<10))...)
	many := get("/")
	for i := range 101 {
		many = append(many, fmt.Sprintf("x%d: y", i))
	}
	f("431", many...)
	f("200", get("/")...)
}

// TestCookiesAreJoined has the parts of a cookie come as one field (RFC 9113 §8.2.3).
func TestCookiesAreJoined(t *testing.T) {
	s := serve(t, handle(seen), nil)
	c := s.open(t)
	c.headers(1, true, get("/", "cookie: a=b", "x-y-z: 1", "cookie: c=d", "cookie: e")...)
	want := "GET / HTTP/1.1\r\nHost: a.example\r\nX-Y-Z: 1\r\nCookie: a=b; c=d; e\r\n\r\n"
	if r := c.await(1); strings.Replace(r.body, "x-y-z", "X-Y-Z", 1) != want {
		t.Fatalf("got %q; want %q", r.body, want)
	}
}

// TestContentLengthIsKept holds DATA against Content-Length (RFC 9113 §8.1.1).
func TestContentLengthIsKept(t *testing.T) {
	s := serve(t, handle(echo), nil)
	c := s.open(t)
	id := uint32(1)
	f := func(length string, want string, parts ...string) {
		t.Helper()
		c.headers(id, false, post("/", "content-length: "+length)...)
		for i, part := range parts {
			c.do(c.fr.WriteData(id, i == len(parts)-1, []byte(part)))
		}
		r := c.await(id)
		if got := r.String(); got != want && !(r.wasReset && strings.HasSuffix(got, want)) {
			t.Errorf("%s with %q: got %s; want %s", length, parts, got, want)
		}
		id += 2
	}
	f("3", "200 abc", "abc")
	f("3", "200 abc", "a", "b", "", "c")
	f("3", "200 abc", "abc", "")
	f("2", "reset PROTOCOL_ERROR", "abc")
	f("4", "reset PROTOCOL_ERROR", "abc")
	f("4", "reset PROTOCOL_ERROR", "abc", "")
	f("4", "reset PROTOCOL_ERROR", "abc", "de")
}

// FuzzDowngrade makes fields of any bytes. What is let through must be one
// request for everybody: for the strict pass of HTTP/1.1 over the same fields,
// and for another implementation that reads what an upstream is sent.
func FuzzDowngrade(f *testing.F) {
	seed := func(lines ...string) {
		f.Add(strings.Join(lines, "\x1e"), true)
	}
	seed(get("/")...)
	seed(get("/a?b", "cookie: a", "cookie: b", "x: y", "content-length: 0")...)
	seed(post("/", "content-length: 7", "expect: 100-continue", "te: trailers")...)
	seed(get("/", "host: a.example", "transfer-encoding: chunked", "x: a\r\nb: c")...)
	seed(connect("sec-websocket-version: 13")...)
	seed(":method: CONNECT", ":authority: a.example:443")
	seed(":method: GET /x HTTP/1.1\r\n", ":scheme: http", ":path: /", ":authority: a")
	server := NewServer(fuzzed())
	f.Fuzz(func(t *testing.T, text string, ended bool) {
		c := &conn{server: server}
		c.dec = hpack.NewDecoder(0)
		c.dec.Judge = judge
		w := server.works.New().(*work)
		w.br = server.readers.Get(&w.src)
		enc := hpack.NewEncoder(0)
		block := enc.Begin(nil)
		var lines [][2]string
		for line := range strings.SplitSeq(text, "\x1e") {
			if len(line) < 2 {
				continue
			}
			at := strings.IndexByte(line[1:], ':') + 1
			if at == 0 {
				continue
			}
			name, value := line[:at], strings.TrimPrefix(line[at+1:], " ")
			lines = append(lines, [2]string{strings.ToLower(name), value})
			block = enc.AppendField(block, []byte(name), []byte(value))
		}
		w.fields.Reset(server.cfg.MaxHead)
		if err := c.dec.Decode(block, &w.fields); err != nil {
			t.Fatal(err)
		}
		s := newStream()
		s.c = c
		code := c.request(s, w, ended)
		if code != frame.NoError || s.x.Malformed != nil {
			return
		}
		plain := plainHead(lines)
		var head wire.Head
		if done, fault := head.ScanRequest(plain, &server.limits); !done || fault != nil || head.Len != len(plain) {
			t.Fatalf("HTTP/1.1 refuses what HTTP/2 let through: %v\n%q", fault, plain)
		}
		sent := s.x.Request.AppendBytes(nil)
		br := bufio.NewReader(bytes.NewReader(sent))
		req, err := http.ReadRequest(br)
		if err != nil && !s.x.Request.IsConnect() {
			// net/url is stricter than HTTP about percent encoding.
			if strings.Contains(err.Error(), "invalid URL escape") || strings.Contains(err.Error(), "invalid URI") ||
				strings.Contains(err.Error(), "net/url") || strings.Contains(err.Error(), "invalid port") {
				return
			}
			t.Fatalf("an upstream cannot read %q: %v", sent, err)
		}
		if err != nil {
			return
		}
		if br.Buffered() > 0 && req.ContentLength == 0 {
			t.Fatalf("more than one request: %q", sent)
		}
		if req.Method != string(s.x.Request.Method()) || req.RequestURI != string(s.x.Target) {
			t.Fatalf("got %s %s; the upstream sees %s %s", s.x.Request.Method(), s.x.Target, req.Method, req.RequestURI)
		}
		if !strings.EqualFold(req.Host, string(s.x.Authority)) && !s.x.Request.IsConnect() {
			t.Fatalf("got host %q; the upstream sees %q", s.x.Authority, req.Host)
		}
	})
}

func fuzzed() (cfg front.Config, own Config, shard int, h front.Handler) {
	cfg, own = settings()
	return cfg, own, 0, handle(echo)
}

// plainHead writes fields down as a careless gateway would.
func plainHead(lines [][2]string) []byte {
	var method, path, authority, host string
	var rest, cookies []string
	extended := false
	for _, l := range lines {
		switch l[0] {
		case ":method":
			method = l[1]
		case ":path":
			path = l[1]
		case ":authority":
			authority = l[1]
		case ":scheme":
		case ":protocol":
			extended = true
		case "host":
			host = l[1]
		case "cookie":
			cookies = append(cookies, l[1])
		default:
			rest = append(rest, l[0]+": "+l[1])
		}
	}
	switch {
	case extended:
		method = "GET"
	case method == "CONNECT":
		path = authority
	}
	if authority == "" {
		authority = host
	}
	if len(cookies) > 0 {
		rest = append(rest, "cookie: "+strings.Join(cookies, "; "))
	}
	out := method + " " + path + " HTTP/1.1\r\nhost: " + authority + "\r\n"
	for _, line := range rest {
		out += line + "\r\n"
	}
	return []byte(out + "\r\n")
}

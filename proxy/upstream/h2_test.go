package upstream

import (
	"bytes"
	stdtls "crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"weir/proxy/exchange"
	"weir/proxy/frame"
	weirtls "weir/tls"
)

// serveH2C starts Go's own server for HTTP/2 without TLS.
func serveH2C(t testing.TB, handler http.HandlerFunc) (url string, server *httptest.Server) {
	t.Helper()
	server = httptest.NewUnstartedServer(handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return "h2c://" + strings.TrimPrefix(server.URL, "http://"), server
}

// serveH2 starts it behind TLS and returns what verifies it.
func serveH2(t *testing.T, handler http.HandlerFunc) (url string, options weirtls.Options) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, weirtls.Options{InsecureSkipVerify: true}
}

func TestH2OnTheWire(t *testing.T) {
	requests := make(chan *http.Request, 1)
	url, _ := serveH2C(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		requests <- r
		w.Header().Set("X-Answer", "yes")
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		_, _ = io.WriteString(w, "hello")
	})
	target := target(t, registry(t, nil), url)
	for i := range 3 {
		x := request("GET", "/a%2Fb?c=d")
		x.Request.Set("Cookie", "x=1; y=2")
		x.Request.Set("Connection", "keep-alive")
		x.Request.Set("Te", "trailers")
		x.Request.Set("X-Mixed-Case", "v")
		wantRound(t, target, x, &Call{Upstream: "pets"}, 200, "hello")
		if x.Reused != (i > 0) || x.Dialed != (i == 0) || x.Upstream != "pets" || x.Address != url || x.UpstreamStatus != 200 || x.Length != 5 {
			t.Fatalf("round %d: got reused %v, dialed %v, %q at %q, length %d", i, x.Reused, x.Dialed, x.Upstream, x.Address, x.Length)
		}
		r := <-requests
		if r.Method != "GET" || r.RequestURI != "/a%2Fb?c=d" || r.Host != "example.org" || r.ProtoMajor != 2 {
			t.Fatalf("got %s %s %s %s", r.Method, r.RequestURI, r.Host, r.Proto)
		}
		if r.Header.Get("Cookie") != "x=1; y=2" || r.Header.Get("Connection") != "" || r.Header.Get("Te") != "trailers" || r.Header.Get("X-Mixed-Case") != "v" {
			t.Fatalf("got %v", r.Header)
		}
		if got := string(x.Response.Peek("X-Answer")); got != "yes" {
			t.Fatalf("got X-Answer %q", got)
		}
		if x.Response.Peek("Date") == nil {
			t.Fatal("got no Date")
		}
	}
	if got := target.Stats(); got != (Stats{Idle: 1, Dialed: 1, Reused: 2}) || target.InFlight() != 0 {
		t.Fatalf("got %+v, %d in flight", got, target.InFlight())
	}
	f := func(x *exchange.Exchange, length int64, want string) {
		t.Helper()
		wantRound(t, target, x, &Call{}, 200, "hello")
		r := <-requests
		if body, _ := io.ReadAll(r.Body); string(body) != want || r.ContentLength != length {
			t.Fatalf("got %d bytes, length %d; want %d, %d", len(body), r.ContentLength, len(want), length)
		}
	}
	big := strings.Repeat("0123456789", 50_000)
	f(request("POST", "/"), 0, "")
	f(withBody(request("POST", "/"), "abc"), 3, "abc")
	f(withUpload(request("PUT", "/"), exchange.Chunked, strings.NewReader("streamed")), -1, "streamed")
	f(withUpload(request("PUT", "/"), 8, strings.NewReader("streamed")), 8, "streamed")
	f(withBody(request("PUT", "/"), big), 500_000, big)
	f(withUpload(request("PUT", "/"), exchange.Chunked, strings.NewReader(big)), -1, big)
	f(withUpload(request("PUT", "/"), 500_000, strings.NewReader(big)), 500_000, big)
}

func TestH2Answers(t *testing.T) {
	big := strings.Repeat("0123456789", 500_000)
	url, _ := serveH2C(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/big":
			_, _ = io.WriteString(w, big)
		case "/none":
			w.WriteHeader(204)
		case "/interim":
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(103)
			w.WriteHeader(103)
			w.Header().Del("Link")
			_, _ = io.WriteString(w, "late")
		case "/trailers":
			w.Header().Set("Trailer", "X-Sum")
			_, _ = io.WriteString(w, "content")
			w.(http.Flusher).Flush()
			w.Header().Set("X-Sum", "7")
		case "/bare":
			w.Header().Set("Trailer", "X-Sum")
			w.(http.Flusher).Flush()
			w.Header().Set("X-Sum", "0")
		case "/length":
			w.Header().Set("Content-Length", "9")
		}
	})
	target := target(t, registry(t, nil), url)
	f := func(method, path string, status int, length int64, body, trailers string) *exchange.Exchange {
		t.Helper()
		x := request(method, path)
		if r := target.Send(x, &Call{}); r != nil {
			t.Fatalf("%s: got refusal %s (%v)", path, r.Cause, x.Cause)
		}
		if x.Response.StatusCode() != status || x.Length != length {
			t.Fatalf("%s: got status %d, length %d; want %d, %d", path, x.Response.StatusCode(), x.Length, status, length)
		}
		stream := x.Stream
		if stream == nil {
			if body != "" {
				t.Fatalf("%s: got no content", path)
			}
			return x
		}
		got, err := io.ReadAll(stream)
		if err != nil || string(got) != body || !stream.Done() {
			t.Fatalf("%s: got %d bytes, %v; want %d", path, len(got), err, len(body))
		}
		if string(stream.Trailers()) != trailers {
			t.Fatalf("%s: got trailers %q; want %q", path, stream.Trailers(), trailers)
		}
		_ = stream.Close()
		return x
	}
	f("GET", "/big", 200, -1, big, "")
	f("GET", "/none", 204, 0, "", "")
	f("GET", "/", 200, 0, "", "")
	f("HEAD", "/length", 200, 9, "", "")
	f("GET", "/trailers", 200, -1, "content", "x-sum: 7\r\n")
	f("GET", "/bare", 200, -1, "", "x-sum: 0\r\n")
	x := f("GET", "/interim", 200, 4, "late", "")
	if got := x.Front.(*front).interims; len(got) != 2 || !strings.HasPrefix(got[0], "HTTP/1.1 103") {
		t.Fatalf("got interim answers %q; want two", got)
	}
	if got := target.Stats(); got.Idle != 1 || got.Dialed != 1 || target.InFlight() != 0 {
		t.Fatalf("got %+v, %d in flight", got, target.InFlight())
	}
}

func TestH2OverTLS(t *testing.T) {
	url, options := serveH2(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })
	r := registry(t, nil)
	f := func(protocol, contentType, want string) {
		t.Helper()
		target, err := r.Acquire(Address{URL: url, TLS: options, Protocol: protocol})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			x := request("POST", "/")
			x.Request.SetContentType(contentType)
			wantRound(t, target, x, &Call{}, 200, want)
		}
	}
	f("h2", "text/plain", "HTTP/2.0")
	f("auto", "text/plain", "HTTP/1.1")
	f("auto", "application/grpc+proto", "HTTP/2.0")
	f("http1", "application/grpc", "HTTP/1.1")
}

func serverConfig(cert stdtls.Certificate, protocols []string) *stdtls.Config {
	return &stdtls.Config{Certificates: []stdtls.Certificate{cert}, NextProtos: protocols}
}

func optionsOf(ca string) weirtls.Options { return weirtls.Options{CA: ca} }

// TestH2TargetThatWantsHTTP1 chooses HTTP/2 and then refuses the request there.
func TestH2TargetThatWantsHTTP1(t *testing.T) {
	cert, ca := certificate(t)
	s := listenTLS(t, serverConfig(cert, []string{"h2", "http/1.1"}), func(p *peer) {
		c := p.Conn.(*stdtls.Conn)
		if c.Handshake() != nil {
			return
		}
		if c.ConnectionState().NegotiatedProtocol != "h2" {
			answers(hello)(p)
			return
		}
		r := newRaw(t, p)
		r.settings()
		if g, ok := r.await(frame.Headers); ok {
			r.send(frame.AppendRSTStream(nil, g.Stream, frame.HTTP11Required))
			r.drainFrames()
		}
	})
	r := registry(t, nil)
	f := func(protocol string, want *exchange.Refusal) {
		t.Helper()
		target, err := r.Acquire(Address{URL: s.url, Protocol: protocol, TLS: optionsOf(ca)})
		if err != nil {
			t.Fatal(err)
		}
		x := withBody(request("POST", "/"), "abc")
		x.Request.SetContentType("application/grpc")
		if want != nil {
			wantRefusal(t, target, x, &Call{}, want)
			return
		}
		wantRound(t, target, x, &Call{}, 200, "hello")
	}
	f("auto", nil)
	f("h2", exchange.ProtocolMismatch)
}

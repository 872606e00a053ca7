package upstream

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"weir/proxy/exchange"
)

// call returns an exchange of gRPC whose body comes from r.
func call(r io.Reader, trailers string) *exchange.Exchange {
	x := withUpload(request("POST", "/"), exchange.Chunked, r)
	x.RequestBody.(*upload).trailers = trailers
	x.Request.SetContentType("application/grpc")
	return x
}

// TestH2BodiesSurviveAChangeOfTheWay holds that what was gathered of a body is
// not lost where the request then goes another way.
func TestH2BodiesSurviveAChangeOfTheWay(t *testing.T) {
	cert, ca := certificate(t)
	bodies := make(chan string, 1)
	s := listenTLS(t, serverConfig(cert, []string{"http/1.1"}), func(p *peer) {
		for {
			_, body, err := p.request()
			if err != nil {
				return
			}
			bodies <- string(body)
			p.say(hello)
		}
	})
	reg := registry(t, nil)
	large := strings.Repeat("x", 3*aheadMost)
	for _, body := range []string{"small", large} {
		target, err := reg.Acquire(Address{URL: s.url, TLS: optionsOf(ca)})
		if err != nil {
			t.Fatal(err)
		}
		target.http1At.Store(0) // every time the first
		wantRound(t, target, call(strings.NewReader(body), ""), &Call{}, 200, "hello")
		if got := <-bodies; got != body {
			t.Fatalf("got %d bytes over HTTP/1.1; want %d", len(got), len(body))
		}
	}

	dead := listen(t, func(p *peer) {})
	url, _ := serveH2C(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- string(body) + r.Trailer.Get("X-Sum")
		_, _ = io.WriteString(w, "hello")
	})
	for _, body := range []string{"small", large} {
		x, how := call(strings.NewReader(body), "X-Sum: 7\r\n"), &Call{Connect: short}
		x.Request.SetTrailer("X-Sum")
		if r := targetOf(t, reg, "h2c"+strings.TrimPrefix(dead.url, "http")).Send(x, how); r == nil || !how.Unsent {
			t.Fatalf("got %v, unsent %v; want an unsent request", r, how.Unsent)
		}
		wantRound(t, targetOf(t, reg, url), x, &Call{}, 200, "hello")
		if got := <-bodies; got != body+"7" {
			t.Fatalf("got %d bytes at the second target; want %d and the trailer", len(got), len(body))
		}
	}
}

func TestH2BodiesThatCannotBeRead(t *testing.T) {
	url, _ := serveH2C(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	target := target(t, registry(t, nil), url)
	how := &Call{}
	wantRefusal(t, target, call(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(exchange.ErrBodyTooLarge)), ""), how, exchange.BodyTooLarge)
	if got := target.Stats(); how.Unsent || got.Streams != 0 || target.InFlight() != 0 {
		t.Fatalf("got unsent %v, %+v, %d in flight", how.Unsent, got, target.InFlight())
	}
}

package h3_test

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/proxy"
	"weir/proxy/config"
	"weir/proxy/exchange"
	"weir/proxy/h3"
)

type document string

func (d document) Document() (*config.Document, error) {
	return config.Parse("weir.yaml", []byte(d))
}

func (document) Files() []string { return nil }

// gateway returns the whole way in front of an upstream.
func gateway(t *testing.T, target, more string) func(x *exchange.Exchange) {
	t.Helper()
	var o proxy.Options
	o.RegisterFlags(flag.NewFlagSet("", flag.ContinueOnError))
	o.ListenAddress, o.ControlAddress, o.Log.Output, o.Watch, o.Shards = "127.0.0.1:0", "off", "off", false, 2
	o.DrainTimeout, o.TunnelGrace = time.Second, 0
	doc := document("apis: {all: {routes: [{path: $default, upstream: up" + more + "}]}}\nupstreams: {up: {targets: [" + target + "]}}\n")
	g, err := proxy.New(o, doc, "test", zerolog.New(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- g.Run(ctx, func() { close(ready) }) }()
	<-ready
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return func(x *exchange.Exchange) {
		x.TLS = nil // what the gateway knows of its own handshakes only
		g.Serve(x)
	}
}

func upstream(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return server.URL
}

func TestProxied(t *testing.T) {
	target := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/early" {
			w.Header().Set("Link", "</a.css>")
			w.WriteHeader(http.StatusEarlyHints)
		}
		w.Header().Set("Trailer", "Sum")
		fmt.Fprintf(w, "%s %s %s %d %v %q %s", r.Method, r.RequestURI, r.Proto, r.ContentLength, r.TransferEncoding, body, r.Trailer.Get("A"))
		w.Header().Set("Sum", "1")
	})
	s := h3.Start(t, h3.DefaultTest(), gateway(t, target, ""))
	f := func(method, path string, body io.Reader, want string) {
		t.Helper()
		req := h3.Ask(t, method, s.URL(path), body)
		if method == "PUT" {
			req.Trailer = http.Header{"A": {"b"}}
		}
		resp, got := h3.Do(t, h3.Client(t), req)
		if resp.StatusCode != 200 || got != want || resp.Trailer.Get("Sum") != "1" {
			t.Fatalf("%s %s: got %d %q, trailers %v; want %q", method, path, resp.StatusCode, got, resp.Trailer, want)
		}
	}
	f("GET", "/a?b", nil, "GET /a?b HTTP/1.1 0 [] \"\" ")
	f("POST", "/a", strings.NewReader("hello"), "POST /a HTTP/1.1 5 [] \"hello\" ")
	f("POST", "/a", io.MultiReader(strings.NewReader("hello")), "POST /a HTTP/1.1 -1 [chunked] \"hello\" ")
	f("PUT", "/a", io.MultiReader(strings.NewReader("hello")), "PUT /a HTTP/1.1 -1 [chunked] \"hello\" b")

	var early string
	req := h3.Ask(t, "GET", s.URL("/early"), nil)
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			early = fmt.Sprintf("%d %s", code, h.Get("Link"))
			return nil
		},
	}))
	if h3.Do(t, h3.Client(t), req); early != "103 </a.css>" {
		t.Fatalf("got the interim answer %q; want 103", early)
	}
}

// TestLargeBodies moves 10 MiB each way in bounded memory.
func TestLargeBodies(t *testing.T) {
	const size = 10 << 20
	target := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			n, err := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n, err)
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(size))
		_, _ = io.CopyN(w, nothing{}, size)
	})
	s := h3.Start(t, h3.DefaultTest(), gateway(t, target, ", maxBody: -1"))
	tr := h3.Client(t)
	before := heap()
	most := int64(0)
	watch := &watched{Reader: io.LimitReader(nothing{}, size), see: func() { most = max(most, heap()-before) }}
	if _, got := h3.Do(t, tr, h3.Ask(t, "POST", s.URL("/"), watch)); got != fmt.Sprint(size, " <nil>") && got != fmt.Sprint(size, "<nil>") {
		t.Fatalf("got %q; want %d", got, size)
	}
	resp, err := tr.RoundTrip(h3.Ask(t, "GET", s.URL("/"), nil))
	if err != nil {
		t.Fatal(err)
	}
	watch.Reader = resp.Body
	n, err := io.Copy(io.Discard, watch)
	_ = resp.Body.Close()
	if n != size || err != nil {
		t.Fatalf("got %d bytes, %v; want %d", n, err, size)
	}
	if most > 6<<20 { // of the client, the gateway and the upstream together
		t.Fatalf("got %d KiB of memory; want less than the body", most>>10)
	}
}

// nothing is content without end.
type nothing struct{}

func (nothing) Read(p []byte) (int, error) { return len(p), nil }

// watched looks at the memory now and then while it is read.
type watched struct {
	io.Reader
	see  func()
	read int
	next int
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if w.read += n; w.read >= w.next {
		w.next = w.read + 1<<20
		w.see()
	}
	return n, err
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestCancelReachesUpstream holds that the upstream's connection ends when the
// client gives its request up.
func TestCancelReachesUpstream(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan struct{})
	target := upstream(t, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		close(ended)
	})
	s := h3.Start(t, h3.DefaultTest(), gateway(t, target, ""))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	if _, err := h3.Client(t).RoundTrip(h3.Ask(t, "GET", s.URL("/"), nil).WithContext(ctx)); err == nil {
		t.Fatal("got an answer; want none")
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the upstream's connection goes on")
	}
}

func TestEarly413(t *testing.T) {
	target := upstream(t, func(http.ResponseWriter, *http.Request) { t.Error("the upstream was asked") })
	s := h3.Start(t, h3.DefaultTest(), gateway(t, target, ", maxBody: 1KiB"))
	req := h3.Ask(t, "POST", s.URL("/"), strings.NewReader(strings.Repeat("x", 1<<20)))
	resp, content := h3.Do(t, h3.Client(t), req)
	if resp.StatusCode != 413 || !strings.Contains(content, "body_too_large") {
		t.Fatalf("got %d %q; want 413", resp.StatusCode, content)
	}
}

// webSocket is an upstream that opens a WebSocket and sends back what it gets.
func webSocket(t *testing.T, answer func(key string) string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				br := bufio.NewReader(c)
				req, err := http.ReadRequest(br)
				if err != nil {
					return
				}
				_, _ = io.WriteString(c, answer(req.Header.Get("Sec-WebSocket-Key")))
				_, _ = io.Copy(c, br)
			}()
		}
	}()
	return "http://" + ln.Addr().String()
}

func accepted(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\nSec-WebSocket-Protocol: p\r\n\r\nearly"
}

func opening() []byte {
	return h3.Section([2]string{":method", "CONNECT"}, [2]string{":protocol", "websocket"}, [2]string{":scheme", "https"},
		[2]string{":authority", "h"}, [2]string{":path", "/chat"}, [2]string{"sec-websocket-version", "13"}, [2]string{"sec-websocket-protocol", "p"})
}

func TestWebSocket(t *testing.T) {
	s := h3.Start(t, h3.DefaultTest(), gateway(t, webSocket(t, accepted), ""))
	c := h3.Dial(t, s)
	c.Uni(h3.Settings())
	stream := c.Open(opening())
	in := h3.ReadFrames(stream)
	fields, _, err := in.Next()
	if err != nil || !strings.HasPrefix(fields, ":status: 200\n") || !strings.Contains(fields, "sec-websocket-protocol: p\n") ||
		strings.Contains(fields, "upgrade") || strings.Contains(fields, "accept") || strings.Contains(fields, "content-length") {
		t.Fatalf("got %q, %v; want 200", fields, err)
	}
	if s.Tunnels() != 1 {
		t.Fatalf("got %d tunnels; want 1", s.Tunnels())
	}
	got := ""
	f := func(want string) {
		t.Helper()
		for len(got) < len(want) {
			_, content, err := in.Next()
			if err != nil {
				t.Fatal(err)
			}
			got += content
		}
		if got != want {
			t.Fatalf("got %q; want %q", got, want)
		}
		got = ""
	}
	f("early")
	_, _ = stream.Write(h3.Data("hello"))
	f("hello")
	long := strings.Repeat("0123456789", 20_000)
	go func() { _, _ = stream.Write(h3.Data(long)) }()
	f(long)
	_ = stream.Close()
	if _, _, err := in.Next(); err != io.EOF {
		t.Fatalf("got %v; want the end", err)
	}
}

// TestWebSocketThatDoesNotOpen holds that no answer but a right 101 looks to
// the client like an open WebSocket.
func TestWebSocketThatDoesNotOpen(t *testing.T) {
	f := func(answer, status string) {
		t.Helper()
		s := h3.Start(t, h3.DefaultTest(), gateway(t, webSocket(t, func(string) string { return answer }), ""))
		in := h3.ReadFrames(h3.Dial(t, s).Open(opening()))
		if fields, _, err := in.Next(); err != nil || !strings.HasPrefix(fields, ":status: "+status+"\n") {
			t.Fatalf("%q: got %q, %v; want %s", answer, fields, err, status)
		}
	}
	f("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "403")
	f("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "502")
	f("HTTP/1.1 204 No Content\r\n\r\n", "502")
	f("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n", "502")
	f("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "502")
}

// TestTunnelTimes holds a tunnel to its limits.
func TestTunnelTimes(t *testing.T) {
	for _, times := range []string{"tunnelIdle: 200ms", "tunnelTotal: 200ms"} {
		s := h3.Start(t, h3.DefaultTest(), gateway(t, webSocket(t, accepted), ", timeouts: {"+times+"}"))
		in := h3.ReadFrames(h3.Dial(t, s).Open(opening()))
		for {
			if _, _, err := in.Next(); err != nil {
				var late net.Error
				if errors.As(err, &late) && late.Timeout() {
					t.Fatalf("%s: got %v; want the tunnel closed", times, err)
				}
				break
			}
		}
	}
}

// TestCloseTunnels holds that a drain ends what has become a tunnel.
func TestCloseTunnels(t *testing.T) {
	s := h3.Start(t, h3.DefaultTest(), gateway(t, webSocket(t, accepted), ""))
	in := h3.ReadFrames(h3.Dial(t, s).Open(opening()))
	for range 2 {
		if _, _, err := in.Next(); err != nil {
			t.Fatal(err)
		}
	}
	drained := s.Drain()
	s.CloseTunnels()
	select {
	case <-drained:
	case <-time.After(10 * time.Second):
		t.Fatal("not drained")
	}
}

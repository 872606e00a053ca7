package h2

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"weir/proxy/exchange"
	"weir/proxy/front"
)

// browser is an independent client.
func browser(tb testing.TB, s *served) *http.Client {
	t := &http.Transport{
		Protocols: new(http.Protocols),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", s.address)
		},
	}
	t.Protocols.SetUnencryptedHTTP2(true)
	tb.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t}
}

func TestAnotherClient(t *testing.T) {
	s := serve(t, handle(echo), nil)
	c := browser(t, s)
	f := func(method, body, want string) {
		t.Helper()
		req, _ := http.NewRequest(method, "http://a.example/p?q=1", strings.NewReader(body))
		if body == "" {
			req.Body = nil
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if err != nil || string(got) != want || resp.StatusCode != 200 || resp.Header.Get("Date") == "" {
			t.Fatalf("got %d %q, %v; want %q", resp.StatusCode, got, err, want)
		}
	}
	f("GET", "", "GET /p?q=1")
	f("HEAD", "", "")
	f("POST", "hello", "hello")
	large := strings.Repeat("0123456789abcdef", 1<<17) // 2 MiB, more than every window
	f("POST", large, large)
	f("GET", "", "GET /p?q=1")
}

// TestNarrowSettings has a client begin by the initial settings, which are wider
// than those that it then gets.
func TestNarrowSettings(t *testing.T) {
	s := serve(t, handle(echo), func(_ *front.Config, own *Config) { own.TableSize, own.Window = 0, 1000 })
	for range 5 {
		c := browser(t, s)
		for range 3 {
			body := strings.Repeat("narrow", 20_000)
			resp, err := c.Post("http://a.example/", "", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || string(got) != body {
				t.Fatalf("got %d bytes, %v", len(got), err)
			}
		}
	}
}

func TestManyStreamsAtOnce(t *testing.T) {
	s := serve(t, handle(echo), nil)
	c := browser(t, s)
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			body := bytes.Repeat([]byte{byte('a' + i%26)}, rand.IntN(200_000))
			resp, err := c.Post("http://a.example/", "", bytes.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, body) {
				t.Errorf("stream %d: got %d bytes, %v; want %d", i, len(got), err, len(body))
			}
		})
	}
	wg.Wait()
}

func TestTrailersBothWays(t *testing.T) {
	s := serve(t, handle(echo), nil)
	c := s.open(t)
	c.headers(1, false, post("/", "te: trailers")...)
	c.do(c.fr.WriteData(1, false, []byte("content")))
	c.headers(1, true, "grpc-status: 0", "x-Sum: no", "host: refused")
	if r := c.await(1); r.reset != http2.ErrCodeProtocol {
		t.Fatalf("a trailer in capitals: got %s", r)
	}
	c.headers(3, false, post("/", "te: trailers")...)
	c.do(c.fr.WriteData(3, false, []byte("content")))
	c.headers(3, true, "grpc-status: 0", "x-sum: 12", "host: dropped")
	r := c.await(3)
	if r.String() != "200 content" || fmt.Sprint(r.trailers) != `[header field "grpc-status" = "0" header field "x-sum" = "12"]` {
		t.Fatalf("got %s and %v", r, r.trailers)
	}
}

func TestContinueIsSentWhenTheBodyIsRead(t *testing.T) {
	s := serve(t, handle(func(x *exchange.Exchange) {
		if string(x.Target) == "/refuse" {
			x.Response.SetStatusCode(403)
			_ = x.Front.Send(x)
			return
		}
		echo(x)
	}), nil)
	c := s.open(t)
	c.headers(1, false, post("/", "expect: 100-continue", "content-length: 2")...)
	f, ok := c.next().(*http2.MetaHeadersFrame)
	if !ok || f.PseudoValue("status") != "200" && f.PseudoValue("status") != "100" {
		t.Fatalf("got %v", f)
	}
	c.do(c.fr.WriteData(1, true, []byte("ok")))
	if r := c.await(1); r.body != "ok" {
		t.Fatalf("got %s", r)
	}
	c.headers(3, false, post("/refuse", "expect: 100-continue", "content-length: 2")...)
	if r := c.await(3); r.String() != "403 " {
		t.Fatalf("got %s", r)
	}
	c.headers(5, true, get("/", "expect: something")...)
	if r := c.await(5); r.status != "417" {
		t.Fatalf("got %s", r)
	}
}

// TestAnswerBeforeTheRequestEnds has clients send on behind an answer that did
// not wait: a rest of some size is dropped, more is declined.
func TestAnswerBeforeTheRequestEnds(t *testing.T) {
	s := serve(t, answer("no"), func(_ *front.Config, own *Config) { own.ConnectionWindow = 32 << 20 })
	c := s.open(t)
	chunk := make([]byte, 16<<10)
	begin := func(id uint32, more ...string) {
		t.Helper()
		c.headers(id, false, post("/", more...)...)
		if r := c.await(id); r.String() != "200 no" {
			t.Fatalf("got %s", r)
		}
	}
	send := func(id uint32, chunks int, end bool) {
		for i := range chunks {
			c.do(c.fr.WriteData(id, end && i == chunks-1, chunk))
		}
	}
	declined := func(id uint32) {
		t.Helper()
		if r := c.await(id); !r.wasReset || r.reset != http2.ErrCodeNo {
			t.Fatalf("got %s; want the rest to be declined", r)
		}
	}
	begin(1)
	send(1, 64, true)
	begin(3)
	send(3, 1, false)
	c.headers(3, true, "x-sum: 1")
	begin(5, "content-length: 100000000")
	send(5, 1, false)
	declined(5)
	begin(7)
	send(7, (spillMost+(256<<10))/len(chunk), false)
	declined(7)
	c.headers(9, true, get("/")...)
	if r := c.await(9); r.String() != "200 no" {
		t.Fatalf("got %s", r)
	}
}

func TestHeadOfAnswer(t *testing.T) {
	s := serve(t, handle(func(x *exchange.Exchange) {
		x.Response.SetStatusCode(299)
		x.Response.Set("Connection", "close")
		x.Response.Set("Keep-Alive", "1")
		x.Response.Set("X-Mixed", "A B")
		x.Response.Add("Set-Cookie", "a=b")
		x.Bytes = []byte("body")
		_ = x.Front.Send(x)
	}), nil)
	c := s.open(t)
	for id := uint32(1); id < 9; id += 2 {
		c.headers(id, true, get("/")...)
		r := c.await(id)
		if r.String() != "299 body" || r.field("x-mixed") != "A B" || r.field("set-cookie") != "a=b" || r.field("content-length") != "4" ||
			r.field("connection") != "" || r.field("keep-alive") != "" || r.field("date") == "" {
			t.Fatalf("got %s %v", r, r.fields)
		}
	}
}

// TestLongHead sends an answer whose head needs CONTINUATION frames.
func TestLongHead(t *testing.T) {
	value := strings.Repeat("~", 40_000)
	s := serve(t, handle(func(x *exchange.Exchange) {
		x.Response.SetStatusCode(200)
		x.Response.Set("X-Long", value)
		_ = x.Front.Send(x)
	}), nil)
	c := s.open(t)
	c.fr.MaxHeaderListSize = 1 << 20
	c.headers(1, true, get("/")...)
	if r := c.await(1); r.field("x-long") != value {
		t.Fatalf("got %d bytes", len(r.field("x-long")))
	}
}

// TestContinuations sends a request in small pieces.
func TestContinuations(t *testing.T) {
	s := serve(t, handle(echo), nil)
	c := s.open(t)
	block := c.fields(get("/", "x-long: "+strings.Repeat("v", 500))...)
	c.do(c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:3], EndStream: true}))
	for rest := block[3:]; len(rest) > 0; {
		n := min(40, len(rest))
		c.do(c.fr.WriteContinuation(1, n == len(rest), rest[:n]))
		rest = rest[n:]
	}
	if r := c.await(1); r.String() != "200 GET /" {
		t.Fatalf("got %s", r)
	}
}

func TestBytePieces(t *testing.T) {
	s := serve(t, handle(echo), nil)
	var sent bytes.Buffer
	c := s.dial(t)
	c.fr = http2.NewFramer(&sent, c.nc)
	c.fr.ReadMetaHeaders = nil
	sent.WriteString(http2.ClientPreface)
	c.do(c.fr.WriteSettings())
	c.do(c.fr.WriteSettingsAck())
	c.do(c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(post("/")...), EndHeaders: true}))
	c.do(c.fr.WriteData(1, true, []byte("piece by piece")))
	for _, b := range sent.Bytes() {
		c.write([]byte{b})
	}
	for {
		f := c.next()
		if d, ok := f.(*http2.DataFrame); ok && len(d.Data()) > 0 {
			if string(d.Data()) != "piece by piece" {
				t.Fatalf("got %q", d.Data())
			}
			return
		}
		if f == nil {
			t.Fatal("the connection ended")
		}
	}
}

// TestWindowsAreKept sends an answer that is larger than the windows, which are
// opened byte by byte, and then wide.
func TestWindowsAreKept(t *testing.T) {
	text := strings.Repeat("abcdefgh", 1000)
	s := serve(t, answer(text), nil)
	c := s.open(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 3})
	c.headers(1, true, get("/")...)
	body := ""
	for len(body) < len(text) {
		f := c.next()
		d, ok := f.(*http2.DataFrame)
		if !ok {
			continue
		}
		body += string(d.Data())
		switch {
		case len(body) < 20 && len(d.Data()) > 3:
			t.Fatalf("got %d bytes in a window of 3", len(d.Data()))
		case len(body) < 20:
			c.do(c.fr.WriteWindowUpdate(1, 1))
		default:
			c.do(c.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}))
		}
	}
	if body != text {
		t.Fatal("the content differs")
	}
}

// TestBackPressure has a client send more than anybody reads.
func TestBackPressure(t *testing.T) {
	read := make(chan struct{})
	s := serve(t, handle(func(x *exchange.Exchange) {
		<-read
		n, err := io.Copy(io.Discard, x.RequestBody)
		x.Response.SetStatusCode(200)
		x.Bytes = fmt.Appendf(nil, "%d %v", n, err)
		_ = x.Front.Send(x)
	}), func(_ *front.Config, own *Config) { own.Window = 100_000 })
	c := s.open(t)
	c.headers(1, false, post("/")...)
	chunk := make([]byte, 10_000)
	for range 10 {
		c.do(c.fr.WriteData(1, false, chunk))
	}
	c.do(c.fr.WritePing(false, [8]byte{1}))
	if f, ok := c.next().(*http2.PingFrame); !ok {
		t.Fatalf("got %v; want nothing before the body is read", f)
	}
	close(read)
	granted := uint32(0)
	for granted < 50_000 {
		if f, ok := c.next().(*http2.WindowUpdateFrame); ok && f.StreamID == 1 {
			granted += f.Increment
		}
	}
	c.do(c.fr.WriteData(1, true, chunk))
	if r := c.await(1); r.String() != "200 110000 <nil>" {
		t.Fatalf("got %s", r)
	}
	// One byte more than the window is an error of the stream.
	c.headers(3, false, post("/")...)
	for range 7 {
		c.do(c.fr.WriteData(3, false, make([]byte, 16_000)))
	}
	if r := c.await(3); r.reset != http2.ErrCodeFlowControl && r.status == "" {
		t.Fatalf("got %s", r)
	}
}

package h3

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/valyala/fasthttp"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// patient is how long a test waits for an event that must come.
const patient = 10 * time.Second

// source is an answer's content that comes in pieces.
type source struct {
	pieces   chan string
	trailers string
	err      error
	rest     string
	done     bool
}

func (s *source) Read(p []byte) (int, error) {
	if s.rest == "" {
		piece, ok := <-s.pieces
		if !ok {
			if s.err != nil {
				return 0, s.err
			}
			s.done = true
			return 0, io.EOF
		}
		s.rest = piece
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *source) Done() bool  { return s.done }
func (s *source) Ready() bool { return s.rest != "" || len(s.pieces) > 0 }
func (s *source) Trailers() []byte {
	if !s.done {
		return nil
	}
	return []byte(s.trailers)
}
func (s *source) Close() error { return nil }

func pieces(all ...string) *source {
	s := &source{pieces: make(chan string, len(all))}
	for _, p := range all {
		s.pieces <- p
	}
	close(s.pieces)
	return s
}

func stream(x *exchange.Exchange, status int, content exchange.Body, length int64) error {
	x.Response.SetNoDefaultContentType(true)
	x.Response.SetStatusCode(status)
	x.Stream, x.Length = content, length
	return x.Front.Send(x)
}

func TestStreamedAnswers(t *testing.T) {
	long := strings.Repeat("0123456789", 30_000)
	s := serve(t, testConfig(), func(x *exchange.Exchange) {
		switch string(x.Target) {
		case "/small":
			_ = stream(x, 200, pieces("he", "llo"), 5)
		case "/large":
			_ = stream(x, 200, pieces(long), int64(len(long)))
		case "/unsized":
			_ = stream(x, 200, pieces("he", "llo"), exchange.Chunked)
		case "/empty":
			_ = stream(x, 200, pieces(), 0)
		case "/trailers":
			content := pieces("hello")
			content.trailers = "A: b\r\nX-Long:  c d \r\n"
			_ = stream(x, 200, content, exchange.Chunked)
		case "/none":
			_ = stream(x, 204, pieces(), 0)
		case "/bytes":
			answer(x, 200, long)
		}
	})
	tr := client(t)
	f := func(method, path, content string, length int64, trailers http.Header) {
		t.Helper()
		resp, got := do(t, tr, ask(t, method, s.url(path), nil))
		if got != content || resp.ContentLength != length {
			t.Fatalf("%s %s: got %d bytes of %d; want %d of %d", method, path, len(got), resp.ContentLength, len(content), length)
		}
		for name := range trailers {
			if resp.Trailer.Get(name) != trailers.Get(name) {
				t.Fatalf("%s: got the trailers %v; want %v", path, resp.Trailer, trailers)
			}
		}
		if resp.Header.Get("Date") == "" {
			t.Fatalf("%s: got no Date", path)
		}
	}
	f("GET", "/small", "hello", 5, nil)
	f("HEAD", "/small", "", 5, nil)
	f("GET", "/large", long, 300_000, nil)
	f("GET", "/unsized", "hello", -1, nil)
	f("GET", "/empty", "", 0, nil)
	f("GET", "/none", "", 0, nil)
	f("GET", "/bytes", long, 300_000, nil)
	f("GET", "/trailers", "hello", -1, http.Header{"A": {"b"}, "X-Long": {"c d"}})
}

// TestBrokenAnswer holds that content that fails is not taken for a whole.
func TestBrokenAnswer(t *testing.T) {
	s := serve(t, testConfig(), func(x *exchange.Exchange) {
		content := pieces("hello")
		content.err = io.ErrUnexpectedEOF
		if err := stream(x, 200, content, exchange.Chunked); err == nil {
			t.Error("Send: got nil; want the error of the content")
		}
	})
	resp, err := client(t).RoundTrip(ask(t, "GET", s.url("/"), nil))
	if err == nil {
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
	}
	if err == nil {
		t.Fatal("got a whole answer; want an error")
	}
}

func TestInterim(t *testing.T) {
	s := serve(t, testConfig(), func(x *exchange.Exchange) {
		var early fasthttp.ResponseHeader
		early.SetNoDefaultContentType(true)
		early.SetStatusCode(103)
		early.Set("Link", "</a.css>; rel=preload")
		if err := x.Front.Interim(&early); err != nil {
			t.Error(err)
		}
		x.MaxBody = -1
		body, err := io.ReadAll(x.RequestBody)
		if err != nil {
			t.Error(err)
		}
		answer(x, 200, string(body))
	})
	var mu sync.Mutex
	var got []string
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, http.StatusText(code)+h.Get("Link"))
		return nil
	}}
	req := ask(t, "POST", s.url("/"), strings.NewReader("hello"))
	req.Header.Set("Expect", "100-continue")
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), trace))
	_, content := do(t, client(t), req)
	mu.Lock()
	defer mu.Unlock()
	if content != "hello" || strings.Join(got, ",") != "Early Hints</a.css>; rel=preload,Continue" {
		t.Fatalf("got %q and %q", got, content)
	}
}

// wakes is an exchange.Waker.
type wakes chan struct{}

func (w wakes) Wake() {
	select {
	case w <- struct{}{}:
	default:
	}
}

func TestClientLeaves(t *testing.T) {
	begun, left := make(chan struct{}, 1), make(chan string, 1)
	s := serve(t, testConfig(), func(x *exchange.Exchange) {
		w := make(wakes, 1)
		x.Front.Notify(w)
		defer x.Front.Notify(nil)
		begun <- struct{}{}
		select {
		case <-w:
		case <-time.After(patient):
			left <- "nobody was woken"
			return
		}
		if !x.Front.Gone() {
			left <- "the client is not gone"
			return
		}
		answer(x, 200, "")
		if !x.Aborted {
			left <- "the answer was sent"
			return
		}
		left <- ""
	})
	f := func(leave func(c *raw, stream *quic.Stream)) {
		t.Helper()
		c := dial(t, s)
		stream := c.open(get())
		_ = stream.Close()
		<-begun
		leave(c, stream)
		if got := <-left; got != "" {
			t.Fatal(got)
		}
	}
	f(func(_ *raw, stream *quic.Stream) { stream.CancelRead(codeRequestCancelled) })
	f(func(c *raw, _ *quic.Stream) { _ = c.conn.CloseWithError(codeNoError, "") })
	if got := s.Stats.Resets.Load(); got < 1 {
		t.Fatalf("got %d resets; want some", got)
	}
}

// TestEarlyAnswer holds that an answer ahead of the end of its request reaches
// the client, which may send on for a while and is then told to stop (RFC 9114
// §4.1).
func TestEarlyAnswer(t *testing.T) {
	s := serve(t, testConfig(), func(x *exchange.Exchange) { answer(x, 413, "too much") })
	c := dial(t, s)
	c.uni(settings())
	stream := c.open(join(post(), data(strings.Repeat("x", 1000))))
	got := read(stream)
	if got.status() != "413" || got.content != "too much" || got.err != nil {
		t.Fatalf("got %q %q, %v; want 413", got.heads, got.content, got.err)
	}
	if _, err := stream.Write(data(strings.Repeat("x", 1<<20))); err != nil {
		t.Fatalf("behind the answer: got %v; want the rest of the request taken", err)
	}
	<-stream.Context().Done()
	if _, err := stream.Write([]byte("x")); err == nil || !isReset(err) {
		t.Fatalf("got %v; want STOP_SENDING", err)
	}
}

// TestStopBody holds that a read in another goroutine ends.
func TestStopBody(t *testing.T) {
	s := serve(t, testConfig(), func(x *exchange.Exchange) {
		x.MaxBody = -1
		ended, begun := make(chan error, 1), make(chan struct{})
		go func() {
			p := make([]byte, 1)
			_, _ = x.RequestBody.Read(p)
			close(begun)
			_, err := x.RequestBody.Read(p)
			ended <- err
		}()
		<-begun
		x.Front.StopBody()
		if err := <-ended; err == nil {
			t.Error("Read: got nil; want an error")
		}
		answer(x, 200, "")
	})
	c := dial(t, s)
	if got := read(c.open(join(post(), data("x")))); got.status() != "200" || got.err != nil {
		t.Fatalf("got %q, %v; want 200", got.heads, got.err)
	}
}

func TestMaxBody(t *testing.T) {
	s := serve(t, testConfig(), func(x *exchange.Exchange) {
		x.MaxBody = 10
		if _, err := io.ReadAll(x.RequestBody); err != exchange.ErrBodyTooLarge {
			t.Errorf("got %v; want %v", err, exchange.ErrBodyTooLarge)
		}
		answer(x, 413, "")
	})
	resp, _ := do(t, client(t), ask(t, "POST", s.url("/"), io.MultiReader(strings.NewReader(strings.Repeat("x", 1000)))))
	if resp.StatusCode != 413 {
		t.Fatalf("got %d; want 413", resp.StatusCode)
	}
}

func TestTimeouts(t *testing.T) {
	cfg := testConfig()
	cfg.Front.HeadTimeout, cfg.Front.BodyTimeout, cfg.Front.SendTimeout = 100*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
	sent := make(chan error, 1)
	s := serve(t, cfg, func(x *exchange.Exchange) {
		switch {
		case x.Malformed != nil:
			answer(x, x.Malformed.Status, "")
		case x.RequestBody != nil:
			x.MaxBody = -1
			if _, err := io.ReadAll(x.RequestBody); err != wire.ErrTimeout {
				t.Errorf("got %v; want %v", err, wire.ErrTimeout)
			}
			answer(x, 408, "")
		default:
			x.Response.SetStatusCode(200)
			x.Bytes = make([]byte, 8<<20)
			sent <- x.Front.Send(x)
		}
	})
	c := dial(t, s)
	c.uni(settings())
	if got := read(c.open(get()[:5])); got.status() != "408" {
		t.Fatalf("slow head: got %q, %v; want 408", got.heads, got.err)
	}
	if got := read(c.open(join(post(), data("x")))); got.status() != "408" {
		t.Fatalf("slow body: got %q, %v; want 408", got.heads, got.err)
	}
	if got := read(c.open(get())); got.status() != "408" {
		t.Fatalf("a GET that does not end: got %q, %v; want 408", got.heads, got.err)
	}
	stream := c.open(get())
	_ = stream.Close()
	if err := <-sent; err != wire.ErrTimeout {
		t.Fatalf("slow reader: got %v; want %v", err, wire.ErrTimeout)
	}
}

func TestIdleConnection(t *testing.T) {
	cfg := testConfig()
	cfg.Front.IdleTimeout = 300 * time.Millisecond
	s := serve(t, cfg, strict)
	c := dial(t, s)
	c.uni(settings())
	// What keeps QUIC awake is no request.
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	go func() {
		for range 100 {
			select {
			case <-c.conn.Context().Done():
				return
			case <-ticker.C:
				if u, err := c.conn.OpenUniStream(); err == nil {
					_, _ = u.Write([]byte{0x21})
				}
			}
		}
	}()
	if got := c.closed(); got != codeNoError {
		t.Fatalf("got %#x; want %#x", got, codeNoError)
	}
}

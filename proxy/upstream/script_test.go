package upstream

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// patience is how long a test waits for an event that must come.
const patience = 5 * time.Second

// peer is one connection as a scripted upstream sees it.
type peer struct {
	net.Conn
	br *bufio.Reader
	n  int // of the connection, from 1
}

// request reads one request with its body, and returns both as received.
func (p *peer) request() (head string, body []byte, err error) {
	var raw strings.Builder
	for {
		line, err := p.br.ReadString('\n')
		raw.WriteString(line)
		if err != nil {
			return raw.String(), nil, err
		}
		if line == "\r\n" {
			break
		}
	}
	head = raw.String()
	req, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(head), p.br)))
	if err != nil {
		return head, nil, err
	}
	body, err = io.ReadAll(req.Body)
	return head, body, err
}

// head reads only the head of a request.
func (p *peer) head() string {
	var raw strings.Builder
	for {
		line, err := p.br.ReadString('\n')
		raw.WriteString(line)
		if err != nil || line == "\r\n" {
			return raw.String()
		}
	}
}

func (p *peer) say(s string) { _, _ = io.WriteString(p.Conn, s) }

// drain waits for the end of the connection.
func (p *peer) drain() { _, _ = io.Copy(io.Discard, p.br) }

// script is an upstream that runs a function for each of its connections.
type script struct {
	url      string
	accepted atomic.Int64
}

func serve(t *testing.T, l net.Listener, url string, play func(p *peer)) *script {
	t.Helper()
	s := &script{url: url}
	var ended sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	ended.Add(1)
	go func() {
		defer ended.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n := int(s.accepted.Add(1))
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			ended.Add(1)
			go func() {
				defer ended.Done()
				defer c.Close()
				play(&peer{Conn: c, br: bufio.NewReader(c), n: n})
			}()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		ended.Wait()
	})
	return s
}

// listen starts a scripted upstream on TCP.
func listen(t *testing.T, play func(p *peer)) *script {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, l, "http://"+l.Addr().String(), play)
}

func listenUnix(t *testing.T, play func(p *peer)) *script {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, l, "unix:"+path, play)
}

// answers plays the same answer to every request of every connection.
func answers(answer string) func(p *peer) {
	return func(p *peer) {
		for {
			if _, _, err := p.request(); err != nil {
				return
			}
			p.say(answer)
		}
	}
}

func registry(t *testing.T, change func(c *Config)) *Registry {
	t.Helper()
	c := Default()
	c.ConnectTimeout, c.FirstByteTimeout, c.IdleTimeout = patience, patience, patience
	if change != nil {
		change(&c)
	}
	r := NewRegistry(c, 2)
	t.Cleanup(r.Close)
	return r
}

func target(t *testing.T, r *Registry, url string) *Target {
	t.Helper()
	target, err := r.Acquire(Address{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func targetOf(t *testing.T, r *Registry, url string) *Target { return target(t, r, url) }

// front is a front end whose client the test plays.
type front struct {
	gone    atomic.Bool
	stopped atomic.Bool
	stop    func()

	mu       sync.Mutex
	interims []string
}

func (f *front) Interim(h *fasthttp.ResponseHeader) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	head := wire.AppendStatusLine(nil, h.StatusCode(), h.StatusMessage())
	head, _ = wire.AppendFields(head, h)
	f.interims = append(f.interims, string(head))
	return nil
}
func (f *front) Notify(w exchange.Waker) {}
func (f *front) Gone() bool              { return f.gone.Load() }
func (f *front) StopBody() {
	if f.stopped.CompareAndSwap(false, true) && f.stop != nil {
		f.stop()
	}
}
func (f *front) Send(*exchange.Exchange) error { return nil }

// upload is a request body that a test writes while it is being sent.
type upload struct {
	io.Reader
	waits    bool // a read may have to wait
	trailers string
	done     atomic.Bool
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	if err == io.EOF {
		u.done.Store(true)
	}
	return n, err
}
func (u *upload) Done() bool       { return u.done.Load() }
func (u *upload) Trailers() []byte { return []byte(u.trailers) }
func (u *upload) Close() error     { return nil }

// request returns an exchange as a front end and the way leave it.
func request(method, path string) *exchange.Exchange {
	x := &exchange.Exchange{Start: time.Now(), Front: &front{}, MaxBody: -1}
	x.Request.SetNoDefaultContentType(true)
	x.Request.SetMethod(method)
	x.Request.SetRequestURI(path)
	x.Request.SetHost("example.org")
	return x
}

func withBody(x *exchange.Exchange, body string) *exchange.Exchange {
	x.RequestBytes, x.RequestLength = []byte(body), int64(len(body))
	return x
}

func withUpload(x *exchange.Exchange, length int64, r io.Reader) *exchange.Exchange {
	x.RequestBody, x.RequestLength = &upload{Reader: r}, length
	return x
}

// content reads the whole content of the answer.
func content(t *testing.T, x *exchange.Exchange) string {
	t.Helper()
	got, err := contentErr(x)
	if err != nil {
		t.Fatalf("reading the content: got %v; want no error", err)
	}
	return got
}

func contentErr(x *exchange.Exchange) (string, error) {
	if x.Stream == nil {
		return "", nil
	}
	defer x.Stream.Close()
	var b bytes.Buffer
	_, err := io.Copy(&b, x.Stream)
	return b.String(), err
}

// round sends x and returns status and content, or the refusal's cause.
func round(t *testing.T, target *Target, x *exchange.Exchange, call *Call) (int, string) {
	t.Helper()
	if r := target.Send(x, call); r != nil {
		return 0, r.Cause
	}
	return x.Response.StatusCode(), content(t, x)
}

func wantRound(t *testing.T, target *Target, x *exchange.Exchange, call *Call, status int, body string) {
	t.Helper()
	if s, b := round(t, target, x, call); s != status || b != body {
		t.Fatalf("%s %s: got %d %q (%v); want %d %q", x.Request.Method(), x.Request.RequestURI(), s, b, x.Cause, status, body)
	}
}

func wantRefusal(t *testing.T, target *Target, x *exchange.Exchange, call *Call, want *exchange.Refusal) {
	t.Helper()
	r := target.Send(x, call)
	if r == nil {
		t.Fatalf("got answer %d; want refusal %s", x.Response.StatusCode(), want.Cause)
	}
	if r != want {
		t.Fatalf("got refusal %s (%v); want %s", r.Cause, x.Cause, want.Cause)
	}
}

// eventually waits until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); !cond(); {
		if time.Now().After(until) {
			t.Fatalf("%s: did not happen", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func (u *upload) Ready() bool { return !u.waits }

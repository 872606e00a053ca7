package proxy

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/proxy/config"
)

// patient is how long a test waits for an event that must come: it bounds a
// failure and is never waited out by a test that passes.
const patient = 5 * time.Second

// textSource serves a document from memory. set changes what the next reload
// finds.
type textSource struct {
	mu   sync.Mutex
	text string
}

func (s *textSource) Document() (*config.Document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return config.Parse("weir.yaml", []byte(s.text))
}

func (s *textSource) Files() []string { return nil }

func (s *textSource) set(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = text
}

// testGateway is a gateway that runs inside the test and ends with it.
type testGateway struct {
	*Gateway
	source *textSource
	t      testing.TB
	stop   func()
}

// testOptions returns the default flags, listening on a free port of the
// loopback, without control, access log, watching and drain delays.
func testOptions() Options {
	var o Options
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	o.RegisterFlags(fs)
	o.ListenAddress, o.ControlAddress = "127.0.0.1:0", "off"
	o.Log.Output, o.Watch = "off", false
	o.Shards = 2
	o.DrainTimeout, o.TunnelGrace = time.Second, 0
	return o
}

// startGateway serves the document until the test ends. tune may change the
// options; the document's listeners are its own if it has any.
func startGateway(t testing.TB, document string, tune ...func(*Options)) *testGateway {
	t.Helper()
	return startLogging(t, zerolog.New(testWriter{t}).Level(zerolog.WarnLevel), document, tune...)
}

// startLogging is startGateway with a log of the process that the test reads.
func startLogging(t testing.TB, log zerolog.Logger, document string, tune ...func(*Options)) *testGateway {
	t.Helper()
	options := testOptions()
	options.Data = t.TempDir()
	for _, f := range tune {
		f(&options)
	}
	source := &textSource{text: document}
	g, err := New(options, source, "test", log)
	if err != nil {
		t.Fatalf("New: %s\n%s", err, document)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- g.Run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		t.Fatalf("Run: %v", err)
	}
	tg := &testGateway{Gateway: g, source: source, t: t}
	tg.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %s", err)
		}
	})
	t.Cleanup(tg.stop)
	return tg
}

// proxyTo returns a document that sends every request to the targets.
func proxyTo(targets ...string) string {
	return "apis: {all: {routes: [{path: $default, upstream: up}]}}\n" +
		"upstreams: {up: {targets: [" + strings.Join(targets, ", ") + "]}}\n"
}

// reload publishes another document and fails the test if it is not good.
func (g *testGateway) reload(document string) {
	g.t.Helper()
	g.source.set(document)
	if err := g.Reload(); err != nil {
		g.t.Fatalf("Reload: %s\n%s", err, document)
	}
}

// address returns where a listener is; without a name, the first of any.
func (g *testGateway) address(name ...string) string {
	all := g.Addresses()
	if len(name) > 0 {
		return all[name[0]]
	}
	if main, ok := all["main"]; ok {
		return main
	}
	for _, a := range all {
		return a
	}
	return ""
}

// dial connects to the gateway as a client.
func (g *testGateway) dial() *rawClient {
	g.t.Helper()
	return dialRaw(g.t, g.address())
}

// testWriter sends log lines to the test's own log.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", bytes.TrimSpace(p))
	return len(p), nil
}

// rawClient is one connection whose bytes a test writes and reads itself.
type rawClient struct {
	t testing.TB
	net.Conn
	br *bufio.Reader
}

func dialRaw(t testing.TB, address string) *rawClient {
	t.Helper()
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
	}
	nc, err := net.DialTimeout(network, address, patient)
	if err != nil {
		t.Fatalf("dial: %s", err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patient))
	return &rawClient{t: t, Conn: nc, br: bufio.NewReader(nc)}
}

// send writes the pieces, one write each. The gateway may refuse before it has
// read everything, so a failed write is not a failed test.
func (c *rawClient) send(pieces ...string) {
	for _, p := range pieces {
		if _, err := io.WriteString(c.Conn, p); err != nil {
			return
		}
	}
}

// rawAnswer is an answer as it came: its head by line and its content by framing.
type rawAnswer struct {
	Status  int
	Line    string
	Header  http.Header
	Body    string
	Trailer http.Header
	Close   bool  // the gateway has said that the connection ends
	Err     error // of the content
}

// answer reads one answer, which is to a request of the method.
func (c *rawClient) answer(method string) *rawAnswer {
	c.t.Helper()
	a, err := c.tryAnswer(method)
	if err != nil {
		c.t.Fatalf("cannot read an answer: %s", err)
	}
	return a
}

func (c *rawClient) tryAnswer(method string) (*rawAnswer, error) {
	r, err := http.ReadResponse(c.br, &http.Request{Method: method})
	if err != nil {
		return nil, err
	}
	a := &rawAnswer{Status: r.StatusCode, Line: r.Proto + " " + r.Status, Header: r.Header, Close: r.Close}
	if r.StatusCode == http.StatusSwitchingProtocols || r.StatusCode < 200 {
		return a, nil
	}
	if len(r.TransferEncoding) > 0 {
		a.Header["Transfer-Encoding"] = r.TransferEncoding
	}
	body, err := io.ReadAll(r.Body)
	a.Body, a.Trailer, a.Err = string(body), r.Trailer, err
	return a, nil
}

// closed fails the test unless the connection ends now, and in order: a reset
// could take from the client the answer that came before.
func (c *rawClient) closed() {
	c.t.Helper()
	rest, err := io.ReadAll(c.br)
	if len(rest) > 0 || err != nil {
		c.t.Fatalf("after the last answer: got %q, %v; want the end of the connection", rest, err)
	}
}

func isTimeoutError(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

// exchange sends one request and reads its answer.
func (g *testGateway) exchange(request string) *rawAnswer {
	g.t.Helper()
	c := g.dial()
	defer c.Close()
	c.send(request)
	method, _, _ := strings.Cut(request, " ")
	return c.answer(method)
}

// rawUpstream accepts connections and has script drive each; it counts what
// arrives. Its connections end with the test.
type rawUpstream struct {
	t      testing.TB
	ln     net.Listener
	script func(*upstreamConn)

	mu       sync.Mutex
	seen     bytes.Buffer
	more     chan struct{} // closed and replaced when bytes arrive
	conns    map[net.Conn]struct{}
	accepted int
	requests int
	running  sync.WaitGroup
}

// upstreamConn is one connection that the gateway has opened.
type upstreamConn struct {
	net.Conn
	up *rawUpstream
	br *bufio.Reader
}

// startUpstream listens on the loopback. script runs once for each connection,
// on its own goroutine; when it returns, the connection is closed.
func startUpstream(t testing.TB, script func(*upstreamConn)) *rawUpstream {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveUpstream(t, ln, script)
}

// serveUpstream does the same on a listener that is open, and closes it.
func serveUpstream(t testing.TB, ln net.Listener, script func(*upstreamConn)) *rawUpstream {
	t.Helper()
	u := &rawUpstream{t: t, ln: ln, script: script, more: make(chan struct{}), conns: make(map[net.Conn]struct{})}
	u.running.Add(1)
	go u.accept()
	t.Cleanup(u.stop)
	return u
}

// url is what a document names the upstream by.
func (u *rawUpstream) url() string { return "http://" + u.ln.Addr().String() }

func (u *rawUpstream) accept() {
	defer u.running.Done()
	for {
		nc, err := u.ln.Accept()
		if err != nil {
			return
		}
		_ = nc.SetDeadline(time.Now().Add(2 * patient))
		u.mu.Lock()
		u.accepted++
		u.conns[nc] = struct{}{}
		u.mu.Unlock()
		u.running.Add(1)
		go func() {
			defer u.running.Done()
			defer u.forget(nc)
			u.script(&upstreamConn{Conn: nc, up: u, br: bufio.NewReader(io.TeeReader(nc, u))})
		}()
	}
}

func (u *rawUpstream) forget(nc net.Conn) {
	_ = nc.Close()
	u.mu.Lock()
	delete(u.conns, nc)
	u.mu.Unlock()
}

func (u *rawUpstream) stop() {
	_ = u.ln.Close()
	u.mu.Lock()
	for nc := range u.conns {
		_ = nc.Close()
	}
	u.mu.Unlock()
	u.running.Wait()
}

// Write notes bytes that have arrived.
func (u *rawUpstream) Write(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	close(u.more)
	u.more = make(chan struct{})
	return u.seen.Write(p)
}

// await waits until f is true of everything that has arrived.
func (u *rawUpstream) await(what string, f func(seen string) bool) {
	u.t.Helper()
	timeout := time.After(patient)
	for {
		u.mu.Lock()
		seen, more := u.seen.String(), u.more
		u.mu.Unlock()
		if f(seen) {
			return
		}
		select {
		case <-more:
		case <-timeout:
			u.t.Fatalf("the upstream has seen %.200q; want %s", seen, what)
		}
	}
}

// bytesSeen returns everything that has arrived on all connections.
func (u *rawUpstream) bytesSeen() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.seen.String()
}

// counts returns how many connections and whole requests have arrived.
func (u *rawUpstream) counts() (connections, requests int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.accepted, u.requests
}

// rawRequest is a request as the upstream saw it.
type rawRequest struct {
	Method, Target string
	Host           string
	Header         http.Header
	Body           string
	Trailer        http.Header
	Err            error // of the body
}

// head reads the head of the next request and leaves its body unread.
func (c *upstreamConn) head() (*http.Request, error) { return http.ReadRequest(c.br) }

// request reads one whole request; nil when the connection has ended.
func (c *upstreamConn) request() *rawRequest {
	r, err := c.head()
	if err != nil {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	out := &rawRequest{
		Method: r.Method, Target: r.RequestURI, Host: r.Host, Header: r.Header,
		Body: string(body), Trailer: r.Trailer, Err: err,
	}
	if err == nil {
		c.up.mu.Lock()
		c.up.requests++
		c.up.mu.Unlock()
	}
	return out
}

// reply writes bytes as they are.
func (c *upstreamConn) reply(text string) { _, _ = io.WriteString(c.Conn, text) }

// answerEach reads requests and gives each the answer that f makes of it.
func answerEach(f func(*rawRequest) string) func(*upstreamConn) {
	return func(c *upstreamConn) {
		for r := c.request(); r != nil && r.Err == nil; r = c.request() {
			c.reply(f(r))
		}
	}
}

// okText is a 200 with a text.
func okText(text string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
}

// within fails the test unless the channel yields in time.
func within[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patient):
		t.Fatalf("%s did not happen within %s", what, patient)
		panic("BUG: unreachable")
	}
}

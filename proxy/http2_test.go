package proxy

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// overHTTP2 serves targets to clients of HTTP/2 in clear.
func overHTTP2(targets ...string) string {
	return "listeners: {main: {address: \"127.0.0.1:0\", protocols: [h2, http/1.1]}}\n" + proxyTo(targets...)
}

// h2Client sends frames over one connection.
type h2Client struct {
	t     *testing.T
	nc    net.Conn
	fr    *http2.Framer
	block bytes.Buffer
	enc   *hpack.Encoder
}

func (g *testGateway) dialHTTP2(t *testing.T) *h2Client {
	t.Helper()
	nc, err := net.Dial("tcp", g.address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(2 * patient))
	c := &h2Client{t: t, nc: nc, fr: http2.NewFramer(nc, nc)}
	c.enc = hpack.NewEncoder(&c.block)
	c.fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_, err = io.WriteString(nc, http2.ClientPreface)
	c.do(err)
	c.do(c.fr.WriteSettings())
	c.do(c.fr.WriteSettingsAck())
	return c
}

func (c *h2Client) do(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// headers begins a stream with fields, written "name: value".
func (c *h2Client) headers(id uint32, end bool, lines ...string) {
	c.t.Helper()
	c.block.Reset()
	for _, line := range lines {
		at := 1 + strings.Index(line[1:], ": ")
		c.do(c.enc.WriteField(hpack.HeaderField{Name: line[:at], Value: line[at+2:]}))
	}
	c.do(c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndStream: end, EndHeaders: true}))
}

// next returns the next frame of a stream.
func (c *h2Client) next() http2.Frame {
	c.t.Helper()
	for {
		f, err := c.fr.ReadFrame()
		c.do(err)
		if f.Header().StreamID != 0 {
			return f
		}
	}
}

func TestHTTP2ReachesTheUpstreamAsHTTP1(t *testing.T) {
	t.Parallel()
	seen := make(chan *rawRequest, 1)
	up := startUpstream(t, answerEach(func(r *rawRequest) string {
		seen <- r
		return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n\r\nok"
	}))
	g := startGateway(t, overHTTP2(up.url()))
	c := g.dialHTTP2(t)
	c.headers(1, false, ":method: POST", ":scheme: http", ":authority: a.example", ":path: /a?b=c", "cookie: a=b", "x-own: 1",
		"te: trailers", "cookie: c=d", "content-length: 5")
	c.do(c.fr.WriteData(1, true, []byte("hello")))
	r := within(t, "the request", seen)
	if r.Method != "POST" || r.Target != "/a?b=c" || r.Header.Get("X-Forwarded-Host") != "a.example" || r.Body != "hello" || r.Header.Get("Cookie") != "a=b; c=d" ||
		r.Header.Get("X-Own") != "1" || r.Header.Get("Te") != "trailers" || !strings.HasPrefix(r.Header.Get("Via"), "2.0 ") {
		t.Fatalf("the upstream saw %+v", r)
	}
	f, ok := c.next().(*http2.MetaHeadersFrame)
	if !ok || f.PseudoValue("status") != "200" {
		t.Fatalf("got %v", f)
	}
	for _, field := range f.Fields {
		switch field.Name {
		case "connection", "keep-alive", "x-hop", "transfer-encoding":
			t.Errorf("got field %v", field)
		}
	}
}

func TestWebSocketOverHTTP2(t *testing.T) {
	t.Parallel()
	g := startGateway(t, overHTTP2(tunnelUpstream(t).url()))
	c := g.dialHTTP2(t)
	c.headers(1, false, ":method: CONNECT", ":protocol: websocket", ":scheme: http", ":authority: a.example", ":path: /chat",
		"sec-websocket-version: 13")
	f, ok := c.next().(*http2.MetaHeadersFrame)
	if !ok || f.PseudoValue("status") != "200" || f.StreamEnded() {
		t.Fatalf("got %v", f)
	}
	for _, text := range []string{"first", "second"} {
		c.do(c.fr.WriteData(1, false, []byte(text)))
		if d, ok := c.next().(*http2.DataFrame); !ok || string(d.Data()) != text {
			t.Fatalf("got %v; want %q", d, text)
		}
	}
	c.do(c.fr.WriteData(1, true, nil))
	for {
		if d, ok := c.next().(*http2.DataFrame); ok && d.StreamEnded() {
			return
		}
	}
}

// TestHTTP2ResetReachesTheUpstream has a client give up while the upstream is
// silent: the upstream learns of it at once, and other streams live on.
func TestHTTP2ResetReachesTheUpstream(t *testing.T) {
	t.Parallel()
	entered, closed := make(chan struct{}), make(chan struct{})
	up := startUpstream(t, func(c *upstreamConn) {
		r := c.request()
		if r == nil {
			return
		}
		if r.Target != "/silent" {
			c.reply(okText("alive"))
			return
		}
		close(entered)
		_, _ = c.br.ReadByte()
		close(closed)
	})
	g := startGateway(t, overHTTP2(up.url()))
	c := g.dialHTTP2(t)
	c.headers(1, true, ":method: GET", ":scheme: http", ":authority: a.example", ":path: /silent")
	within(t, "the request", entered)
	begun := time.Now()
	c.do(c.fr.WriteRSTStream(1, http2.ErrCodeCancel))
	within(t, "the end of the upstream's connection", closed)
	if took := time.Since(begun); took > patient/2 {
		t.Errorf("it took %s", took)
	}
	c.headers(3, true, ":method: GET", ":scheme: http", ":authority: a.example", ":path: /")
	if f, ok := c.next().(*http2.MetaHeadersFrame); !ok || f.PseudoValue("status") != "200" {
		t.Fatalf("got %v", f)
	}
}

// TestHTTP2Drains ends a gateway while an answer over HTTP/2 is awaited.
func TestHTTP2Drains(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	up := startUpstream(t, answerEach(func(*rawRequest) string {
		close(entered)
		<-release
		return okText("late")
	}))
	g := startGateway(t, overHTTP2(up.url()), func(o *Options) { o.DrainTimeout = 2 * patient })
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	got := make(chan string)
	go func() {
		resp, err := (&http.Client{Transport: transport}).Get("http://" + g.address() + "/")
		if err != nil {
			got <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		got <- string(b)
	}()
	within(t, "the request", entered)
	done := g.stopped()
	g.eventually("draining", func() bool { ok, _ := g.Ready(); return !ok })
	close(release)
	if text := within(t, "the answer", got); text != "late" {
		t.Errorf("got %q", text)
	}
	within(t, "the end of the drain", done)
}

// TestProgramsOverHTTP2 has real clients fetch, send and load.
func TestProgramsOverHTTP2(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("0123456789abcdef", 1<<16)
	up := startUpstream(t, answerEach(func(r *rawRequest) string {
		if r.Method == "POST" {
			return okText(r.Body)
		}
		return okText(large)
	}))
	g := startGateway(t, overHTTP2(up.url()))
	url := "http://" + g.address() + "/"
	f := func(want string, program string, args ...string) {
		t.Helper()
		if _, err := exec.LookPath(program); err != nil {
			t.Logf("no %s", program)
			return
		}
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Stdin = strings.NewReader(large)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v; got %d bytes, %.300s; want %.80q", program, err, len(out), out, want)
		}
	}
	f(large, "curl", "-s", "--http2-prior-knowledge", url)
	f(large, "curl", "-s", "--http2-prior-knowledge", "--data-binary", "@-", url)
	f("HTTP/2 200", "curl", "-sI", "--http2-prior-knowledge", url)
	f("50 succeeded, 0 failed", "h2load", "-n", "50", "-c", "5", "-m", "10", url)
	f(large, "nghttp", url)
}

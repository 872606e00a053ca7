package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// ok answers every request with what it asked for.
func ok(r *rawRequest) string { return okText(r.Method + " " + r.Target) }

// drip writes one byte a tick until a write fails; the channel is closed then.
func drip(c net.Conn, tick time.Duration) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for range ticker.C {
			if _, err := c.Write([]byte("x")); err != nil {
				return
			}
		}
	}()
	return done
}

// between fails the test unless the time since begun is in the range. The
// upper end has room for a busy machine.
func between(t *testing.T, what string, begun time.Time, least, most time.Duration) {
	t.Helper()
	if took := time.Since(begun); took < least || took > most+time.Second {
		t.Fatalf("%s: got %s; want from %s to %s", what, took, least, most)
	}
}

func TestHeadThatDrips(t *testing.T) {
	up := startUpstream(t, answerEach(ok))
	g := startGateway(t, proxyTo(up.url()), func(o *Options) { o.Listen.HeadTimeout = 150 * time.Millisecond })
	begun := time.Now()
	c := g.dial()
	c.send("GET / HTTP/1.1\r\nHost: h\r\nX: ")
	dripping := drip(c.Conn, 10*time.Millisecond)
	a := c.answer("GET")
	between(t, "the refusal", begun, 150*time.Millisecond, 300*time.Millisecond)
	if a.Status != 408 || !a.Close {
		t.Fatalf("got %+v; want 408 and the end of the connection", a)
	}
	_ = c.Close()
	within(t, "the end of the drip", dripping)
	if up.bytesSeen() != "" {
		t.Fatalf("the upstream: got %q; want nothing", up.bytesSeen())
	}
}

func TestConnectionThatSaysNothing(t *testing.T) {
	g := startGateway(t, proxyTo("http://127.0.0.1:9"), func(o *Options) { o.Listen.HeadTimeout = 100 * time.Millisecond })
	begun := time.Now()
	c := g.dial()
	c.closed()
	between(t, "the end of the connection", begun, 100*time.Millisecond, 300*time.Millisecond)
}

func TestConnectionThatIdles(t *testing.T) {
	up := startUpstream(t, answerEach(ok))
	g := startGateway(t, proxyTo(up.url()), func(o *Options) { o.Listen.IdleTimeout = 100 * time.Millisecond })
	c := g.dial()
	c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if a := c.answer("GET"); a.Status != 200 {
		t.Fatalf("got %+v; want 200", a)
	}
	begun := time.Now()
	c.closed()
	between(t, "the end of the connection", begun, 50*time.Millisecond, 300*time.Millisecond)
}

func TestBodyThatStops(t *testing.T) {
	cut := make(chan error, 1)
	up := startUpstream(t, func(c *upstreamConn) {
		if r := c.request(); r != nil {
			cut <- r.Err
		}
	})
	g := startGateway(t, proxyTo(up.url()), func(o *Options) { o.Listen.BodyTimeout = 100 * time.Millisecond })

	c := g.dial()
	c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
	if a := c.answer("POST"); a.Status != 408 || !a.Close {
		t.Fatalf("a small body: got %+v; want 408 and the end of the connection", a)
	}
	if up.bytesSeen() != "" {
		t.Fatalf("the upstream: got %q; want nothing of a body that is not whole", up.bytesSeen())
	}

	c = g.dial()
	c.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
	if a := c.answer("POST"); a.Status != 408 || !a.Close {
		t.Fatalf("a streamed body: got %+v; want 408 and the end of the connection", a)
	}
	if err := within(t, "the end at the upstream", cut); err == nil {
		t.Fatal("the upstream: got a whole request; want it cut off")
	}
}

func TestClientThatVanishesInItsBody(t *testing.T) {
	cut := make(chan error, 1)
	up := startUpstream(t, func(c *upstreamConn) {
		if r := c.request(); r != nil {
			cut <- r.Err
		}
	})
	g := startGateway(t, proxyTo(up.url()))
	for _, reset := range []bool{false, true} {
		for _, framing := range []string{"Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n", "Content-Length: 1000000\r\n\r\nfirst"} {
			t.Run(fmt.Sprintf("reset=%t/%.3s", reset, framing), func(t *testing.T) {
				mark := len(up.bytesSeen())
				c := g.dial()
				c.send("POST / HTTP/1.1\r\nHost: h\r\n" + framing)
				up.await("the first bytes", func(seen string) bool { return strings.Contains(seen[mark:], "first") })
				if reset {
					_ = c.Conn.(*net.TCPConn).SetLinger(0)
				}
				begun := time.Now()
				_ = c.Close()
				if err := within(t, "the end at the upstream", cut); err == nil {
					t.Fatal("the upstream: got a whole request; want it cut off")
				}
				between(t, "the end at the upstream", begun, 0, 100*time.Millisecond)
			})
		}
	}
}

func TestClientThatVanishesBeforeItsAnswer(t *testing.T) {
	asked, ended := make(chan struct{}), make(chan struct{})
	up := startUpstream(t, func(c *upstreamConn) {
		c.request()
		asked <- struct{}{}
		_, _ = c.br.ReadByte() // until the gateway hangs up
		ended <- struct{}{}
	})
	g := startGateway(t, proxyTo(up.url()))
	for range 2 {
		c := g.dial()
		c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		within(t, "the request", asked)
		begun := time.Now()
		_ = c.Close()
		within(t, "the end at the upstream", ended)
		between(t, "the end at the upstream", begun, 0, time.Second)
	}
}

func TestPipelineOfAThousand(t *testing.T) {
	up := startUpstream(t, answerEach(ok))
	g := startGateway(t, proxyTo(up.url()))
	c := g.dial()
	var all strings.Builder
	const n = 1000
	for i := range n {
		fmt.Fprintf(&all, "GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", i)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		c.send(all.String())
	}()
	for i := range n {
		if a := c.answer("GET"); a.Status != 200 || a.Body != fmt.Sprintf("GET /%d", i) {
			t.Fatalf("answer %d: got %+v; want 200 with its target", i, a)
		}
	}
	within(t, "the end of sending", sent)
}

func TestManyConnections(t *testing.T) {
	up := startUpstream(t, answerEach(ok))
	g := startGateway(t, proxyTo(up.url()))
	var clients []*rawClient
	for i := range 300 {
		c := g.dial()
		c.send(fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", i))
		clients = append(clients, c)
	}
	for round := range 2 {
		for i, c := range clients {
			if a := c.answer("GET"); a.Status != 200 || a.Body != fmt.Sprintf("GET /%d", i) {
				t.Fatalf("client %d, round %d: got %+v; want 200", i, round, a)
			}
			if round == 0 {
				c.send(fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", i))
			}
		}
	}
}

func TestConnectionLimits(t *testing.T) {
	f := func(name string, tune func(*Options)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			up := startUpstream(t, answerEach(ok))
			g := startGateway(t, proxyTo(up.url()), tune)
			ask := func() (*rawClient, *rawAnswer) {
				c := g.dial()
				c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
				return c, c.answer("GET")
			}
			var held []*rawClient
			for range 4 {
				c, a := ask()
				if a.Status != 200 {
					t.Fatalf("within the limit: got %+v; want 200", a)
				}
				held = append(held, c)
			}
			c, a := ask()
			if a.Status != 503 || !a.Close || a.Err != nil || !json.Valid([]byte(a.Body)) ||
				a.Header.Get("Content-Type") != "application/problem+json" || a.Header.Get("Retry-After") == "" ||
				a.Header.Get("Proxy-Status") != "weir; error=connection_limit_reached" {
				t.Fatalf("beyond the limit: got %+v; want 503 with a problem", a)
			}
			_ = c.Close()
			held[0].send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			if a := held[0].answer("GET"); a.Status != 200 {
				t.Fatalf("a connection that was let in: got %+v; want 200", a)
			}
			_ = held[1].Close()
			for begun := time.Now(); ; {
				if _, a := ask(); a.Status == 200 {
					break
				}
				if time.Since(begun) > patient {
					t.Fatal("the place of a connection that has ended: got 503 still; want 200")
				}
			}
		})
	}
	f("total", func(o *Options) { o.MaxConnections = 4 })
	f("address", func(o *Options) { o.MaxConnectionsPerAddress = 4 })
}

// endless answers one request with more than anybody takes, counts what was
// taken, and reports when the gateway hangs up.
func endless(taken *atomic.Int64, ended chan<- struct{}) func(*upstreamConn) {
	return func(c *upstreamConn) {
		if c.request() == nil {
			return
		}
		c.reply("HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n")
		block := make([]byte, 64<<10)
		for {
			n, err := c.Write(block)
			taken.Add(int64(n))
			if err != nil {
				ended <- struct{}{}
				return
			}
		}
	}
}

func TestClientThatDoesNotRead(t *testing.T) {
	var taken atomic.Int64
	const clients = 20
	ended := make(chan struct{}, clients)
	up := startUpstream(t, endless(&taken, ended))
	g := startGateway(t, proxyTo(up.url()), func(o *Options) { o.Listen.SendTimeout = 300 * time.Millisecond })
	before := heapInUse()
	var open []*rawClient
	for range clients {
		c := g.dial()
		_ = c.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		open = append(open, c)
	}
	for range clients {
		within(t, "the end of an answer that nobody takes", ended)
	}
	// Sockets hold some megabytes each; the gateway may hold a buffer.
	if got, most := taken.Load(), int64(clients)*32<<20; got > most {
		t.Errorf("taken from the upstream: got %d bytes; want at most %d", got, most)
	}
	if grown := heapInUse() - before; grown > clients*512<<10 {
		t.Errorf("memory: got %d bytes more; want at most %d", grown, clients*512<<10)
	}
	for _, c := range open {
		if n, err := io.Copy(io.Discard, c.br); err == nil || n > 32<<20 {
			t.Fatalf("what the client finds in the end: got %d bytes, %v; want few and no proper end", n, err)
		}
	}
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

// An upstream that takes nothing must slow the client down, not fill memory.
func TestUploadThatNobodyTakes(t *testing.T) {
	release := make(chan struct{})
	up := startUpstream(t, func(c *upstreamConn) {
		if r, err := c.head(); err == nil {
			<-release
			_ = r.Body.Close()
		}
	})
	g := startGateway(t, proxyTo(up.url()), func(o *Options) { o.Upstream.IdleTimeout = 300 * time.Millisecond })
	before := heapInUse()
	c := g.dial()
	c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1099511627776\r\n\r\n")
	sent := make(chan int64)
	go func() {
		var n int64
		block := make([]byte, 64<<10)
		for {
			m, err := c.Conn.Write(block)
			n += int64(m)
			if err != nil {
				sent <- n
				return
			}
		}
	}()
	if a := c.answer("POST"); a.Status != 504 || !a.Close {
		t.Fatalf("got %+v; want 504 and the end of the connection", a)
	}
	if grown := heapInUse() - before; grown > 4<<20 {
		t.Errorf("memory: got %d bytes more; want at most %d", grown, 4<<20)
	}
	_ = c.Close()
	if n := within(t, "the end of sending", sent); n > 64<<20 {
		t.Errorf("taken from the client: got %d bytes; want at most %d", n, 64<<20)
	}
	close(release)
}

// An answer that comes before the request is whole must reach the client,
// although the rest of the request is not read.
func TestEarlyAnswer(t *testing.T) {
	up := startUpstream(t, func(c *upstreamConn) {
		if _, err := c.head(); err == nil {
			c.reply("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
		}
	})
	g := startGateway(t, proxyTo(up.url()))
	for range 10 {
		c := g.dial()
		c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n", strings.Repeat("x", 50000))
		a := c.answer("POST")
		if a.Status != 413 || a.Body != "big" || !a.Close {
			t.Fatalf("got %+v; want the upstream's 413 and the end of the connection", a)
		}
		c.send(strings.Repeat("x", 50000))
		c.closed()
		_ = c.Close()
	}
}

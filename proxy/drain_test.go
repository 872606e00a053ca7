package proxy

import (
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

const plainGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

// heldUpstream answers each request once told to.
func heldUpstream(t *testing.T) (up *rawUpstream, arrived, release chan struct{}) {
	arrived, release = make(chan struct{}, 10), make(chan struct{})
	up = startUpstream(t, answerEach(func(*rawRequest) string {
		arrived <- struct{}{}
		<-release
		return okText("done")
	}))
	return up, arrived, release
}

// stopped stops the gateway and returns a channel that is closed when it has.
func (g *testGateway) stopped() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.stop()
	}()
	return done
}

func TestDrainLetsRequestsEnd(t *testing.T) {
	t.Parallel()
	up, arrived, release := heldUpstream(t)
	g := startGateway(t, proxyTo(up.url()), func(o *Options) { o.DrainTimeout = patient })
	address := g.address()
	busy, idle, fresh := g.dial(), g.dial(), g.dial()
	idle.send(plainGet)
	within(t, "the request at the upstream", arrived)
	release <- struct{}{}
	idle.answer("GET")
	busy.send(plainGet)
	within(t, "the request at the upstream", arrived)

	done := g.stopped()
	idle.closed()
	fresh.closed()
	g.eventually("refusing connections", func() bool {
		c, err := net.DialTimeout("tcp", address, patient)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	select {
	case <-done:
		t.Fatal("the gateway ended before its request did")
	default:
	}
	close(release)
	if a := busy.answer("GET"); a.Status != 200 || a.Body != "done" || !a.Close {
		t.Errorf("got %+v; want the whole answer and Connection: close", a)
	}
	busy.closed()
	within(t, "the end of the drain", done)
}

// eventually waits until cond holds.
func (g *testGateway) eventually(what string, cond func() bool) {
	g.t.Helper()
	for late := time.Now().Add(patient); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(late) {
			g.t.Fatalf("%s did not happen within %s", what, patient)
		}
	}
}

func TestDrainClosesKeptConnections(t *testing.T) {
	t.Parallel()
	g := startGateway(t, answering("a"), func(o *Options) { o.DrainTimeout = patient })
	kept := g.dial()
	kept.send(plainGet)
	if a := kept.answer("GET"); a.Status != 200 {
		t.Fatalf("got %d; want 200", a.Status)
	}
	begun := time.Now()
	done := g.stopped()
	kept.closed()
	within(t, "the end of the drain", done)
	if took := time.Since(begun); took > patient/2 {
		t.Errorf("idle connections held the drain for %s", took)
	}
}

// tunnelUpstream changes protocols and then says what it gets.
func tunnelUpstream(t *testing.T) *rawUpstream {
	return startUpstream(t, func(c *upstreamConn) {
		r := c.request()
		if r == nil {
			return
		}
		c.reply(openWebSocket(r.Header.Get("Sec-WebSocket-Key")))
		buf := make([]byte, 100)
		for n, err := c.br.Read(buf); err == nil; n, err = c.br.Read(buf) {
			c.reply(string(buf[:n]))
		}
	})
}

// openWebSocket is the answer that opens a WebSocket (RFC 6455 §4.2.2).
func openWebSocket(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
}

func (g *testGateway) tunnel() *rawClient {
	g.t.Helper()
	c := g.dial()
	c.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	if a := c.answer("GET"); a.Status != 101 {
		g.t.Fatalf("got %d; want 101", a.Status)
	}
	return c
}

func (c *rawClient) echoes(text string) {
	c.t.Helper()
	c.send(text + "\n")
	if got, err := c.br.ReadString('\n'); err != nil || got != text+"\n" {
		c.t.Fatalf("got %q, %v; want %q", got, err, text)
	}
}

func TestDrainGivesTunnelsGrace(t *testing.T) {
	t.Parallel()
	up := tunnelUpstream(t)
	g := startGateway(t, proxyTo(up.url()), func(o *Options) { o.DrainTimeout, o.TunnelGrace = patient, 300*time.Millisecond })
	c := g.tunnel()
	c.echoes("before")
	begun := time.Now()
	done := g.stopped()
	g.eventually("draining", func() bool { ok, _ := g.Ready(); return !ok })
	c.echoes("while draining")
	c.closed()
	within(t, "the end of the drain", done)
	if took := time.Since(begun); took < 250*time.Millisecond || took > patient {
		t.Errorf("got an end after %s; want one after the grace of 300ms", took)
	}
}

func TestDrainEndsWhenTunnelsDo(t *testing.T) {
	t.Parallel()
	up := tunnelUpstream(t)
	g := startGateway(t, proxyTo(up.url()), func(o *Options) { o.DrainTimeout, o.TunnelGrace = 2*patient, 2*patient })
	c := g.tunnel()
	c.echoes("before")
	done := g.stopped()
	_ = c.Close()
	within(t, "the end of the drain", done)
}

func TestDrainCutsStragglers(t *testing.T) {
	t.Parallel()
	up, arrived, release := heldUpstream(t)
	defer close(release)
	g := startGateway(t, proxyTo(up.url()), func(o *Options) { o.DrainTimeout = 200 * time.Millisecond })
	slow, uploading := g.dial(), g.dial()
	slow.send(plainGet)
	within(t, "the request at the upstream", arrived)
	uploading.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nnot all")
	begun := time.Now()
	within(t, "the end of the drain", g.stopped())
	if took := time.Since(begun); took < 150*time.Millisecond {
		t.Errorf("requests were cut after %s; want 200ms for them to end", took)
	}
	for _, c := range []*rawClient{slow, uploading} {
		// Unread bytes of an upload make the end a reset.
		if rest, err := io.ReadAll(c.br); len(rest) > 0 || isTimeoutError(err) {
			t.Errorf("after the cut: got %q, %v; want the end of the connection", rest, err)
		}
	}
}

func TestDrainSaysSoFirst(t *testing.T) {
	t.Parallel()
	const delay = 300 * time.Millisecond
	g := startGateway(t, answering("a"), func(o *Options) { o.DrainDelay, o.ControlAddress = delay, "127.0.0.1:0" })
	control := g.ControlAddress()
	ready := func() *rawAnswer {
		c := dialRaw(t, control)
		defer c.Close()
		c.send("GET /readyz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		return c.answer("GET")
	}
	if a := ready(); a.Status != 200 || a.Body != "ready\n" {
		t.Fatalf("readyz: got %d %q; want 200 and ready", a.Status, a.Body)
	}
	done := g.stopped()
	g.eventually("draining", func() bool { ok, _ := g.Ready(); return !ok })
	if a := ready(); a.Status != 503 || a.Body != "draining\n" {
		t.Errorf("readyz: got %d %q; want 503 and draining", a.Status, a.Body)
	}
	if a := g.exchange(plainGet); a.Status != 200 || !strings.Contains(a.Body, "a") {
		t.Errorf("during the delay: got %d; want requests served", a.Status)
	}
	within(t, "the end of the drain", done)
}

// TestDrainServesWhatArrives: a request that comes while the drain begins is
// served or the connection is closed; it never gets another answer.
func TestDrainServesWhatArrives(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, answerEach(func(r *rawRequest) string { return okText(r.Body) }))
	for range 30 {
		g := startGateway(t, proxyTo(up.url()), func(o *Options) { o.DrainTimeout = patient })
		var clients []*rawClient
		for range 8 {
			clients = append(clients, g.dial())
		}
		for _, c := range clients {
			c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel")
		}
		done := g.stopped()
		g.eventually("draining", func() bool { ok, _ := g.Ready(); return !ok })
		for _, c := range clients {
			c.send("lo")
		}
		for i, c := range clients {
			if a, err := c.tryAnswer("POST"); err == nil && (a.Status != 200 || a.Body != "hello") {
				t.Fatalf("client %d: got %d %q; want 200 or the end of the connection", i, a.Status, a.Body)
			}
			_ = c.Close()
		}
		within(t, "the end of the drain", done)
	}
}

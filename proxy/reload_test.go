package proxy

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// answering returns a document that answers every request with a text.
func answering(text string) string {
	return fmt.Sprintf("apis: { all: { routes: [ { path: $default, answer: { body: %q } } ] } }\n", text)
}

// startFile serves a document in a file, which the gateway watches.
func startFile(t *testing.T, path string) *testGateway {
	t.Helper()
	options := testOptionsIn(t)
	options.Watch = true
	g, err := New(options, &FileSource{Path: path}, "test", zerolog.New(testWriter{t}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- g.Run(ctx, func() { close(ready) }) }()
	within(t, "listening", ready)
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return &testGateway{Gateway: g, t: t}
}

// becomes waits until the gateway answers with a text.
func (g *testGateway) becomes(want string) {
	g.t.Helper()
	const request = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
	late := time.After(patient)
	for {
		got := g.exchange(request).Body
		if got == want {
			return
		}
		select {
		case <-late:
			g.t.Fatalf("got %q; want %q", got, want)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReloadWhenTheFileChanges(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "weir.yaml")
	write(t, path, answering("one"))
	g := startFile(t, path)
	g.becomes("one")

	write(t, path, answering("two")) // in place
	g.becomes("two")

	aside := path + ".new" // as editors do
	write(t, aside, answering("three"))
	if err := os.Rename(aside, path); err != nil {
		t.Fatal(err)
	}
	g.becomes("three")

	if err := os.Remove(path); err != nil { // gone for a while
		t.Fatal(err)
	}
	write(t, path, answering("four"))
	g.becomes("four")
}

// A ConfigMap is a link to a link to a directory; the middle one is swapped.
func TestReloadWhenALinkIsSwapped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	version := func(name, text string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name, "weir.yaml"), answering(text))
		if err := os.Symlink(name, filepath.Join(dir, "..tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..1", "one")
	if err := os.Symlink("..data/weir.yaml", filepath.Join(dir, "weir.yaml")); err != nil {
		t.Fatal(err)
	}
	g := startFile(t, filepath.Join(dir, "weir.yaml"))
	g.becomes("one")
	for _, next := range []string{"two", "three"} {
		version("..of-"+next, next)
		g.becomes(next)
	}
}

func TestReloadOfABadDocument(t *testing.T) {
	t.Parallel()
	g := startGateway(t, answering("good"))
	f := func(document string, want ...string) {
		t.Helper()
		g.source.set(document)
		err := g.Reload()
		if err == nil {
			t.Fatalf("Reload: got no error; want one for\n%s", document)
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("Reload: got %q; want %q in it", err, w)
			}
		}
		g.becomes("good")
	}
	f("apis:\n  a: { routes: [ { path: /, upstream: nowhere } ] }\n", "weir.yaml:2:39", "nowhere")
	f("apis: { a: { routes: [ { path: /, answer: {}, x: y } ] } }\nbogus: 1\n", "weir.yaml:1:", "weir.yaml:2:1")
	f("apis: [", "weir.yaml:", "not valid YAML")
	f("", "empty")
	f(answering("new")+"listeners: { main: { address: \"192.0.2.1:1\" } }\n", "192.0.2.1:1")
	g.reload(answering("better"))
	g.becomes("better")
}

func TestReloadAddsAndRemovesListeners(t *testing.T) {
	t.Parallel()
	doc := func(text, listeners string) string { return answering(text) + "listeners: { " + listeners + " }\n" }
	const one, two = `one: { address: "127.0.0.1:0" }`, `two: { address: "127.0.0.2:0" }`
	g := startGateway(t, doc("a", one))
	first := g.address("one")
	kept := dialRaw(t, first)
	const request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	kept.send(request)
	kept.answer("GET")

	g.reload(doc("b", one+", "+two))
	if g.address("one") != first {
		t.Errorf("got the first listener at %s; want it at %s still", g.address("one"), first)
	}
	second := g.address("two")
	other := dialRaw(t, second)
	other.send(request)
	if got := other.answer("GET").Body; got != "b" {
		t.Errorf("on the new listener: got %q; want b", got)
	}

	g.reload(doc("c", two))
	if _, err := net.DialTimeout("tcp", first, patient); err == nil {
		t.Errorf("the listener that was taken away still accepts")
	}
	for _, c := range []*rawClient{kept, other} {
		c.send(request)
		if got := c.answer("GET").Body; got != "c" {
			t.Errorf("on a connection from before: got %q; want c", got)
		}
	}

	// One that cannot be opened changes nothing, the one before it in order included.
	g.source.set(doc("d", two+`, a: { address: "127.0.0.3:0" }, z: { address: "192.0.2.1:1" }`))
	if err := g.Reload(); err == nil {
		t.Error("got no error for an address that this machine does not have")
	}
	if n := len(g.Addresses()); n != 1 {
		t.Errorf("got %d listeners; want 1", n)
	}
	other.send(request)
	if got := other.answer("GET").Body; got != "c" {
		t.Errorf("after a failed reload: got %q; want c", got)
	}
}

// TestReloadUnderLoad: 5,000 requests on kept connections during 20 reloads.
// None fails and no connection is closed, on either side.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, answerEach(func(*rawRequest) string { return okText("ok") }))
	g := startGateway(t, proxyTo(up.url()))
	const clients, requests, reloads = 5, 1000, 20
	var done atomic.Int64
	var running sync.WaitGroup
	for range clients {
		c := g.dial()
		_ = c.SetDeadline(time.Now().Add(6 * patient))
		running.Add(1)
		go func() {
			defer running.Done()
			for i := range requests {
				c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
				a, err := c.tryAnswer("GET")
				if err != nil || a.Status != 200 || a.Body != "ok" || a.Close {
					t.Errorf("request %d: got %+v, %v; want 200 on a kept connection", i, a, err)
					return
				}
				done.Add(1)
			}
		}()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		running.Wait()
	}()
	// Each reload comes when a further part of the requests was answered.
	for i := range reloads {
		for done.Load() < int64(i)*clients*requests/(reloads+1) && !t.Failed() {
			select {
			case <-ended:
			case <-time.After(time.Millisecond):
				continue
			}
			break
		}
		g.reload(fmt.Sprintf("%s# %d\n", proxyTo(up.url()), i))
	}
	<-ended
	if connections, _ := up.counts(); connections > clients {
		t.Errorf("got %d connections to the upstream; want at most %d", connections, clients)
	}
}

// TestReloadKeepsTunnelsAndStreams: even when their route is taken away.
func TestReloadKeepsTunnelsAndStreams(t *testing.T) {
	t.Parallel()
	next := make(chan string)
	up := startUpstream(t, func(c *upstreamConn) {
		r := c.request()
		if r == nil {
			return
		}
		if r.Header.Get("Upgrade") != "" {
			c.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			buf := make([]byte, 100)
			for n, err := c.br.Read(buf); err == nil; n, err = c.br.Read(buf) {
				c.reply(strings.ToUpper(string(buf[:n])))
			}
			return
		}
		c.reply("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
		for event := range next {
			c.reply(event)
		}
	})
	g := startGateway(t, proxyTo(up.url()))
	tunnel, stream := g.dial(), g.dial()
	tunnel.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n")
	if a := tunnel.answer("GET"); a.Status != 101 {
		t.Fatalf("got %d; want 101", a.Status)
	}
	stream.send("GET / HTTP/1.0\r\n\r\n") // without chunks, so that the bytes are the events
	for i := range 5 {
		next <- fmt.Sprintf("event %d\n", i)
		if i == 0 {
			if line, err := stream.br.ReadString('\n'); err != nil || !strings.Contains(line, " 200 ") {
				t.Fatalf("got %q, %v; want 200", line, err)
			}
			for line := "x"; line != "\r\n"; {
				var err error
				if line, err = stream.br.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got, err := stream.br.ReadString('\n'); err != nil || got != fmt.Sprintf("event %d\n", i) {
			t.Fatalf("got %q, %v; want event %d", got, err, i)
		}
		tunnel.send(fmt.Sprintf("ping %d\n", i))
		if got, err := tunnel.br.ReadString('\n'); err != nil || got != fmt.Sprintf("PING %d\n", i) {
			t.Fatalf("got %q, %v; want PING %d", got, err, i)
		}
		g.reload(answering(fmt.Sprint("gone ", i))) // upstream and route with it
	}
	close(next)
	_ = tunnel.Close()
}

func TestReloadsAtOnce(t *testing.T) {
	t.Parallel()
	g := startGateway(t, answering("a"))
	var running sync.WaitGroup
	for range 4 {
		running.Add(1)
		go func() {
			defer running.Done()
			for range 20 {
				if err := g.Reload(); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	running.Wait()
	g.becomes("a")
}

func TestNewWithoutADocument(t *testing.T) {
	if _, err := New(testOptions(), &textSource{}, "test", zerolog.Nop()); err == nil {
		t.Error("New: got no error for an empty document")
	}
}

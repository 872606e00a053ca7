package proxy

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// socketPath returns a path that is short enough for a Unix socket.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func TestListenersOfEachKind(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	g := startGateway(t, answering("a")+`
listeners:
  four: { address: "127.0.0.1:0" }
  six: { address: "[::1]:0" }
  every: { address: ":0" }
  file: { address: "unix:`+path+`" }
`)
	f := func(name, prefix string) {
		t.Helper()
		address := g.address(name)
		if !strings.HasPrefix(address, prefix) {
			t.Errorf("%s: got %s; want %s…", name, address, prefix)
		}
		if name == "every" {
			_, port, _ := net.SplitHostPort(address)
			for _, host := range []string{"127.0.0.1", "::1"} {
				c := dialRaw(t, net.JoinHostPort(host, port))
				c.send(plainGet)
				if a := c.answer("GET"); a.Body != "a" {
					t.Errorf("%s at %s: got %q; want a", name, host, a.Body)
				}
			}
			return
		}
		c := dialRaw(t, address)
		c.send(plainGet)
		if a := c.answer("GET"); a.Body != "a" {
			t.Errorf("%s: got %q; want a", name, a.Body)
		}
	}
	f("four", "127.0.0.1:")
	f("six", "[::1]:")
	f("every", "[::]:")
	f("file", path)
	g.stop()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket's file is still there: %v", err)
	}
}

// A listener that speaks HTTP/2 alone ends what begins otherwise with a GOAWAY.
func TestClearHTTP2Alone(t *testing.T) {
	t.Parallel()
	g := startGateway(t, answering("a")+`
listeners:
  alone: { address: "127.0.0.1:0", protocols: [h2] }
  both: { address: "127.0.0.1:0", protocols: [h2, http/1.1] }
`)
	c := dialRaw(t, g.address("both"))
	c.send(plainGet)
	if a := c.answer("GET"); a.Body != "a" {
		t.Errorf("both: got %q; want a", a.Body)
	}
	c = dialRaw(t, g.address("alone"))
	c.send(plainGet)
	said, err := io.ReadAll(c.Conn)
	if err != nil || bytes.Contains(said, []byte("HTTP/1.1")) || !bytes.HasSuffix(said, []byte("no preface")) {
		t.Errorf("alone: got %q, %v; want a GOAWAY that tells of the preface, and the end", said, err)
	}
}

func TestUnixUpstream(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	up := serveUpstream(t, ln, answerEach(func(r *rawRequest) string { return okText(r.Host + r.Target) }))
	g := startGateway(t, proxyTo("unix:"+path)+"listeners: { main: { address: \"unix:"+socketPath(t)+"\" } }\n")
	c := dialRaw(t, g.address())
	for range 2 {
		c.send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
		if a := c.answer("GET"); a.Status != 200 || a.Body != "localhost/x" {
			t.Fatalf("got %d %q; want 200 from the upstream", a.Status, a.Body)
		}
	}
	if connections, _ := up.counts(); connections != 1 {
		t.Errorf("got %d connections; want 1", connections)
	}
}

func TestUnixListenerAfterADeadProcess(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	document := answering("a") + "listeners: { main: { address: \"unix:" + path + "\" } }\n"
	run := func() error {
		g, err := New(testOptions(), &textSource{text: document}, "", zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		return g.Run(ctx, cancel)
	}
	if err := run(); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("somebody listens there: got %v; want an error that says so", err)
	}
	ln.SetUnlinkOnClose(false)
	_ = ln.Close()
	if err := run(); err != nil {
		t.Errorf("a dead process has left the file: got %v; want it replaced", err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(); err == nil {
		t.Error("a file that is no socket: got no error; want it left alone")
	}
	if content, _ := os.ReadFile(path); string(content) != "mine" {
		t.Errorf("a file that is no socket: got %q; want it left alone", content)
	}
}

func TestListenErrors(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	f := func(address, want string) {
		t.Helper()
		options := testOptions()
		options.ListenAddress = address
		g, err := New(options, &textSource{text: answering("a")}, "", zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if err := g.Run(ctx, cancel); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), address) {
			t.Errorf("-listen %s: got %v; want %q", address, err, want)
		}
	}
	f(taken.Addr().String(), "in use by another process")
	f("192.0.2.1:0", "this machine does not have the address")
	f("127.0.0.1:99999", "invalid port")
	f("nonsense", "missing port")
	f("unix:/nonexistent/dir/s", "no such file or directory")
}

// TestWildcardsKeepToTheirFamily: a program that opens 0.0.0.0 is not surprised
// by clients of IPv6, and both can be listened on at one port.
func TestWildcardsKeepToTheirFamily(t *testing.T) {
	port := freePort(t)
	g := startGateway(t, answering("a")+`
listeners: { four: { address: "0.0.0.0:`+port+`" }, six: { address: "[::]:`+port+`" } }
`)
	for _, host := range []string{"127.0.0.1", "::1"} {
		c := dialRaw(t, net.JoinHostPort(host, port))
		c.send(plainGet)
		if a := c.answer("GET"); a.Body != "a" {
			t.Errorf("%s: got %q; want a", host, a.Body)
		}
	}
	g.reload(answering("a") + `listeners: { four: { address: "0.0.0.0:` + port + `" } }`)
	if c, err := net.Dial("tcp", "[::1]:"+port); err == nil {
		_ = c.Close()
		t.Error("0.0.0.0 takes connections of IPv6")
	}
}

// TestListenerMovesWithinItsPort: the addresses of old and new overlap. It runs
// alone, as the other tests of listeners that close do: a test that starts a
// program beside it would hold their sockets open for a moment, in its fork.
func TestListenerMovesWithinItsPort(t *testing.T) {
	port := freePort(t)
	doc := func(host string) string {
		return answering("a") + `listeners: { main: { address: "` + host + ":" + port + `" } }`
	}
	g := startGateway(t, doc(""))
	for _, host := range []string{"127.0.0.1", "0.0.0.0", "", "127.0.0.1"} {
		g.reload(doc(host))
		c := dialRaw(t, "127.0.0.1:"+port)
		c.send(plainGet)
		if a := c.answer("GET"); a.Body != "a" {
			t.Errorf("on %q: got %q; want a", host, a.Body)
		}
	}
}

// freePort returns a port that nobody listens on now, below those that the
// system gives to clients and to listeners on :0: no other test will get it.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(12_000 + rand.IntN(8_000))
		if ln, err := net.Listen("tcp", ":"+port); err == nil {
			_ = ln.Close()
			return port
		}
	}
	t.Fatal("no free port found")
	return ""
}

// TestListenerChangesItsName: the socket stays, connections with it.
func TestListenerChangesItsName(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	_ = ln.Close()
	doc := func(names ...string) string {
		text := answering("a") + "listeners:\n"
		for _, name := range names {
			text += "  " + name + "\n"
		}
		return text
	}
	g := startGateway(t, doc(`old: { address: "`+address+`" }`, `other: { address: "127.0.0.1:0" }`))
	kept := dialRaw(t, address)
	kept.send(plainGet)
	kept.answer("GET")
	other := g.address("other")

	g.reload(doc(`new: { address: "`+address+`", maxConnections: 2 }`, `old: { address: "127.0.0.1:0" }`))
	if g.address("new") != address || g.address("old") != other || len(g.Addresses()) != 2 {
		t.Errorf("got %v; want %s as new and %s as old", g.Addresses(), address, other)
	}
	fresh := dialRaw(t, address)
	for _, c := range []*rawClient{kept, fresh} {
		c.send(plainGet)
		if a := c.answer("GET"); a.Status != 200 || a.Close {
			t.Errorf("got %+v; want 200 on a kept connection", a)
		}
	}
	beyond := dialRaw(t, address)
	beyond.send(plainGet)
	if a := beyond.answer("GET"); a.Status != 503 {
		t.Errorf("beyond the new limit: got %d; want 503", a.Status)
	}
	if got := g.metric(`weir_connections_accepted_total{listener="new"}`); got != "1" {
		t.Errorf("connections of the new name: got %s; want 1", got)
	}
}

// TestFailedReloadChangesNoListener: not even the limits of another one.
func TestFailedReloadChangesNoListener(t *testing.T) {
	doc := func(rest string) string {
		return answering("a") + "listeners: { main: { address: \"127.0.0.1:0\"" + rest + " }\n"
	}
	g := startGateway(t, doc(" }"))
	for range 5 { // the order in which listeners are looked at varies
		g.source.set(doc(`, maxConnections: 1 }, bad: { address: "192.0.2.1:1" }`))
		if err := g.Reload(); err == nil {
			t.Fatal("got no error for an address that this machine does not have")
		}
		for range 2 {
			c := g.dial()
			c.send(plainGet)
			if a := c.answer("GET"); a.Status != 200 {
				t.Fatalf("got %d; want the limits from before", a.Status)
			}
		}
	}
}

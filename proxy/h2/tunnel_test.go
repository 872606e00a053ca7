package h2

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// pipe is a tunnel to a TCP peer.
type pipe struct{ *wire.Conn }

func (p pipe) Side() wire.Side { return p.Conn.Side([]byte("early ")) }

// tunnelServer serves extended CONNECT by a tunnel to an upstream, of which it
// returns the accepting end.
func tunnelServer(t *testing.T) (*served, chan net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	accepted := make(chan net.Conn, 1)
	s := serve(t, handle(func(x *exchange.Exchange) {
		h := &x.Request
		if !h.IsGet() || string(h.Peek("Upgrade")) != "websocket" || string(h.Peek("Connection")) != "Upgrade" ||
			len(h.Peek("Sec-WebSocket-Key")) != 24 || string(h.Peek("Sec-WebSocket-Version")) != "13" || x.RequestBody != nil {
			x.Response.SetStatusCode(400)
			x.Bytes = []byte(h.String())
			_ = x.Front.Send(x)
			return
		}
		nc, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		other, err := ln.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		accepted <- other
		x.Response.SetStatusCode(101)
		x.Response.SetNoDefaultContentType(true)
		x.Response.Set("Upgrade", "websocket")
		sum := sha1.Sum([]byte(string(h.Peek("Sec-WebSocket-Key")) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		x.Response.Set("Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(sum[:]))
		x.Response.Set("Sec-WebSocket-Protocol", "chat")
		x.Tunnel = pipe{wire.NewConn(nc)}
		x.Limits.Idle = time.Minute
		_ = x.Front.Send(x)
	}), nil)
	return s, accepted
}

func connect(more ...string) []string {
	return append([]string{":method: CONNECT", ":protocol: websocket", ":scheme: https", ":path: /chat", ":authority: a.example"}, more...)
}

// openTunnel opens a tunnel and returns the upstream's end of it.
func openTunnel(t *testing.T, c *client, id uint32, accepted chan net.Conn) net.Conn {
	t.Helper()
	c.headers(id, false, connect("sec-websocket-protocol: chat", "sec-websocket-key: ours")...)
	f, ok := c.next().(*http2.MetaHeadersFrame)
	if !ok || f.PseudoValue("status") != "200" || f.StreamEnded() {
		t.Fatalf("got %v", f)
	}
	for _, field := range f.Fields {
		switch field.Name {
		case ":status", "sec-websocket-protocol":
		default:
			t.Fatalf("got field %v", field)
		}
	}
	up := <-accepted
	t.Cleanup(func() { _ = up.Close() })
	_ = up.SetDeadline(time.Now().Add(10 * time.Second))
	return up
}

func (c *client) wantData(id uint32, want string, end bool) {
	c.tb.Helper()
	got := ""
	for {
		f, ok := c.next().(*http2.DataFrame)
		if !ok || f.StreamID != id {
			c.tb.Fatalf("got %v", f)
		}
		got += string(f.Data())
		if len(got) >= len(want) && (!end || f.StreamEnded()) {
			break
		}
	}
	if got != want {
		c.tb.Fatalf("got %q; want %q", got, want)
	}
}

func TestTunnel(t *testing.T) {
	s, accepted := tunnelServer(t)
	c := s.open(t)
	up := openTunnel(t, c, 1, accepted)
	c.wantData(1, "early ", false)
	c.do(c.fr.WriteData(1, false, []byte("ping")))
	b := make([]byte, 4)
	if _, err := io.ReadFull(up, b); err != nil || string(b) != "ping" {
		t.Fatalf("got %q, %v", b, err)
	}
	if _, err := up.Write([]byte("pong")); err != nil {
		t.Fatal(err)
	}
	c.wantData(1, "pong", false)
	if s.Tunnels() != 1 {
		t.Fatalf("got %d tunnels", s.Tunnels())
	}
	// Each direction ends by itself.
	c.do(c.fr.WriteData(1, true, []byte("last")))
	if got, err := io.ReadAll(up); err != nil || string(got) != "last" {
		t.Fatalf("got %q, %v", got, err)
	}
	_, _ = up.Write([]byte("bye"))
	_ = up.Close()
	c.wantData(1, "bye", true)
	// Another stream of the connection lives on.
	c.headers(3, true, get("/")...)
	if r := c.await(3); r.status != "400" {
		t.Fatalf("got %s", r)
	}
}

func TestTunnelIsCut(t *testing.T) {
	s, accepted := tunnelServer(t)
	c := s.open(t)
	up := openTunnel(t, c, 1, accepted)
	c.wantData(1, "early ", false)
	c.do(c.fr.WriteRSTStream(1, http2.ErrCodeCancel))
	if _, err := io.ReadAll(up); err != nil && !isEnd(err) {
		t.Fatal(err)
	}
	up = openTunnel(t, c, 3, accepted)
	c.wantData(3, "early ", false)
	s.CloseTunnels()
	if f, ok := c.next().(*http2.RSTStreamFrame); !ok || f.ErrCode != http2.ErrCodeCancel {
		t.Fatalf("got %v", f)
	}
	if _, err := io.ReadAll(up); err != nil && !isEnd(err) {
		t.Fatal(err)
	}
	c.headers(5, true, connect(":protocol: chat")...)
	if r := c.await(5); r.reset != http2.ErrCodeProtocol {
		t.Fatalf("got %s", r)
	}
	c.headers(7, true, ":method: CONNECT", ":protocol: chat", ":scheme: https", ":path: /chat", ":authority: a.example")
	if r := c.await(7); r.status != "501" {
		t.Fatalf("got %s", r)
	}
}

// TestTunnelWaitsForItsWindow has a client that takes nothing for a while.
func TestTunnelWaitsForItsWindow(t *testing.T) {
	s, accepted := tunnelServer(t)
	c := s.open(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 6})
	up := openTunnel(t, c, 1, accepted)
	c.wantData(1, "early ", false)
	if _, err := up.Write([]byte("more than nothing")); err != nil {
		t.Fatal(err)
	}
	c.do(c.fr.WritePing(false, [8]byte{}))
	if f, ok := c.next().(*http2.PingFrame); !ok {
		t.Fatalf("got %v", f)
	}
	c.do(c.fr.WriteWindowUpdate(1, 100))
	c.wantData(1, "more than nothing", false)
}

// TestTunnelThatDoesNotOpen holds that no answer but a right 101 looks to the
// client like an open WebSocket.
func TestTunnelThatDoesNotOpen(t *testing.T) {
	left, right := net.Pipe()
	t.Cleanup(func() { _, _ = left.Close(), right.Close() })
	for _, status := range []int{101, 200, 204} {
		s := serve(t, handle(func(x *exchange.Exchange) {
			x.Response.SetStatusCode(status)
			if status == 101 {
				x.Response.Set("Sec-WebSocket-Accept", "wrong")
				x.Tunnel = pipe{wire.NewConn(left)}
			}
			if err := x.Front.Send(x); !errors.Is(err, exchange.ErrUnsent) {
				t.Errorf("%d: got %v; want %v", status, err, exchange.ErrUnsent)
			}
			x.Response.Reset()
			x.Response.SetStatusCode(502)
			_ = x.Front.Send(x)
		}), nil)
		c := s.open(t)
		c.headers(1, false, connect()...)
		if got := c.await(1); got.status != "502" {
			t.Errorf("%d: got %s; want 502", status, got)
		}
	}
}

package upstream

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/frame"
	"weir/proxy/wire"
)

func TestH2WebSocket(t *testing.T) {
	heads := make(chan []string, 1)
	s := listenRaw(t, func(r *raw) {
		r.settings(frame.Setting{ID: frame.ConnectProtocol, Value: 1})
		var id uint32
		for {
			g, ok := r.next()
			switch {
			case !ok:
				return
			case g.Type == frame.Headers:
				heads <- r.fields(g.payload)
				id = g.Stream
				r.headers(id, frame.EndHeaders, ":status", "200", "sec-websocket-protocol", "chat")
				r.data(id, 0, "early")
			case g.Type == frame.Data && g.Flags.Has(frame.EndStream):
				r.data(id, frame.EndStream, "")
			case g.Type == frame.Data:
				r.data(id, 0, string(g.payload))
			}
		}
	})
	target := target(t, registry(t, nil), s.url)
	x := request("GET", "/ws")
	x.Request.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	x.Request.Set("Sec-WebSocket-Version", "13")
	if r := target.Send(x, &Call{Upgrade: []byte("WebSocket")}); r != nil {
		t.Fatalf("got refusal %s (%v)", r.Cause, x.Cause)
	}
	want := ":method=CONNECT :protocol=websocket :scheme=http :authority=example.org :path=/ws sec-websocket-version=13"
	if got := strings.Join(<-heads, " "); got != want {
		t.Fatalf("got %s; want %s", got, want)
	}
	if x.Response.StatusCode() != 101 || string(x.Response.Peek("Sec-WebSocket-Accept")) != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" ||
		string(x.Response.Peek("Upgrade")) != "websocket" || string(x.Response.Peek("Sec-WebSocket-Protocol")) != "chat" {
		t.Fatalf("got %s", x.Response.Header())
	}
	tunnel := x.Tunnel.(interface{ Side() wire.Side })
	end := tunnel.Side().Over.(*StreamTunnel)
	if _, err := end.Write([]byte(" late")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("early late"))
	if _, err := io.ReadFull(end, got); err != nil || string(got) != "early late" {
		t.Fatalf("got %q, %v; want the echo behind the early bytes", got, err)
	}
	if stats := target.Stats(); stats.Streams != 1 || target.InFlight() != 1 {
		t.Fatalf("got %+v; want the stream in use", stats)
	}
	_ = end.SetReadDeadline(time.Now().Add(short))
	if _, err := end.Read(got); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v; want the deadline", err)
	}
	_ = end.SetReadDeadline(time.Time{})
	if err := end.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := end.Read(got); err != io.EOF {
		t.Fatalf("got %v; want the end", err)
	}
	_ = end.Close()
	_ = end.Close()
	if stats := target.Stats(); stats.Streams != 0 || stats.Idle != 1 || target.InFlight() != 0 {
		t.Fatalf("got %+v, %d in flight; want the stream given back", stats, target.InFlight())
	}
}

func TestH2WithoutWebSocket(t *testing.T) {
	url, _ := serveH2C(t, nil)
	r := registry(t, nil)
	wantRefusal(t, targetOf(t, r, url), request("GET", "/ws"), &Call{Upgrade: []byte("websocket")}, exchange.ProtocolMismatch)

	cert, ca := certificate(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// One server for both, that upgrades only what comes over HTTP/1.1.
	server := &httptest.Server{Listener: l, EnableHTTP2: true, TLS: serverConfig(cert, nil), Config: &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", r.Header.Get("Upgrade"))
			w.WriteHeader(http.StatusSwitchingProtocols)
		}),
	}}
	server.StartTLS()
	t.Cleanup(server.Close)
	both, err := r.Acquire(Address{URL: server.URL, Protocol: "h2", TLS: optionsOf(ca)})
	if err != nil {
		t.Fatal(err)
	}
	x := request("GET", "/ws")
	if r := both.Send(x, &Call{Upgrade: []byte("websocket")}); r != nil {
		t.Fatalf("got refusal %s (%v)", r.Cause, x.Cause)
	}
	if _, ok := x.Tunnel.(*Tunnel); !ok || x.Response.StatusCode() != 101 {
		t.Fatalf("got %d and %T; want a tunnel over HTTP/1.1", x.Response.StatusCode(), x.Tunnel)
	}
	_ = x.Tunnel.Close()
}

package h3

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"weir/proxy/exchange"
)

// TestMigration holds that a client may change its address within a
// connection, and that a request has the address that it came from.
func TestMigration(t *testing.T) {
	s := serve(t, testConfig(), func(x *exchange.Exchange) { answer(x, 200, x.Peer.String()) })
	open := func() *quic.Transport {
		pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		tr := &quic.Transport{Conn: pc}
		t.Cleanup(func() { _, _ = tr.Close(), pc.Close() })
		return tr
	}
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	first, second := open(), open()
	conn, err := first.Dial(ctx, s.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &raw{t: t, conn: conn}
	f := func(tr *quic.Transport) {
		t.Helper()
		stream := c.open(get())
		_ = stream.Close()
		if got, want := read(stream).content, tr.Conn.LocalAddr().String(); got != want {
			t.Fatalf("got the peer %q; want %q", got, want)
		}
	}
	f(first)
	path, err := conn.AddPath(second)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.Probe(ctx); err != nil {
		t.Fatal(err)
	}
	if err := path.Switch(); err != nil {
		t.Fatal(err)
	}
	stream := c.open(get())
	_ = stream.Close()
	_ = read(stream) // the server has seen the change with this one
	f(second)
	_ = conn.CloseWithError(codeNoError, "")
}

// TestNoEarlyData holds that sessions are resumed, but that nothing is served
// before the handshake has ended: who recorded it could send it again.
func TestNoEarlyData(t *testing.T) {
	var served atomic.Int64
	s := serve(t, testConfig(), func(x *exchange.Exchange) {
		served.Add(1)
		answer(x, 200, "")
	})
	cache := tls.NewLRUClientSessionCache(4)
	stored := make(chan struct{}, 8)
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}, ServerName: "localhost", ClientSessionCache: watchedCache{cache, stored}}
	for _, resumed := range []bool{false, true} {
		ctx, cancel := context.WithTimeout(t.Context(), patient)
		conn, err := quic.DialAddrEarly(ctx, s.addr.String(), config, nil)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		c := &raw{t: t, conn: conn}
		stream := c.open(get())
		_ = stream.Close()
		if got := read(stream); got.status() != "200" {
			t.Fatalf("got %q, %v; want 200", got.heads, got.err)
		}
		if state := conn.ConnectionState(); state.Used0RTT || state.TLS.DidResume != resumed {
			t.Fatalf("got early data %v, resumed %v; want none, %v", state.Used0RTT, state.TLS.DidResume, resumed)
		}
		select {
		case <-stored:
		case <-time.After(patient):
			t.Fatal("got no session ticket")
		}
		_ = conn.CloseWithError(codeNoError, "")
	}
	if served.Load() != 2 {
		t.Fatalf("got %d requests served; want 2", served.Load())
	}
}

// watchedCache tells when a session was stored.
type watchedCache struct {
	tls.ClientSessionCache
	stored chan struct{}
}

func (c watchedCache) Put(key string, s *tls.ClientSessionState) {
	c.ClientSessionCache.Put(key, s)
	if s != nil {
		c.stored <- struct{}{}
	}
}

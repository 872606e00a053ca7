package main

import (
	"context"
	"crypto/tls"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// door is a server for a test and the plan that asks it.
type door struct {
	plan   plan
	server *httptest.Server
}

func open(t *testing.T, protocol string, isTLS bool, handler http.HandlerFunc) door {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	t.Cleanup(server.Close)
	server.EnableHTTP2 = protocol == "h2"
	server.Config.ErrorLog = log.New(t.Output(), "", 0)
	if isTLS {
		server.StartTLS()
	} else {
		server.Config.Protocols = new(http.Protocols)
		server.Config.Protocols.SetHTTP1(true)
		server.Config.Protocols.SetUnencryptedHTTP2(true)
		server.Start()
	}
	p := planFor(server.Listener.Addr().String())
	p.protocol, p.isTLS, p.requests = protocol, isTLS, 200
	if protocol != "http/1.1" {
		p.streams = 5
	}
	return door{p, server}
}

// openH3 takes the certificate of a server over TCP.
func openH3(t *testing.T, handler http.HandlerFunc) plan {
	t.Helper()
	d := open(t, "h2", true, handler)
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http3.Server{Handler: handler, TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: d.server.TLS.Certificates})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(socket) }) // ends with the server
	t.Cleanup(func() {
		server.Close()
		socket.Close()
		serving.Wait()
	})
	d.plan.protocol, d.plan.address = "h3", socket.LocalAddr().String()
	return d.plan
}

func TestEveryProtocolIsSpoken(t *testing.T) {
	f := func(wantProto string, wantTLS bool, p func(http.HandlerFunc) plan) {
		t.Helper()
		var mutex sync.Mutex
		seen, wrong := 0, ""
		asked := p(func(_ http.ResponseWriter, r *http.Request) {
			mutex.Lock()
			defer mutex.Unlock()
			seen++
			if r.Proto != wantProto || (r.TLS != nil) != wantTLS {
				wrong = r.Proto
			}
		})
		o := count(context.Background(), asked)
		mutex.Lock()
		defer mutex.Unlock()
		if o.Requests != 200 || o.Failures != 0 || o.Closed != 0 || seen != 200 || wrong != "" {
			t.Fatalf("%s: got %+v, %d seen, %q among them; want 200 over %s alone", asked.protocol, o, seen, wrong, wantProto)
		}
	}
	over := func(protocol string, isTLS bool) func(http.HandlerFunc) plan {
		return func(handler http.HandlerFunc) plan { return open(t, protocol, isTLS, handler).plan }
	}
	f("HTTP/1.1", true, over("http/1.1", true))
	f("HTTP/2.0", true, over("h2", true))
	f("HTTP/2.0", false, over("h2", false))
	f("HTTP/3.0", true, func(handler http.HandlerFunc) plan { return openH3(t, handler) })
}

func TestFailuresShowInEveryProtocol(t *testing.T) {
	f := func(p func(http.HandlerFunc) plan) {
		t.Helper()
		asked := p(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			if _, err := w.Write([]byte("ab")); err != nil {
				return
			}
			panic(http.ErrAbortHandler)
		})
		asked.requests = 10
		if o := count(context.Background(), asked); o.Requests != 10 || o.Failures != 10 || o.FirstFailure == "" {
			t.Fatalf("%s: got %+v; want 10 failures", asked.protocol, o)
		}
	}
	f(func(handler http.HandlerFunc) plan { return open(t, "http/1.1", true, handler).plan })
	f(func(handler http.HandlerFunc) plan { return open(t, "h2", true, handler).plan })
	f(func(handler http.HandlerFunc) plan { return openH3(t, handler) })
}

// A connection that the server ended while nothing was under way fails nothing: the next request dials another.
func TestEndOfAnIdleConnectionFailsNothing(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.EnableHTTP2 = true
	server.Config.IdleTimeout = 10 * time.Millisecond
	server.StartTLS()
	defer server.Close()
	p := planFor(server.Listener.Addr().String())
	p.protocol, p.isTLS = "h2", true
	c := newClient(p)
	defer c.close()
	if err := c.ask(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); c.isOpen(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("got an open connection; want the server to end it")
		}
	}
	if err := c.ask(); err != nil || c.closed != 1 {
		t.Fatalf("got %v, %d closed; want an answer over a second connection", err, c.closed)
	}
}

// Every handshake is a whole one, with the group and the suite that all servers can do.
func TestHandshakesResumeNothing(t *testing.T) {
	var mutex sync.Mutex
	seen, others, addresses := 0, 0, map[string]bool{}
	d := open(t, "http/1.1", true, func(_ http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		defer mutex.Unlock()
		seen++
		addresses[r.RemoteAddr] = true
		if r.TLS.DidResume || r.TLS.Version != tls.VersionTLS13 || r.TLS.CurveID != tls.X25519 {
			others++
		}
	})
	d.plan.duration = 100 * time.Millisecond
	o := handshakes(context.Background(), d.plan)
	if o.Requests < 2 || o.Requests != seen || o.Failures != 0 || o.Closed != 0 || others != 0 || len(addresses) != seen {
		t.Fatalf("got %+v, %d seen over %d connections, %d of them not whole; want a whole handshake each", o, seen, len(addresses), others)
	}
}

func TestSaturateEndsInTime(t *testing.T) {
	d := open(t, "h2", true, func(http.ResponseWriter, *http.Request) {})
	d.plan.duration = 100 * time.Millisecond
	if o := saturate(context.Background(), d.plan); o.Requests < 20 || o.Failures != 0 || o.Seconds < 0.1 || o.P50 <= 0 {
		t.Fatalf("got %+v; want requests for 0.1 s and no failure", o)
	}
}

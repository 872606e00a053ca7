package upstream

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	stdtls "crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/proxy/exchange"
	weirtls "weir/tls"
)

// certificate makes a self-signed certificate for 127.0.0.1 and writes it to a file.
func certificate(t *testing.T) (stdtls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "upstream"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return stdtls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// listenTLS starts a scripted upstream behind TLS.
func listenTLS(t *testing.T, config *stdtls.Config, play func(p *peer)) *script {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, l, "https://"+l.Addr().String(), func(p *peer) {
		c := stdtls.Server(p.Conn, config)
		play(&peer{Conn: c, br: bufio.NewReader(c), n: p.n})
		_ = c.Close()
	})
}

func TestTLS(t *testing.T) {
	cert, ca := certificate(t)
	for _, version := range []uint16{stdtls.VersionTLS12, stdtls.VersionTLS13} {
		config := &stdtls.Config{Certificates: []stdtls.Certificate{cert}, MinVersion: version, MaxVersion: version}
		s := listenTLS(t, config, answers(hello))
		r := registry(t, nil)
		target, err := r.Acquire(Address{URL: s.url, TLS: weirtls.Options{CA: ca}})
		if err != nil {
			t.Fatal(err)
		}
		wantRound(t, target, request("GET", "/"), &Call{}, 200, "hello")
		big := strings.Repeat("x", 300_000)
		wantRound(t, target, withBody(request("POST", "/"), big), &Call{}, 200, "hello")
		wantRound(t, target, withUpload(request("POST", "/"), exchange.Chunked, strings.NewReader(big)), &Call{}, 200, "hello")
		if got := s.accepted.Load(); got != 1 {
			t.Fatalf("TLS %x: got %d connections; want 1", version, got)
		}

		stranger, err := r.Acquire(Address{URL: s.url})
		if err != nil {
			t.Fatal(err)
		}
		if stranger == target {
			t.Fatal("got one target for two ways of verifying it")
		}
		call := &Call{}
		wantRefusal(t, stranger, request("GET", "/"), call, exchange.TLSCertificate)
		if !call.Unsent {
			t.Fatal("got sent; want unsent when the handshake did not come about")
		}
	}
}

func TestTLSFailures(t *testing.T) {
	r := registry(t, nil)
	plain := listen(t, func(p *peer) {
		p.say("HTTP/1.1 400 Bad Request\r\n\r\n")
		p.drain()
	})
	target, err := r.Acquire(Address{URL: strings.Replace(plain.url, "http:", "https:", 1)})
	if err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, target, request("GET", "/"), &Call{}, exchange.TLSFailed)

	silent := listen(t, func(p *peer) { p.drain() })
	if target, err = r.Acquire(Address{URL: strings.Replace(silent.url, "http:", "https:", 1)}); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, target, request("GET", "/"), &Call{Connect: short}, exchange.ConnectTimeout)

	cert, ca := certificate(t)
	strict := &stdtls.Config{Certificates: []stdtls.Certificate{cert}, ClientAuth: stdtls.RequireAnyClientCert}
	asks := listenTLS(t, strict, answers(hello))
	if target, err = r.Acquire(Address{URL: asks.url, TLS: weirtls.Options{CA: ca}}); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, target, request("GET", "/"), &Call{}, exchange.TLSFailed)

	if _, err = r.Acquire(Address{URL: asks.url, TLS: weirtls.Options{CA: "/none.pem"}}); err == nil || !strings.Contains(err.Error(), "/none.pem") {
		t.Fatalf("got %v; want an error that names the file", err)
	}
}

// TestLateBytesUnderTLS sends the poison in the same write as the answer, so
// that it can lie in the buffers of TLS, where the socket shows nothing.
func TestLateBytesUnderTLS(t *testing.T) {
	cert, ca := certificate(t)
	config := &stdtls.Config{Certificates: []stdtls.Certificate{cert}}
	said := make(chan struct{}, 2)
	s := listenTLS(t, config, func(p *peer) {
		for {
			if _, _, err := p.request(); err != nil {
				return
			}
			p.say(hello)
			if p.n == 1 {
				p.say("HTTP/1.1 500 POISON\r\nContent-Length: 0\r\n\r\n")
			}
			said <- struct{}{}
		}
	})
	target, err := registry(t, nil).Acquire(Address{URL: s.url, TLS: weirtls.Options{CA: ca}})
	if err != nil {
		t.Fatal(err)
	}
	wantRound(t, target, request("GET", "/"), &Call{}, 200, "hello")
	<-said
	wantRound(t, target, request("GET", "/"), &Call{}, 200, "hello")
	if got := s.accepted.Load(); got != 2 {
		t.Fatalf("got %d connections; want the poisoned one dropped", got)
	}
}

func TestTunnelOverTLS(t *testing.T) {
	cert, ca := certificate(t)
	s := listenTLS(t, &stdtls.Config{Certificates: []stdtls.Certificate{cert}}, func(p *peer) {
		p.head()
		p.say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly")
		_, _ = io.Copy(p.Conn, p.br)
	})
	target, err := registry(t, nil).Acquire(Address{URL: s.url, TLS: weirtls.Options{CA: ca}})
	if err != nil {
		t.Fatal(err)
	}
	x := request("GET", "/")
	if r := target.Send(x, &Call{Upgrade: []byte("websocket")}); r != nil {
		t.Fatalf("got refusal %s (%v)", r.Cause, x.Cause)
	}
	defer x.Tunnel.Close()
	if side := x.Tunnel.(*Tunnel).Side(); side.Over == nil || string(side.Early) != "early" {
		t.Fatalf("got %+v; want TLS over the socket and the early bytes", side)
	}
	if _, err := x.Tunnel.Write([]byte("-late")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("early-late"))
	if _, err := io.ReadFull(x.Tunnel, got); err != nil || string(got) != "early-late" {
		t.Fatalf("got %q, %v", got, err)
	}
}

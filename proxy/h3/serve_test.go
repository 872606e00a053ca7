package h3

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"flag"
	"io"
	"math/big"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"weir/proxy/exchange"
)

// handlerFunc is a front.Handler.
type handlerFunc func(x *exchange.Exchange)

func (f handlerFunc) Serve(x *exchange.Exchange) { f(x) }

// served is a server on a socket of its own.
type served struct {
	*Server
	addr *net.UDPAddr
	leaf *x509.Certificate
	err  chan error
}

func testConfig() Config {
	var cfg Config
	fs := flag.NewFlagSet("", flag.PanicOnError)
	cfg.RegisterFlags(fs)
	cfg.Front.RegisterFlags(fs)
	return cfg
}

func serve(t testing.TB, cfg Config, handler func(x *exchange.Exchange)) *served {
	t.Helper()
	return serveWith(t, cfg, handler, nil)
}

// serveWith may change what the server asks.
func serveWith(t testing.TB, cfg Config, handler func(x *exchange.Exchange), tune func(*Listening)) *served {
	t.Helper()
	pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s := &served{Server: New(cfg, 2, handlerFunc(handler)), addr: pc.LocalAddr().(*net.UDPAddr), err: make(chan error, 1)}
	pair := certificate(t)
	s.leaf = pair.Leaf
	asked := Listening{
		TLS:  &tls.Config{Certificates: []tls.Certificate{pair}},
		Name: func() string { return "main" },
		Info: func(_ context.Context, state tls.ConnectionState) *exchange.TLS {
			return &exchange.TLS{ServerName: state.ServerName, Protocol: state.NegotiatedProtocol}
		},
	}
	if tune != nil {
		tune(&asked)
	}
	go func() { s.err <- s.Serve(pc, asked) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-s.err; err != nil {
			t.Errorf("Serve: got %v; want nil", err)
		}
	})
	return s
}

func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// url returns the URL of a path.
func (s *served) url(path string) string { return "https://" + s.addr.String() + path }

// client returns quic-go's client.
func client(t testing.TB) *http3.Transport {
	tr := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableCompression: true}
	t.Cleanup(func() { _ = tr.Close() })
	return tr
}

func do(t testing.TB, tr *http3.Transport, req *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: reading the answer: %v", req.Method, req.URL, err)
	}
	return resp, string(content)
}

func ask(t testing.TB, method, url string, body io.Reader) *http.Request {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func answer(x *exchange.Exchange, status int, content string) {
	x.Response.SetNoDefaultContentType(true)
	x.Response.SetStatusCode(status)
	x.Bytes = []byte(content)
	_ = x.Front.Send(x)
}

func TestFixedAnswer(t *testing.T) {
	s := serve(t, testConfig(), func(x *exchange.Exchange) {
		x.Response.Set("X-Seen", x.Protocol+" "+string(x.Request.Method())+" "+string(x.Target)+" "+string(x.Authority)+" "+x.Listener+" "+x.TLS.Protocol)
		answer(x, 200, "hello")
	})
	tr := client(t)
	for range 3 {
		resp, content := do(t, tr, ask(t, "GET", s.url("/a?b=c"), nil))
		want := "HTTP/3.0 GET /a?b=c " + s.addr.String() + " main h3"
		if resp.StatusCode != 200 || content != "hello" || resp.Header.Get("X-Seen") != want || resp.ContentLength != 5 {
			t.Fatalf("got %d %q %q; want 200 %q %q", resp.StatusCode, content, resp.Header, "hello", want)
		}
	}
}

func TestEcho(t *testing.T) {
	s := serve(t, testConfig(), func(x *exchange.Exchange) {
		x.MaxBody = -1
		body, err := io.ReadAll(x.RequestBody)
		if err != nil {
			answer(x, 400, err.Error())
			return
		}
		answer(x, 200, string(body))
	})
	tr := client(t)
	want := bytes.Repeat([]byte("0123456789"), 50_000)
	_, content := do(t, tr, ask(t, "POST", s.url("/"), bytes.NewReader(want)))
	if content != string(want) {
		t.Fatalf("got %d bytes; want %d", len(content), len(want))
	}
	_, content = do(t, tr, ask(t, "POST", s.url("/"), io.MultiReader(bytes.NewReader(want))))
	if content != string(want) {
		t.Fatalf("of unknown length: got %d bytes; want %d", len(content), len(want))
	}
}

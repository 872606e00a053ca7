package proxy

import (
	"context"
	stdtls "crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"weir/proxy/h3"
)

const overQUIC = `
listeners:
  https: { address: "127.0.0.1:0", tls: true, protocols: %s }
tls:
  certificates: [ { bundle: %q } ]
apis:
  shop:
    routes:
      - { path: "/own", answer: { body: %s } }
      - { path: "/up/{rest+}", upstream: up }
upstreams: { up: { targets: [ %q ] } }
domains:
  a.example.org: { mappings: { "": shop } }
  m.example.org: { mappings: { "": shop }, tls: { clientCertificates: { truststore: %q, forward: true } } }
`

// startQUIC serves HTTP/3 beside the others. The document is also returned,
// with its protocols and the body of /own left open.
func startQUIC(t *testing.T, protocols string, tune ...func(*Options)) (*testGateway, *testAuthority, func(protocols, own string) string) {
	t.Helper()
	up := startUpstream(t, answerEach(func(r *rawRequest) string {
		return okText(fmt.Sprintf("proto=%s cert=%t via=%s", r.Header.Get("X-Forwarded-Proto"), r.Header.Get("Client-Cert") != "", r.Header.Get("Via")))
	}))
	a := newAuthority(t)
	bundle := a.bundle("a.pem", "a.example.org", "m.example.org")
	file := a.file()
	document := func(protocols, own string) string {
		return fmt.Sprintf(overQUIC, protocols, bundle, own, up.url(), file)
	}
	return startGateway(t, document(protocols, "hello"), tune...), a, document
}

// http3 returns a client of HTTP/3 that finds the gateway under every name.
func (g *testGateway) http3(config *stdtls.Config) *http3.Transport {
	g.t.Helper()
	address := g.address("https")
	tr := &http3.Transport{
		TLSClientConfig:    config,
		DisableCompression: true,
		Dial: func(ctx context.Context, _ string, tlsConfig *stdtls.Config, quicConfig *quic.Config) (*quic.Conn, error) {
			tlsConfig.ServerName = config.ServerName
			return quic.DialAddr(ctx, address, tlsConfig, quicConfig)
		},
	}
	g.t.Cleanup(func() { _ = tr.Close() })
	return tr
}

// ask3 sends a request over HTTP/3.
func ask3(tr *http3.Transport, url string) (status int, header http.Header, body string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patient)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return 0, nil, "", err
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return 0, nil, "", err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(content), err
}

func TestHTTP3(t *testing.T) {
	t.Parallel()
	g, a, _ := startQUIC(t, "[h3, http/1.1]")
	port := g.address("https")[strings.LastIndexByte(g.address("https"), ':')+1:]

	c, _ := g.dialTLS("https", a.client("a.example.org"))
	c.send(get("/own", "a.example.org"))
	if got, want := c.answer("GET").Header.Get("Alt-Svc"), `h3=":`+port+`"; ma=86400`; got != want {
		t.Fatalf("over TCP: got Alt-Svc %q; want %q", got, want)
	}
	_ = c.Close()

	f := func(config *stdtls.Config, url string, status int, want string) {
		t.Helper()
		got, header, body, err := ask3(g.http3(config), url)
		if err != nil || got != status || !strings.Contains(body, want) {
			t.Fatalf("%s: got %d %q, %v; want %d %q", url, got, body, err, status, want)
		}
		if offer := header.Get("Alt-Svc"); offer != "" && !strings.HasPrefix(offer, "h3=") {
			t.Fatalf("%s: got Alt-Svc %q", url, offer)
		}
	}
	plain := a.client("a.example.org")
	f(plain, "https://a.example.org/own", 200, "hello")
	f(plain, "https://a.example.org/up/x", 200, "proto=https cert=false")
	f(plain, "https://a.example.org/none", 404, "no_route")
	f(plain, "https://m.example.org/own", 421, "")
	shown := a.client("m.example.org")
	shown.Certificates = []stdtls.Certificate{a.pair("me")}
	f(shown, "https://m.example.org/up/x", 200, "cert=true")

	metrics, err := g.AppendMetrics(nil)
	if err != nil || !strings.Contains(string(metrics), "weir_http3_streams_total 5") {
		t.Fatalf("got the metrics %s, %v; want 5 streams of HTTP/3", metrics, err)
	}
	if _, _, _, err := ask3(g.http3(a.client("m.example.org")), "https://m.example.org/own"); err == nil {
		t.Fatal("without a certificate: got an answer; want none")
	}
}

// TestHTTP3DuringReloads holds that reloads cost no request of HTTP/3, and that
// a connection goes on through them.
func TestHTTP3DuringReloads(t *testing.T) {
	t.Parallel()
	g, a, document := startQUIC(t, "[h3, h2, http/1.1]")
	var stop atomic.Bool
	served := make(chan bool)
	var clients sync.WaitGroup
	for range 2 {
		tr := g.http3(a.client("a.example.org"))
		clients.Go(func() {
			for !stop.Load() {
				status, _, _, err := ask3(tr, "https://a.example.org/own")
				if err != nil || status != 200 {
					t.Errorf("got %d, %v; want 200", status, err)
				}
				served <- err == nil && status == 200
			}
		})
	}
	for i := range 20 {
		g.reload(document("[h3, h2, http/1.1]", fmt.Sprintf("hello%d", i)))
		for range 5 {
			if !<-served {
				break
			}
		}
	}
	stop.Store(true)
	go func() {
		clients.Wait()
		close(served)
	}()
	for range served { // those that were under way
	}
	if got := g.quic.sum(func(s *h3.Stats) *atomic.Int64 { return &s.Connections }); got != 2 {
		t.Fatalf("got %d connections; want 2", got)
	}
}

// TestHTTP3IsTakenAway holds that a listener which no longer offers HTTP/3 lets
// its connections end and takes the offer back, and that it can offer it again.
func TestHTTP3IsTakenAway(t *testing.T) {
	t.Parallel()
	g, a, document := startQUIC(t, "[h3, http/1.1]")
	tr := g.http3(a.client("a.example.org"))
	if status, _, _, err := ask3(tr, "https://a.example.org/own"); err != nil || status != 200 {
		t.Fatalf("got %d, %v; want 200", status, err)
	}
	g.reload(document("[http/1.1]", "hello"))
	g.quic.ended.Wait()
	c, _ := g.dialTLS("https", a.client("a.example.org"))
	c.send(get("/own", "a.example.org"))
	if got := c.answer("GET").Header.Get("Alt-Svc"); got != "clear" {
		t.Fatalf("got Alt-Svc %q; want the offer taken back", got)
	}
	_ = c.Close()
	pc, err := net.ListenPacket("udp", g.address("https"))
	if err != nil {
		t.Fatalf("the port is not free: %s", err)
	}
	_ = pc.Close()
	g.reload(document("[h3, http/1.1]", "hello"))
	if status, _, _, err := ask3(g.http3(a.client("a.example.org")), "https://a.example.org/own"); err != nil || status != 200 {
		t.Fatalf("once more: got %d, %v; want 200", status, err)
	}
}

package house

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/proxy"
)

// call is one request to a served example and what must come back.
type call struct {
	method, host, path string
	status             int
	want               string // in the answer's head or body
}

// TestExamples serves each example in front of upstreams that tell what they
// received. An example without a row here fails.
func TestExamples(t *testing.T) {
	t.Parallel()
	calls := map[string][]call{
		"reverse-proxy.yaml": {
			{"GET", "", "/a/b?c=d", 200, "9000 GET /a/b?c=d"},
			{"DELETE", "", "/", 200, "9000 DELETE /"},
		},
		"several-upstreams.yaml": {
			{"POST", "", "/api/x", 200, "POST /api/x"},
			{"GET", "", "/static/logo.svg", 200, "9002 GET /files/logo.svg"},
			{"GET", "", "/about", 200, "9003 GET /about"},
		},
		"stages.yaml": {
			{"GET", "", "/pets/7", 200, "9000 GET /pets/7\nX-Stage: blue"},
			{"GET", "", "/next/pets/7", 200, "9001 GET /pets/7\nX-Stage: green"},
			{"GET", "", "/dev/login", 302, "Location: /"},
			{"POST", "", "/pets/7", 405, "no_method"},
		},
		"domains.yaml": {
			{"GET", "www.example.org", "/", 200, "welcome"},
			{"GET", "shop.example.org", "/x", 200, "9000 GET /x"},
			{"GET", "api.example.org", "/v1/orders/3", 200, "9001 GET /orders/3"},
			{"GET", "api.example.org", "/v1/test/orders/3", 200, "9001 GET /orders/3"},
			{"GET", "other.example.com", "/", 404, "no_domain"},
		},
		"redirects.yaml": {
			{"GET", "", "/old/a/b", 301, "Location: /new/a/b"},
			{"GET", "", "/docs", 302, "Location: https://docs.example.org/"},
			{"GET", "", "/users/ann/photo", 200, "9000 GET /photos/ann.jpg"},
			{"GET", "", "/v1/x", 200, "9000 GET /internal/x"},
			{"GET", "", "/robots.txt", 200, "Disallow: /"},
			{"GET", "", "/nowhere", 404, "not here"},
		},
		"headers.yaml": {
			{"GET", "shop.example.org", "/items", 200, "Host: shop.example.org"},
			{"GET", "", "/items", 200, "X-Content-Type-Options: nosniff"},
			{"GET", "", "/items", 200, "X-Gateway: weir"},
		},
		"websocket.yaml": {
			{"GET", "", "/events", 200, "event: tick"},
			{"UPGRADE", "", "/socket", 101, "Upgrade: websocket"},
			{"UPGRADE", "", "/rooms/1", 200, "9000 GET /rooms/1"},
		},
		"unix-sockets.yaml": {
			{"GET", "", "/x", 200, "unix GET /x"},
			{"GET", "", "/admin/x", 200, "unix GET /internal/admin/x"},
		},
		"grpc-upstream.yaml": {
			{"POST", "", "/shop.Cart/Add", 200, "9000 POST /shop.Cart/Add\nProtocol: HTTP/2.0"},
			{"GET", "", "/about", 200, "client.example.org GET /about\nProtocol: HTTP/2.0"},
		},
		"grpc.yaml": {
			{"POST", "", "/pets.Pets/Get", 200, "9000 POST /pets.Pets/Get"},
			{"POST", "", "/pets.Pets/Watch", 200, "Access-Control-Allow-Origin: https://www.example.org"},
			{"OPTIONS", "", "/pets.Pets/Get", 204, "Access-Control-Allow-Methods: POST"},
		},
		"tls.yaml": {
			{"GET", "shop.localhost", "/items", 200, "9000 GET /items"},
			{"GET", "shop.localhost", "/items", 200, "Strict-Transport-Security: max-age=31536000"},
			{"GET", "shop.localhost", "/items", 200, "Alt-Svc: h3="},
		},
		"limits.yaml": {
			{"GET", "", "/pets/7", 200, "Ratelimit: \"per-tenant\";r=19;t=1"},
			{"GET", "", "/search", 200, "9000 GET /search"},
			{"GET", "", "/report", 200, "9000 GET /report"},
			{"GET", "", "/report", 429, "throttled"},
		},
		"cache.yaml": {
			{"GET", "", "/static/a.css", 200, "Cache-Status: weir; fwd=miss; fwd-status=200; stored; ttl=300"},
			{"GET", "", "/static/a.css?utm_source=b", 200, "Cache-Status: weir; hit; ttl="},
			{"GET", "", "/search?page=2&q=a", 200, "stored; ttl=30"},
			{"GET", "", "/search?q=a&page=2&x=y", 200, "hit"},
			{"PURGE", "", "/static/a.css", 200, "{\"purged\":true}"},
			{"GET", "", "/static/a.css", 200, "fwd=miss"},
			{"GET", "", "/account/7", 200, "9000 GET /account/7"},
		},
		"cache-aws.yaml": {
			{"GET", "", "/pets/7?fields=name", 200, "stored; ttl=300"},
			{"GET", "", "/pets/7?other=1&fields=name", 200, "hit"},
			{"GET", "", "/pets/8?fields=name", 200, "9000 GET /pets/8"},
			{"GET", "", "/pets?page=1", 200, "stored; ttl=60"},
			{"POST", "", "/pets", 200, "9000 POST /pets"},
		},
		"usage-plans.yaml": {
			{"GET", "", "/orders?key=example-key-of-the-shop-0123456789", 200, "\"quota\";r=999999"},
			{"GET", "", "/orders?key=example-key-of-a-partner-0123456789", 200, "\"plan\";q=10;w=2"},
			{"GET", "", "/orders", 403, "{\"message\":\"Forbidden\"}"},
			{"GET", "", "/status", 200, "fine"},
			{"GET", "", "/nowhere", 403, "Missing Authentication Token"},
		},
		"upstream-tls.yaml": {
			{"GET", "", "/accounts/1", 200, "client.example.org GET /accounts/1"},
		},
	}
	files, err := filepath.Glob(filepath.Join(root, "docs/examples/*.yaml"))
	if err != nil || len(files) < 8 {
		t.Fatalf("got %d examples, %v; want 8 or more", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			rows := calls[filepath.Base(file)]
			if len(rows) == 0 {
				t.Fatal("the example has no row in this test")
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			address := serveExample(t, string(text))
			for _, c := range rows {
				status, answer := c.send(t, address)
				if status != c.status || !strings.Contains(answer, c.want) {
					t.Errorf("%s %s%s: got %d\n%s\nwant %d with %q", c.method, c.host, c.path, status, answer, c.status, c.want)
				}
			}
		})
	}
}

// send sends the request and returns the answer's status, and its fields and
// body as text.
func (c call) send(t *testing.T, address string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	method := strings.Replace(c.method, "UPGRADE", "GET", 1)
	request, err := http.NewRequestWithContext(ctx, method, address+c.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = c.host
	if c.method == "UPGRADE" {
		request.Header.Set("Connection", "Upgrade")
		request.Header.Set("Upgrade", "websocket")
		request.Header.Set("Sec-WebSocket-Version", "13")
		request.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	}
	transport := &http.Transport{
		DisableKeepAlives: true, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: c.host},
	}
	defer transport.CloseIdleConnections()
	answer, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatalf("%s %s: %v", c.method, c.path, err)
	}
	defer answer.Body.Close()
	var b strings.Builder
	if err := answer.Header.Write(&b); err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatalf("%s %s: %v", c.method, c.path, err)
		}
		b.Write(body)
	}
	return answer.StatusCode, strings.ReplaceAll(b.String(), "\r\n", "\n")
}

// serveExample serves a document whose addresses are moved to what this test
// opens, and returns where.
func serveExample(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for port := range 4 {
		name := fmt.Sprintf("127.0.0.1:%d", 9000+port)
		if strings.Contains(text, name) {
			text = strings.ReplaceAll(text, name, listenPlain(t, "tcp", "127.0.0.1:0", fmt.Sprint(9000+port)))
		}
	}
	if strings.Contains(text, "unix:/run/app.sock") {
		text = strings.ReplaceAll(text, "/run/app.sock", listenPlain(t, "unix", filepath.Join(dir, "app.sock"), "unix"))
	}
	if strings.Contains(text, "127.0.0.1:9443") {
		text = strings.ReplaceAll(text, "127.0.0.1:9443", listenTLS(t, dir))
	}
	text = strings.NewReplacer("/run/weir.sock", filepath.Join(dir, "weir.sock"), "127.0.0.1:8080", "127.0.0.1:0").Replace(text)
	file := filepath.Join(dir, "weir.yaml")
	writeFile(t, file, []byte(text))
	keys, err := os.ReadFile(filepath.Join(root, "docs/examples/keys.csv"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "keys.csv"), keys)

	var options proxy.Options
	options.RegisterFlags(flag.NewFlagSet("", flag.ContinueOnError))
	options.ListenAddress, options.ControlAddress, options.Log.Output = "127.0.0.1:0", "off", "off"
	options.Data = dir
	options.Watch, options.TunnelGrace, options.DrainTimeout = false, 0, time.Second
	g, err := proxy.New(options, &proxy.FileSource{Path: file}, "test", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- g.Run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		stop()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	scheme := "http://"
	if strings.Contains(text, "tls: true") {
		scheme = "https://"
	}
	for _, address := range g.Addresses() {
		if !strings.HasPrefix(address, "/") {
			return scheme + address
		}
	}
	t.Fatal("the example listens on no TCP address")
	return ""
}

// tell answers with what arrived, under the name of where it did.
func tell(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", r.Header.Get("Upgrade"))
			w.WriteHeader(http.StatusSwitchingProtocols)
			return
		}
		if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
			name = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		fmt.Fprintf(w, "%s %s %s\n", name, r.Method, r.URL.RequestURI())
		if r.ProtoMajor > 1 {
			fmt.Fprintf(w, "Protocol: %s\n", r.Proto)
		}
		for _, field := range []string{"X-Stage", "X-Gateway"} {
			if v := r.Header.Get(field); v != "" {
				fmt.Fprintf(w, "%s: %s\n", field, v)
			}
		}
		fmt.Fprintf(w, "Host: %s\n", r.Host)
	}
}

func listenPlain(t *testing.T, network, address, name string) string {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: ln, Config: &http.Server{Handler: tell(name), Protocols: new(http.Protocols)}}
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return ln.Addr().String()
}

// listenTLS serves TLS as accounts.example.org, asks for a client certificate,
// and writes the files that the example names into dir.
func listenTLS(t *testing.T, dir string) string {
	t.Helper()
	authority := newCertificate(t, "authority", nil)
	client := newCertificate(t, "client.example.org", &authority)
	own := newCertificate(t, "accounts.example.org", &authority)
	writeFile(t, filepath.Join(dir, "ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Certificate[0]}))
	writeFile(t, filepath.Join(dir, "client.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: client.Certificate[0]}))
	key, err := x509.MarshalPKCS8PrivateKey(client.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "client-key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))

	pool := x509.NewCertPool()
	pool.AddCert(authority.Leaf)
	server := httptest.NewUnstartedServer(tell("tls"))
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// newCertificate makes a certificate for name, signed by issuer or, without
// one, an authority of its own.
func newCertificate(t *testing.T, name string, issuer *tls.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	parent, signer := template, any(key)
	if issuer == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	} else {
		parent, signer = issuer.Leaf, issuer.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func writeFile(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

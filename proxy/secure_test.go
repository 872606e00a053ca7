package proxy

import (
	"bufio"
	stdtls "crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// dialTLS connects to a listener of the gateway over TLS.
func (g *testGateway) dialTLS(listener string, config *stdtls.Config) (*rawClient, *stdtls.Conn) {
	g.t.Helper()
	c := dialRaw(g.t, g.address(listener))
	over := stdtls.Client(c.Conn, config)
	if err := over.Handshake(); err != nil {
		g.t.Fatalf("cannot shake hands as %q: %s", config.ServerName, err)
	}
	c.Conn, c.br = over, bufio.NewReader(over)
	return c, over
}

func get(path, host string, fields ...string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + strings.Join(fields, "") + "\r\n"
}

const secured = `
listeners:
  plain: { address: "127.0.0.1:0" }
  sent:  { address: "127.0.0.1:0", redirect: https }
  https: { address: "127.0.0.1:0", tls: true }
tls:
  certificates: [ { bundle: %q }, { bundle: %q } ]
apis:
  shop:
    routes:
      - { path: "/own", answer: { body: hello } }
      - { path: "/up/{rest+}", upstream: up }
upstreams: { up: { targets: [ %q ] } }
domains:
  a.example.org: { mappings: { "": shop }, tls: { hsts: { maxAge: 365d, includeSubDomains: true }, redirect: true } }
  b.example.org: { mappings: { "": shop } }
  m.example.org:
    mappings: { "": shop }
    tls: { clientCertificates: { truststore: %q, forward: true } }
  o.example.org:
    mappings: { "": shop }
    tls: { clientCertificates: { truststore: %q, mode: optional, forward: true } }
`

func startSecured(t *testing.T, tune ...func(*Options)) (*testGateway, *testAuthority) {
	t.Helper()
	up := startUpstream(t, answerEach(func(r *rawRequest) string {
		return okText(fmt.Sprintf("proto=%s cert=%s chain=%s", r.Header.Get("X-Forwarded-Proto"), r.Header.Get("Client-Cert"), r.Header.Get("Client-Cert-Chain")))
	}))
	a := newAuthority(t)
	ab := a.bundle("ab.pem", "a.example.org", "b.example.org")
	mo := a.bundle("mo.pem", "m.example.org", "o.example.org")
	return startGateway(t, fmt.Sprintf(secured, ab, mo, up.url(), a.file(), a.file()), tune...), a
}

func TestTLSServesNames(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "access.log")
	g, a := startSecured(t, logTo(file, "json"))
	c, over := g.dialTLS("https", a.client("a.example.org"))
	if got := over.ConnectionState(); got.Version != stdtls.VersionTLS13 || got.PeerCertificates[0].Subject.CommonName != "a.example.org" {
		t.Fatalf("got version %x with %s; want TLS 1.3 with a.example.org", got.Version, got.PeerCertificates[0].Subject)
	}
	c.send(get("/up/x", "a.example.org"))
	got := c.answer("GET")
	if want := "proto=https cert= chain="; got.Status != 200 || got.Body != want {
		t.Fatalf("got %d %q; want 200 %q", got.Status, got.Body, want)
	}
	if got.Header.Get("Strict-Transport-Security") != "max-age=31536000; includeSubDomains" {
		t.Fatalf("got %q as Strict-Transport-Security", got.Header.Get("Strict-Transport-Security"))
	}
	c.send(get("/none", "a.example.org"))
	if got := c.answer("GET"); got.Status != 404 || got.Header.Get("Strict-Transport-Security") == "" {
		t.Fatalf("got %d with %v; want 404, and HSTS with it", got.Status, got.Header)
	}
	// The same certificate and rules: a client may use the connection for both names.
	c.send(get("/own", "b.example.org:443"))
	if got := c.answer("GET"); got.Status != 200 || got.Header.Get("Strict-Transport-Security") != "" {
		t.Fatalf("got %d with %v; want 200 without HSTS", got.Status, got.Header)
	}
	// Other rules about clients: another connection is needed.
	c.send(get("/own", "m.example.org"))
	if got := c.answer("GET"); got.Status != 421 {
		t.Fatalf("got %d; want 421", got.Status)
	}
	_ = c.Close()
	g.stop()
	if got := lines(t, file)[0]; !strings.Contains(got, `"tls":"TLSv1.3"`) || !strings.Contains(got, `"scheme":"https"`) {
		t.Fatalf("got line %s; want the version of TLS in it", got)
	}
}

func TestTLSAsksClientsForCertificates(t *testing.T) {
	t.Parallel()
	g, a := startSecured(t)
	me := a.pair("me")
	field := ":" + base64.StdEncoding.EncodeToString(me.Certificate[0]) + ":"
	f := func(name string, shows bool, want string) {
		t.Helper()
		config := a.client(name)
		if shows {
			config.Certificates = []stdtls.Certificate{me}
		}
		c, _ := g.dialTLS("https", config)
		c.send(get("/up/x", name, "Client-Cert: :Zm9yZ2Vk:\r\n", "client_cert: :Zm9yZ2Vk:\r\n"))
		if want == "" {
			if got, err := c.tryAnswer("GET"); err == nil {
				t.Fatalf("%s: got %d; want the connection refused", name, got.Status)
			}
			return
		}
		if got := c.answer("GET"); got.Body != want {
			t.Fatalf("%s: got %q; want %q", name, got.Body, want)
		}
	}
	f("m.example.org", true, "proto=https cert="+field+" chain=")
	f("m.example.org", false, "")
	f("o.example.org", true, "proto=https cert="+field+" chain=")
	f("o.example.org", false, "proto=https cert= chain=")

	// Without TLS nobody can show one.
	plain := dialRaw(t, g.address("plain"))
	plain.send(get("/own", "m.example.org"))
	if got := plain.answer("GET"); got.Status != 403 || !strings.Contains(got.Body, "tls_required") {
		t.Fatalf("got %d %s in clear; want 403", got.Status, got.Body)
	}

	stranger := newAuthority(t).pair("stranger")
	config := a.client("o.example.org")
	config.Certificates = []stdtls.Certificate{stranger}
	// A client that chooses by the authorities asked for would show nothing.
	config.GetClientCertificate = func(*stdtls.CertificateRequestInfo) (*stdtls.Certificate, error) { return &stranger, nil }
	c, _ := g.dialTLS("https", config)
	c.send(get("/own", "o.example.org"))
	if got, err := c.tryAnswer("GET"); err == nil {
		t.Fatalf("got %d with a stranger's certificate; want the connection refused", got.Status)
	}
}

// TestNoNameIsAWayAroundCertificates asks for a host that a wildcard of the
// domains covers and one of the certificates does not, so that the handshake
// goes by the default's rules.
func TestNoNameIsAWayAroundCertificates(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	g := startGateway(t, fmt.Sprintf(`
listeners: { https: { address: "127.0.0.1:0", tls: true } }
tls: { certificates: [ { bundle: %q } ], default: a.example.org }
apis: { shop: { routes: [ { path: $default, answer: { body: hello } } ] } }
domains:
  a.example.org: { mappings: { "": shop } }
  "*.m.example.org": { mappings: { "": shop }, tls: { clientCertificates: { truststore: %q } } }
  "*": { mappings: { "": shop } }
`, a.bundle("all.pem", "a.example.org", "*.m.example.org"), a.file()))
	config := a.client("x.y.m.example.org")
	config.InsecureSkipVerify = true
	f := func(host string, want int) {
		t.Helper()
		c, _ := g.dialTLS("https", config)
		c.send(get("/", host))
		if got := c.answer("GET"); got.Status != want {
			t.Fatalf("%s: got %d; want %d", host, got.Status, want)
		}
	}
	f("x.y.m.example.org", 421)
	f("X.Y.M.example.org:443", 421)
	f("x.m.example.org", 421)
	f("a.example.org", 200)
	config.ServerName = "elsewhere.example.org" // served by the default, under its own rules
	f("elsewhere.example.org", 200)
	f("x.m.example.org", 421)
}

func TestRedirectToHTTPS(t *testing.T) {
	t.Parallel()
	g, _ := startSecured(t)
	_, port, _ := net.SplitHostPort(g.live.Load().document.Listeners["https"].Address)
	suffix := ":" + port
	f := func(listener, request string, status int, location string) {
		t.Helper()
		c := dialRaw(t, g.address(listener))
		c.send(request)
		got := c.answer(strings.Fields(request)[0])
		if got.Status != status || got.Header.Get("Location") != location {
			t.Fatalf("%q: got %d to %q; want %d to %q", request, got.Status, got.Header.Get("Location"), status, location)
		}
	}
	f("plain", get("/own?x=%20", "a.example.org:8080"), 301, "https://a.example.org"+suffix+"/own?x=%20")
	f("plain", "POST /own HTTP/1.1\r\nHost: a.example.org\r\nContent-Length: 0\r\n\r\n", 308, "https://a.example.org"+suffix+"/own")
	f("plain", get("/own", "b.example.org"), 200, "")
	f("sent", get("/own", "b.example.org"), 301, "https://b.example.org"+suffix+"/own")
	f("sent", get("/", "[2001:db8::1]:80"), 301, "https://[2001:db8::1]"+suffix+"/")
	f("sent", get("/.well-known/acme-challenge/nobody", "b.example.org"), 301, "https://b.example.org"+suffix+"/.well-known/acme-challenge/nobody")
}

func TestTLSAndPlainPortsAreToldApart(t *testing.T) {
	t.Parallel()
	g, a := startSecured(t)
	c := dialRaw(t, g.address("https"))
	c.send(get("/own", "a.example.org"))
	if got := c.answer("GET"); got.Status != 400 || !strings.Contains(got.Body, "speaks TLS") {
		t.Fatalf("got %d %q; want 400, and why", got.Status, got.Body)
	}
	c = dialRaw(t, g.address("plain"))
	err := stdtls.Client(c.Conn, a.client("a.example.org")).Handshake()
	if err == nil || !strings.Contains(err.Error(), "does not look like a TLS handshake") {
		t.Fatalf("got %v; want an answer in clear", err)
	}
	if got := metricOf(t, g, `weir_tls_handshakes_total{listener="https",outcome="plain"}`); got != "1" {
		t.Fatalf("got %q counted as plain; want 1", got)
	}
	if got := metricOf(t, g, `weir_refusals_total{cause="bad_request"}`); got != "1" {
		t.Fatalf("got %q bad requests; want 1", got)
	}
}

func TestHandshakesEnd(t *testing.T) {
	t.Parallel()
	g, a := startSecured(t, func(o *Options) {
		o.Handshakes.Timeout, o.Handshakes.PerAddress = 100*time.Millisecond, 2
	})
	silent, _ := dialRaw(t, g.address("https")), dialRaw(t, g.address("https"))
	silent.send("\x16\x03\x01\x02\x00\x01") // the begin of a hello
	if rest, err := io.ReadAll(silent.br); len(rest) > 0 || isTimeoutError(err) {
		t.Fatalf("got %q, %v; want the end of a connection that stopped in its handshake", rest, err)
	}
	if got := metricOf(t, g, `weir_tls_handshakes_total{listener="https",outcome="timeout"}`); got == "" {
		t.Fatal("got no timeout counted; want one")
	}
	flood := dialRaw(t, g.address("https"))
	record := "\x16\x03\x01\x40\x00" + strings.Repeat("\x00", 1<<14)
	flood.send("\x16\x03\x01\x40\x00\x01\xff\xff\xff" + strings.Repeat("\x00", 1<<14-4))
	flood.send(strings.Repeat(record, 10))
	if _, err := io.ReadAll(flood.br); isTimeoutError(err) {
		t.Fatal("a hello of 16 MiB was waited for; want its connection closed")
	}
	// Others are served meanwhile.
	c, _ := g.dialTLS("https", a.client("a.example.org"))
	c.send(get("/own", "a.example.org"))
	if got := c.answer("GET"); got.Status != 200 {
		t.Fatalf("got %d; want 200", got.Status)
	}
}

func TestUnknownNameIsRefused(t *testing.T) {
	t.Parallel()
	g, a := startSecured(t)
	err := stdtls.Client(dialRaw(t, g.address("https")).Conn, a.client("nobody.example.org")).Handshake()
	if err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Fatalf("got %v; want the alert unrecognized_name", err)
	}
}

func TestCertificatesChangeWithoutClosing(t *testing.T) {
	t.Parallel()
	g, a := startSecured(t)
	old, over := g.dialTLS("https", a.client("a.example.org"))
	before := over.ConnectionState().PeerCertificates[0].SerialNumber
	a.bundle("ab.pem", "a.example.org", "b.example.org")
	if err := g.Reload(); err != nil {
		t.Fatal(err)
	}
	_, over = g.dialTLS("https", a.client("a.example.org"))
	if after := over.ConnectionState().PeerCertificates[0].SerialNumber; after.Cmp(before) == 0 {
		t.Fatal("got the old certificate after a reload; want the new one")
	}
	old.send(get("/own", "a.example.org"))
	if got := old.answer("GET"); got.Status != 200 {
		t.Fatalf("got %d on the connection that was open; want 200", got.Status)
	}
}

// metricOf returns the value of one series, "" if it is not there.
func metricOf(t *testing.T, g *testGateway, series string) string {
	t.Helper()
	text, err := g.AppendMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

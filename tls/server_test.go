package tls

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	stdtls "crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// order is what a test wants of a certificate.
type order struct {
	names  []string
	ips    []net.IP
	rsa    bool
	from   time.Time // zero: an hour ago
	until  time.Time // zero: in an hour
	issuer *made     // nil signs itself
	ca     bool
	server string // OCSP responder
	key    crypto.Signer
}

// made is a certificate that a test has made.
type made struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// rsaKey is made once: it takes long.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func (o order) make(t testing.TB) *made {
	t.Helper()
	key := o.key
	switch {
	case key != nil:
	case o.rsa:
		key = rsaKey()
	default:
		made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		key = made
	}
	if o.from.IsZero() {
		o.from = time.Now().Add(-time.Hour)
	}
	if o.until.IsZero() {
		o.until = time.Now().Add(time.Hour)
	}
	template := &x509.Certificate{
		SerialNumber: newSerial(), DNSNames: o.names, IPAddresses: o.ips,
		NotBefore: o.from, NotAfter: o.until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if o.server != "" {
		template.OCSPServer = []string{o.server}
	}
	if len(o.names) > 0 {
		template.Subject = pkix.Name{CommonName: o.names[0]}
	}
	if o.ca {
		template.DNSNames, template.ExtKeyUsage = nil, nil
		template.IsCA, template.BasicConstraintsValid = true, true
		template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	}
	parent, signer := template, key
	if o.issuer != nil {
		parent, signer = o.issuer.cert, o.issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &made{cert: cert, key: key}
}

func (c *made) certPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw}))
}

func (c *made) keyPEM(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func (c *made) pair() stdtls.Certificate {
	return stdtls.Certificate{Certificate: [][]byte{c.cert.Raw}, PrivateKey: c.key, Leaf: c.cert}
}

// place writes a file and returns its path.
func place(t testing.TB, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newManager(t testing.TB, c Config) *Manager {
	t.Helper()
	m, err := New(c, slog.New(slog.NewTextHandler(testWriter{t}, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// newTextLog returns a log of everything, as text.
func newTextLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func publish(t testing.TB, m *Manager, s Settings) *Terms {
	t.Helper()
	terms, err := m.Compile(s)
	if err != nil {
		t.Fatalf("got %v; want terms", err)
	}
	m.Publish(terms)
	return terms
}

// listen serves handshakes until the test ends; what each session was comes out
// of the channel, or nil for a handshake that failed.
func listen(t testing.TB, m *Manager, protocols ...string) (address string, sessions <-chan *Session) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan *Session, 64)
	var tasks sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); tasks.Wait() })
	config := m.ServerConfig(protocols)
	tasks.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			tasks.Go(func() {
				defer nc.Close()
				ctx := WithHandshake(context.Background())
				c := stdtls.Server(nc, config)
				if err := c.HandshakeContext(ctx); err != nil {
					out <- nil
					return
				}
				out <- SessionOf(ctx, c.ConnectionState())
				_, _ = c.Write([]byte("!"))
				_, _ = io.Copy(io.Discard, c)
			})
		}
	})
	return l.Addr().String(), out
}

// greet performs a handshake, reads a byte and returns what was agreed.
func greet(address string, c *stdtls.Config) (stdtls.ConnectionState, error) {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		return stdtls.ConnectionState{}, err
	}
	defer nc.Close()
	client := stdtls.Client(nc, c)
	if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
		return stdtls.ConnectionState{}, err
	}
	return client.ConnectionState(), nil
}

func isAlert(err error, alert stdtls.AlertError) bool {
	return err != nil && strings.Contains(err.Error(), "remote error: "+alert.Error())
}

const unrecognizedName stdtls.AlertError = 112

func TestServerPicksByName(t *testing.T) {
	ca := order{ca: true, names: []string{"test authority"}}.make(t)
	dir := t.TempDir()
	put := func(name string, o order) Source {
		o.issuer = ca
		c := o.make(t)
		return Source{Cert: place(t, dir, name+".pem", c.certPEM()), Key: place(t, dir, name+".key", c.keyPEM(t))}
	}
	m := newManager(t, Config{})
	terms := publish(t, m, Settings{
		Certificates: []Source{
			put("a", order{names: []string{"a.example", "xn--bcher-kva.example"}}),
			put("a-rsa", order{names: []string{"a.example"}, rsa: true}),
			put("wild", order{names: []string{"*.wild.example"}}),
			put("ip", order{ips: []net.IP{net.IPv4(127, 0, 0, 1)}}),
			put("modern", order{names: []string{"modern.example", "both.example"}}),
		},
		Domains: map[string]Domain{"modern.example": {Profile: "modern"}, "off.wild.example": {Source: SourceOff}},
	})
	address, sessions := listen(t, m, "h2", "http/1.1")
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)

	f := func(what string, c *stdtls.Config, want string, alert stdtls.AlertError) *Session {
		t.Helper()
		if c.RootCAs == nil {
			c.RootCAs = roots
		}
		state, err := greet(address, c)
		session := <-sessions
		if alert != 0 {
			if !isAlert(err, alert) {
				t.Fatalf("%s: got %v; want %v", what, err, alert)
			}
			return session
		}
		if err != nil {
			t.Fatalf("%s: got %v; want a handshake", what, err)
		}
		if got := nameOf(state.PeerCertificates[0]); got != want {
			t.Fatalf("%s: got the certificate of %q; want that of %q", what, got, want)
		}
		return session
	}
	s := f("exact", &stdtls.Config{ServerName: "a.example", NextProtos: []string{"http/1.1", "h2"}}, "a.example", 0)
	if s.SNI != "a.example" || s.Protocol != "h2" || s.VersionName() != "TLSv1.3" || s.Client != nil {
		t.Fatalf("got %+v; want a.example by h2 over TLS 1.3", s)
	}
	f("upper case", &stdtls.Config{ServerName: "A.EXAMPLE"}, "a.example", 0)
	f("punycode", &stdtls.Config{ServerName: "xn--bcher-kva.example"}, "a.example", 0)
	f("wildcard", &stdtls.Config{ServerName: "x.wild.example"}, "*.wild.example", 0)
	f("two labels under a wildcard", &stdtls.Config{ServerName: "y.x.wild.example"}, "", unrecognizedName)
	f("off", &stdtls.Config{ServerName: "off.wild.example"}, "", unrecognizedName)
	f("unknown", &stdtls.Config{ServerName: "other.example"}, "", unrecognizedName)
	if s := f("address", &stdtls.Config{ServerName: "127.0.0.1"}, "127.0.0.1", 0); s.SNI != "" || s.Name != "127.0.0.1" {
		t.Fatalf("got %+v; want no SNI and the name 127.0.0.1", s)
	}
	f("modern over 1.2", &stdtls.Config{ServerName: "modern.example", MaxVersion: stdtls.VersionTLS12}, "", 70)
	f("intermediate over 1.1", &stdtls.Config{ServerName: "a.example", MinVersion: stdtls.VersionTLS10, MaxVersion: stdtls.VersionTLS11}, "", 70)
	f("no protocol in common", &stdtls.Config{ServerName: "a.example", NextProtos: []string{"ftp"}}, "", 120)

	old := &stdtls.Config{ServerName: "a.example", MaxVersion: stdtls.VersionTLS12, CipherSuites: []uint16{stdtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}
	if s := f("RSA only", old, "a.example", 0); s.Suite != stdtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 {
		t.Fatalf("got %s; want an RSA suite", s.SuiteName())
	}

	for _, c := range []struct {
		sni, cert, host string
		want            bool
	}{
		{"a.example", "a.example", "a.example", true},
		{"a.example", "a.example", "xn--bcher-kva.example", true},
		{"a.example", "a.example", "x.wild.example", false},
		{"x.wild.example", "*.wild.example", "y.wild.example", true},
		{"x.wild.example", "*.wild.example", "off.wild.example", false},
		{"both.example", "modern.example", "modern.example", false}, // another profile
		{"a.example", "a.example", "unknown.example", false},
		{"127.0.0.1", "127.0.0.1", "127.0.0.1", true},
	} {
		s := f(c.sni, &stdtls.Config{ServerName: c.sni}, c.cert, 0)
		if got := terms.Covers(s, c.host); got != c.want {
			t.Fatalf("Covers(%s, %s): got %v; want %v", c.sni, c.host, got, c.want)
		}
	}
}

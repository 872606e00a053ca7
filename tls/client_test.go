package tls

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	stdtls "crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func write(t *testing.T, kind string, der []byte) string {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "*.pem")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := pem.Encode(f, &pem.Block{Type: kind, Bytes: der}); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert: cert, key: key, file: write(t, "CERTIFICATE", der)}
}

// issue returns a certificate for name, and the files that hold it and its key.
func (a *authority) issue(t *testing.T, name string) (pair stdtls.Certificate, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pair = stdtls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return pair, write(t, "CERTIFICATE", der), write(t, "EC PRIVATE KEY", keyDER)
}

// shake performs a handshake over loopback and reads one byte behind it, by
// when the server has judged the client's certificate too.
func shake(t *testing.T, client, server *stdtls.Config) error {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		nc, err := l.Accept()
		if err != nil {
			return
		}
		c := stdtls.Server(nc, server)
		_, _ = c.Write([]byte("!"))
		_ = c.Close()
	}()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = nc.Close()
		<-ended
	}()
	_, err = io.ReadFull(stdtls.Client(nc, client), make([]byte, 1))
	return err
}

func pin(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return "sha256/" + base64.StdEncoding.EncodeToString(sum[:])
}

func TestClientConfigHandshakes(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	pair, _, _ := ours.issue(t, "api.example")
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	_, clientCert, clientKey := ours.issue(t, "weir")
	plain := &stdtls.Config{Certificates: []stdtls.Certificate{pair}}
	clients := x509.NewCertPool()
	clients.AddCert(ours.cert)
	mutual := &stdtls.Config{Certificates: []stdtls.Certificate{pair}, ClientAuth: stdtls.RequireAndVerifyClientCert, ClientCAs: clients}
	old := &stdtls.Config{Certificates: []stdtls.Certificate{pair}, MaxVersion: stdtls.VersionTLS11, MinVersion: stdtls.VersionTLS10}

	f := func(what string, o Options, server *stdtls.Config, accepted bool, cause error) {
		t.Helper()
		config, err := ClientConfig(o)
		if err != nil {
			t.Fatalf("%s: got %v; want a configuration", what, err)
		}
		err = shake(t, config, server)
		if (err == nil) != accepted || (cause != nil && !errors.Is(err, cause)) {
			t.Fatalf("%s: got %v; want accepted %v", what, err, accepted)
		}
	}
	f("known authority", Options{CA: ours.file, ServerName: "api.example"}, plain, true, nil)
	f("unknown authority", Options{CA: theirs.file, ServerName: "api.example"}, plain, false, nil)
	f("another name", Options{CA: ours.file, ServerName: "other.example"}, plain, false, nil)
	f("not verified", Options{ServerName: "other.example", InsecureSkipVerify: true}, plain, true, nil)
	f("TLS 1.1", Options{CA: ours.file, ServerName: "api.example"}, old, false, nil)
	f("no client certificate", Options{CA: ours.file, ServerName: "api.example"}, mutual, false, nil)
	f("client certificate", Options{CA: ours.file, ServerName: "api.example", Cert: clientCert, Key: clientKey}, mutual, true, nil)

	f("pinned leaf", Options{CA: ours.file, ServerName: "api.example", Pins: []string{pin(theirs.cert), pin(leaf)}}, plain, true, nil)
	f("pinned authority", Options{CA: ours.file, ServerName: "api.example", Pins: []string{pin(ours.cert)}}, plain, true, nil)
	f("another pin", Options{CA: ours.file, ServerName: "api.example", Pins: []string{pin(theirs.cert)}}, plain, false, ErrPin)
	f("pinned, unknown authority", Options{CA: theirs.file, ServerName: "api.example", Pins: []string{pin(leaf)}}, plain, false, nil)
	f("pinned, not verified", Options{ServerName: "api.example", InsecureSkipVerify: true, Pins: []string{pin(leaf)}}, plain, true, nil)
	f("another pin, not verified", Options{ServerName: "api.example", InsecureSkipVerify: true, Pins: []string{pin(ours.cert)}}, plain, false, ErrPin)

	// Unverified, anybody can show a pinned certificate next to their own.
	forged := &stdtls.Config{Certificates: []stdtls.Certificate{{
		Certificate: [][]byte{pair.Certificate[0], ours.cert.Raw}, PrivateKey: pair.PrivateKey,
	}}}
	f("pinned key behind a stranger's", Options{InsecureSkipVerify: true, ServerName: "x", Pins: []string{pin(ours.cert)}}, forged, false, ErrPin)
}

func TestClientConfigErrors(t *testing.T) {
	a := newAuthority(t)
	_, cert, key := a.issue(t, "weir")
	_, _, otherKey := a.issue(t, "weir")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(o Options, begins, names string) {
		t.Helper()
		_, err := ClientConfig(o)
		if err == nil || !strings.HasPrefix(err.Error(), begins) || !strings.Contains(err.Error(), names) {
			t.Fatalf("got %v; want it to begin with %q and name %q", err, begins, names)
		}
	}
	f(Options{CA: "/none.pem"}, "cannot read certificate authorities", "/none.pem")
	f(Options{CA: empty}, "cannot read certificate authorities", empty)
	f(Options{Cert: cert}, "cannot use a client certificate", "both")
	f(Options{Key: key}, "cannot use a client certificate", "both")
	f(Options{Cert: "/none.pem", Key: key}, "cannot load client certificate", "/none.pem")
	f(Options{Cert: cert, Key: otherKey}, "cannot load client certificate", otherKey)
	f(Options{Pins: []string{"md5/abc"}}, "cannot use pin", "md5/abc")
	f(Options{Pins: []string{"sha256/%%%"}}, "cannot use pin", "%%%")
	f(Options{Pins: []string{"sha256/AAAA"}}, "cannot use pin", "3 bytes instead of 32")
}

func TestFingerprint(t *testing.T) {
	a, b := newAuthority(t), newAuthority(t)
	of := func(o Options) string {
		t.Helper()
		got, err := o.Fingerprint()
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	same := Options{CA: a.file, ServerName: "x"}
	if first, second := of(same), of(same); first != second {
		t.Fatal("got two fingerprints for the same options")
	}
	seen := map[string]Options{}
	for _, o := range []Options{
		{}, same, {CA: b.file, ServerName: "x"}, {CA: a.file, ServerName: "y"}, {CA: a.file, ServerName: "x", InsecureSkipVerify: true},
		{CA: a.file, ServerName: "x", Pins: []string{"p"}}, {CA: a.file, ServerName: "x", Pins: []string{"p", "q"}}, {Cert: a.file}, {Key: a.file},
	} {
		if other, ok := seen[of(o)]; ok {
			t.Fatalf("got one fingerprint for %+v and %+v", o, other)
		}
		seen[of(o)] = o
	}
	before := of(same)
	renewed, err := os.ReadFile(b.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.file, renewed, 0o600); err != nil {
		t.Fatal(err)
	}
	if of(same) == before {
		t.Fatal("got the same fingerprint for a renewed file")
	}
	if _, err := (Options{CA: "/none.pem"}).Fingerprint(); err == nil || !strings.Contains(err.Error(), "/none.pem") {
		t.Fatalf("got %v; want an error that names the file", err)
	}
}

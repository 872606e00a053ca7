package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"time"
)

// serverName is what clients of TLS ask for.
const serverName = "localhost"

// front is what a program speaks with its clients: HTTP/1.1 where nothing is said.
type front struct {
	isTLS bool
	// protocol is the newest that is spoken: h2, h3, or nothing for HTTP/1.1 alone.
	protocol string
}

// protocols are the names that ALPN has for what is spoken, the newest first, which is the most wanted.
func (f front) protocols() []string {
	all := []string{"h3", "h2", "http/1.1"}
	return all[slices.Index(all, f.newest()):]
}

func (f front) newest() string {
	if f.protocol == "" {
		return "http/1.1"
	}
	return f.protocol
}

func (f front) carries(protocol string) bool { return slices.Contains(f.protocols(), protocol) }

// tls is how clients ask; the certificate is this program's own and changes while it is looked at.
func (f front) tls() *tls.Config {
	return &tls.Config{ServerName: serverName, InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519}}
}

// checkSpoken looks whether TLS came about as with all others.
func (f front) checkSpoken(answer *http.Response) error {
	if !f.isTLS {
		return nil
	}
	state := answer.TLS
	if state == nil || state.Version != tls.VersionTLS13 || state.CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
		return fmt.Errorf("it speaks %+v; want TLS 1.3 with AES-128-GCM", state)
	}
	if want := 1 + min(1, len(f.protocols())-1); answer.ProtoMajor != want {
		return fmt.Errorf("it speaks %s; want HTTP/%d", answer.Proto, want)
	}
	return nil
}

// url names the path as clients of the front do.
func (t *target) url(path string) string {
	if !t.front.isTLS {
		return "http://" + t.address + path
	}
	return "https://" + t.host() + path
}

// host is the name and port that clients ask for.
func (t *target) host() string {
	_, port, err := net.SplitHostPort(t.address)
	if err != nil || !t.front.isTLS {
		return t.address
	}
	return net.JoinHostPort(serverName, port)
}

// keyPair names the files of a certificate; Bundle holds both.
type keyPair struct{ Certificate, Key, Bundle string }

func (l *lab) keyPair() *keyPair {
	in := func(name string) string { return filepath.Join(l.folder, "tls", name) }
	return &keyPair{Certificate: in("cert.pem"), Key: in("key.pem"), Bundle: in("bundle.pem")}
}

// writeCertificate puts a new certificate of ECDSA P-256 in place of the one before. Each file changes in one step,
// but not all in the same one, as with every program that renews certificates.
func (l *lab) writeCertificate() error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot make a key: %w", err)
	}
	now := time.Now()
	form := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: serverName},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{serverName}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, form, form, private.Public(), private)
	if err != nil {
		return fmt.Errorf("cannot make a certificate: %w", err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return fmt.Errorf("cannot encode a key: %w", err)
	}
	certificateText := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	keyText := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	pair := l.keyPair()
	for path, text := range map[string][]byte{
		pair.Certificate: certificateText, pair.Key: keyText, pair.Bundle: slices.Concat(certificateText, keyText),
	} {
		if err := replaceFile(path, text); err != nil {
			return err
		}
	}
	return nil
}

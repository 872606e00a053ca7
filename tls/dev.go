package tls

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	stdtls "crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	devAuthorityLife = 10 * 365 * 24 * time.Hour
	devLeafLife      = 30 * 24 * time.Hour // short, so that a lost one is soon worth nothing
	maxDevLeaves     = 10_000
)

// authorityDev is the local authority for development. It is made once, on disk;
// the certificates that it signs are kept in memory only.
type authorityDev struct {
	dir string
	now func() time.Time

	mu     sync.Mutex
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	leaves map[string]*stdtls.Certificate
	wanted bool
}

func (a *authorityDev) certFile() string { return filepath.Join(a.dir, "dev", "ca.pem") }
func (a *authorityDev) keyFile() string  { return filepath.Join(a.dir, "dev", "ca.key") }

// DevCA returns the file of the local authority's certificate, which a person
// trusts once, and makes the authority if there is none yet.
func (m *Manager) DevCA() (string, error) {
	m.dev.mu.Lock()
	defer m.dev.mu.Unlock()
	if err := m.dev.open(); err != nil {
		return "", err
	}
	return m.dev.certFile(), nil
}

// allow notes whether the terms use the authority, and has it ready then: its
// file is to be trusted before the first client comes.
func (a *authorityDev) allow(t *Terms) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wanted = t.usesDev
	if !a.wanted {
		return nil
	}
	return a.open()
}

// certificate returns one for a name, made or renewed where needed.
func (a *authorityDev) certificate(name string) (*stdtls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if known := a.leaves[name]; known != nil && now.Before(known.Leaf.NotAfter.Add(-devLeafLife/3)) && now.After(known.Leaf.NotBefore) {
		return known, nil
	}
	if err := a.open(); err != nil {
		return nil, err
	}
	made, err := a.sign(name, now)
	if err != nil {
		return nil, fmt.Errorf("cannot make development certificate for %q: %w", name, err)
	}
	if a.leaves == nil || len(a.leaves) >= maxDevLeaves {
		a.leaves = make(map[string]*stdtls.Certificate)
	}
	a.leaves[name] = made
	return made, nil
}

// open reads the authority from disk, or makes it.
func (a *authorityDev) open() error {
	if a.cert != nil {
		return nil
	}
	if a.dir == "" {
		return fmt.Errorf("cannot open the development authority: %w", errNoDir)
	}
	text, err := os.ReadFile(a.certFile())
	if errors.Is(err, fs.ErrNotExist) {
		err = a.create()
		return err
	}
	if err != nil {
		return fmt.Errorf("cannot open the development authority: %w", err)
	}
	keyText, err := os.ReadFile(a.keyFile())
	if err != nil {
		return fmt.Errorf("cannot open the development authority: %w", err)
	}
	pair, err := stdtls.X509KeyPair(text, keyText)
	if err != nil {
		return fmt.Errorf("cannot open the development authority %q: %w", a.certFile(), err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return fmt.Errorf("cannot open the development authority %q: it is not one that weir has made", a.certFile())
	}
	if err := validAt(pair.Leaf, a.now()); err != nil {
		return fmt.Errorf("cannot use the development authority %q: %w; remove the file and trust the new one", a.certFile(), err)
	}
	a.cert, a.key = pair.Leaf, key
	return nil
}

func (a *authorityDev) create() error {
	fail := func(err error) error { return fmt.Errorf("cannot make the development authority: %w", err) }
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	host, _ := os.Hostname()
	now := a.now()
	template := &x509.Certificate{
		SerialNumber: newSerial(), Subject: pkix.Name{Organization: []string{"weir development"}, CommonName: "weir development authority " + host},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(devAuthorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fail(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fail(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fail(err)
	}
	if err := os.MkdirAll(filepath.Dir(a.keyFile()), 0o700); err != nil {
		return fail(err)
	}
	// The key first: a certificate without its key could never be used.
	if err := writeFile(a.keyFile(), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600); err != nil {
		return fail(err)
	}
	if err := writeFile(a.certFile(), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		return fail(err)
	}
	a.cert, a.key = cert, key
	return nil
}

// writeFile puts a whole file in place or none.
func writeFile(path string, content []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func (a *authorityDev) sign(name string, now time.Time) (*stdtls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: newSerial(), Subject: pkix.Name{Organization: []string{"weir development"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(devLeafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &stdtls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: cert}, nil
}

func newSerial() *big.Int {
	var raw [16]byte
	_, _ = rand.Read(raw[:])
	raw[0] &= 0x7f // positive (RFC 5280 §4.1.2.2)
	return new(big.Int).SetBytes(raw[:])
}

package tls

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	stdtls "crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Limits of trust stores and of the chains that clients show, which are AWS's.
const (
	maxDepth     = 4
	minRSABits   = 2048
	minCurveBits = 256
)

// Why a client's certificate is refused, beyond what crypto/x509 says.
var (
	ErrRevoked    = errors.New("the certificate is revoked")
	ErrExpiredCRL = errors.New("the revocation list is overdue")
	ErrNoCRL      = errors.New("there is no revocation list of its authority")
	ErrTooDeep    = errors.New("the chain is too long")
	ErrWeakKey    = errors.New("the key is too short")
)

// trust judges the certificates of clients. It is immutable.
type trust struct {
	mode    string
	depth   int
	pool    *x509.CertPool
	roots   []*x509.Certificate
	lists   map[string]*revocations // by the issuer's raw name and key id
	overdue bool                    // go on with overdue lists
	now     func() time.Time
}

// revocations is one list, as it is asked.
type revocations struct {
	next    time.Time
	revoked map[string]bool // by serial
}

// trust reads what a domain says about its clients' certificates.
func (r *reader) trust(c *ClientAuth, now func() time.Time, at ...any) *trust {
	t := &trust{mode: c.Mode, depth: c.Depth, pool: x509.NewCertPool(), overdue: c.AcceptExpiredCRL, now: now}
	if t.mode == "" {
		t.mode = ModeRequired
	}
	if t.depth == 0 {
		t.depth = maxDepth
	}
	where := func(key ...any) []any { return append(append([]any(nil), at...), key...) }
	if t.mode != ModeRequired && t.mode != ModeOptional {
		r.found.add(fmt.Errorf("cannot use mode %q: it is required or optional", c.Mode), where("mode")...)
	}
	if err := r.truststore(t, c.Truststore, where("truststore")); err != nil {
		r.found.add(fmt.Errorf("cannot use truststore %q: %w", c.Truststore, err), where("truststore")...)
		return nil
	}
	for i, file := range c.CRL {
		if err := r.revocationLists(t, file); err != nil {
			r.found.add(fmt.Errorf("cannot use revocation list %q: %w", file, err), where("crl", i)...)
		}
	}
	return t
}

// truststore reads the authorities. As at AWS, one that cannot be used is a
// warning as long as another can.
func (r *reader) truststore(t *trust, file string, at []any) error {
	text, err := r.read(file)
	if err != nil {
		return err
	}
	all, err := readBundle(text)
	if err != nil {
		return err
	}
	for _, cert := range all.certs {
		if err := usableAuthority(cert, r.now); err != nil {
			r.found.warn(fmt.Errorf("%q: cannot trust %q: %w", file, cert.Subject, err), at...)
			continue
		}
		t.pool.AddCert(cert)
		t.roots = append(t.roots, cert)
	}
	if len(t.roots) == 0 {
		return errors.New("it holds no authority that can be used")
	}
	return nil
}

func usableAuthority(cert *x509.Certificate, now time.Time) error {
	if !cert.IsCA && cert.BasicConstraintsValid {
		return errors.New("it is not an authority")
	}
	switch cert.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return fmt.Errorf("it is signed with %s", cert.SignatureAlgorithm)
	}
	if isWeak(cert) {
		return ErrWeakKey
	}
	return validAt(cert, now)
}

func isWeak(cert *x509.Certificate) bool {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() < minRSABits
	case *ecdsa.PublicKey:
		return key.Curve.Params().BitSize < minCurveBits
	}
	return false
}

// revocationLists reads the lists of a file, PEM or DER. Each must be signed by
// an authority of the truststore: a list that nobody vouches for says nothing.
func (r *reader) revocationLists(t *trust, file string) error {
	text, err := r.read(file)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return ErrEmptyFile
	}
	var lists [][]byte
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if bytes.Contains(rest, []byte("-----BEGIN ")) {
				return ErrTruncated
			}
			break
		}
		if block.Type == "X509 CRL" {
			lists = append(lists, block.Bytes)
		}
	}
	if lists == nil {
		lists = [][]byte{text}
	}
	for _, der := range lists {
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			return err
		}
		if err := t.addList(list); err != nil {
			return err
		}
	}
	return nil
}

func (t *trust) addList(list *x509.RevocationList) error {
	var issuer *x509.Certificate
	for _, root := range t.roots {
		if bytes.Equal(root.RawSubject, list.RawIssuer) && list.CheckSignatureFrom(root) == nil {
			issuer = root
		}
	}
	if issuer == nil {
		return fmt.Errorf("no authority of the truststore has signed the list of %q", list.Issuer)
	}
	if t.lists == nil {
		t.lists = make(map[string]*revocations)
	}
	key := authorityKey(issuer)
	if known := t.lists[key]; known != nil && known.next.After(list.NextUpdate) {
		return nil
	}
	made := &revocations{next: list.NextUpdate, revoked: make(map[string]bool, len(list.RevokedCertificateEntries))}
	for _, entry := range list.RevokedCertificateEntries {
		made.revoked[serialKey(entry.SerialNumber)] = true
	}
	t.lists[key] = made
	return nil
}

func authorityKey(cert *x509.Certificate) string {
	return string(cert.RawSubject) + string(cert.RawSubjectPublicKeyInfo)
}

func serialKey(serial *big.Int) string { return string(serial.Bytes()) }

func (t *trust) apply(c *stdtls.Config) {
	c.ClientCAs = t.pool
	c.ClientAuth = stdtls.RequireAndVerifyClientCert
	if t.mode == ModeOptional {
		c.ClientAuth = stdtls.VerifyClientCertIfGiven
	}
	c.VerifyConnection = t.verify
}

// verify takes a connection when one of its chains is good. crypto/tls calls
// it for resumed sessions too, so that a ticket does not outlive a revocation.
func (t *trust) verify(state stdtls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 && t.mode == ModeOptional {
		return nil
	}
	err := errors.New("cannot accept client: it has shown no certificate that could be verified")
	for _, chain := range state.VerifiedChains {
		if err = t.judge(chain); err == nil {
			return nil
		}
	}
	return err
}

func (t *trust) judge(chain []*x509.Certificate) error {
	if len(chain) > t.depth {
		return fmt.Errorf("cannot accept client %q: %w: %d certificates, %d are allowed", chain[0].Subject, ErrTooDeep, len(chain), t.depth)
	}
	now := t.now()
	for i, cert := range chain {
		if isWeak(cert) {
			return fmt.Errorf("cannot accept client %q: %w", chain[0].Subject, ErrWeakKey)
		}
		if len(t.lists) == 0 || i+1 == len(chain) {
			continue
		}
		if err := t.revoked(cert, chain[i+1], now); err != nil {
			return fmt.Errorf("cannot accept client %q: %w", chain[0].Subject, err)
		}
	}
	return nil
}

func (t *trust) revoked(cert, issuer *x509.Certificate, now time.Time) error {
	list := t.lists[authorityKey(issuer)]
	if list == nil {
		return ErrNoCRL
	}
	if list.revoked[serialKey(cert.SerialNumber)] {
		return ErrRevoked
	}
	if !list.next.IsZero() && now.After(list.next) && !t.overdue {
		return ErrExpiredCRL
	}
	return nil
}

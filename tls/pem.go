package tls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	stdtls "crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// What is wrong with the files of a certificate.
var (
	ErrEmptyFile    = errors.New("the file is empty")
	ErrNoPEM        = errors.New("the file holds no PEM block")
	ErrTruncated    = errors.New("the last PEM block is cut off")
	ErrEncryptedKey = errors.New("the key is encrypted; weir asks nobody for a passphrase, so store it decrypted")
	ErrNoKey        = errors.New("there is no private key")
	ErrManyKeys     = errors.New("there is more than one private key")
	ErrNoCert       = errors.New("there is no certificate")
	ErrMismatch     = errors.New("no certificate belongs to the private key")
	ErrBrokenChain  = errors.New("the chain is broken")
	ErrExpired      = errors.New("the certificate has expired")
	ErrNotYetValid  = errors.New("the certificate is not valid yet; is the clock right?")
)

// bundle is what PEM text holds for a server: certificates in any order, and keys.
type bundle struct {
	certs []*x509.Certificate
	keys  []crypto.Signer
}

// readBundle reads certificates and private keys from PEM text. Text between
// the blocks is passed over, blocks of other kinds too.
func readBundle(text []byte) (bundle, error) {
	var b bundle
	if len(bytes.TrimSpace(text)) == 0 {
		return b, ErrEmptyFile
	}
	blocks := 0
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return b, b.ended(blocks, rest)
		}
		blocks++
		if err := b.take(block); err != nil {
			return b, err
		}
	}
}

// ended judges what is left when no further block is found.
func (b *bundle) ended(blocks int, rest []byte) error {
	if bytes.Contains(rest, []byte("-----BEGIN ")) {
		return ErrTruncated
	}
	if blocks == 0 {
		return ErrNoPEM
	}
	return nil
}

func (b *bundle) take(block *pem.Block) error {
	switch {
	case block.Type == "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("cannot read certificate %d: %w", len(b.certs)+1, err)
		}
		b.certs = append(b.certs, cert)
	case block.Type == "ENCRYPTED PRIVATE KEY", strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		return ErrEncryptedKey
	case block.Type == "PRIVATE KEY" || strings.HasSuffix(block.Type, " PRIVATE KEY"):
		key, err := parseKey(block)
		if err != nil {
			return err
		}
		b.keys = append(b.keys, key)
	}
	return nil
}

func parseKey(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("cannot read private key: unknown kind %q", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read private key: %w", err)
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return k, nil
	case *ecdsa.PrivateKey:
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, fmt.Errorf("cannot use private key: a %T cannot sign handshakes", key)
}

// pair finds the certificate of the only key and puts its chain behind it. The
// issuer is nil where it is not there.
func (b bundle) pair() (pair *stdtls.Certificate, issuer *x509.Certificate, err error) {
	switch {
	case len(b.certs) == 0:
		return nil, nil, ErrNoCert
	case len(b.keys) == 0:
		return nil, nil, ErrNoKey
	case len(b.keys) > 1:
		return nil, nil, ErrManyKeys
	}
	key := b.keys[0]
	leaf := b.leafOf(key)
	if leaf == nil {
		return nil, nil, fmt.Errorf("%w: the first one is for %q", ErrMismatch, nameOf(b.certs[0]))
	}
	chain, err := orderChain(leaf, b.certs)
	if err != nil {
		return nil, nil, err
	}
	if len(chain) > 1 {
		issuer = chain[1]
	}
	// A client that trusts a root has it.
	if last := chain[len(chain)-1]; len(chain) > 1 && isRoot(last) {
		chain = chain[:len(chain)-1]
	}
	pair = &stdtls.Certificate{PrivateKey: key, Leaf: leaf}
	for _, cert := range chain {
		pair.Certificate = append(pair.Certificate, cert.Raw)
	}
	return pair, issuer, nil
}

func (b bundle) leafOf(key crypto.Signer) *x509.Certificate {
	public, comparable := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !comparable {
		return nil
	}
	for _, cert := range b.certs {
		if public.Equal(cert.PublicKey) {
			return cert
		}
	}
	return nil
}

// orderChain returns leaf and its issuers one after the other, whatever order
// they were written in. One that belongs nowhere is a mistake.
func orderChain(leaf *x509.Certificate, certs []*x509.Certificate) ([]*x509.Certificate, error) {
	chain := []*x509.Certificate{leaf}
	used := map[*x509.Certificate]bool{leaf: true}
	for last := leaf; !isRoot(last); {
		issuer := issuerAmong(last, certs, used)
		if issuer == nil {
			break
		}
		used[issuer] = true
		chain = append(chain, issuer)
		last = issuer
	}
	for _, cert := range certs {
		if !used[cert] && !alreadyIn(chain, cert) {
			return nil, fmt.Errorf("%w: %q has signed none of the others, and %q is signed by %q, which is not there",
				ErrBrokenChain, nameOf(cert), nameOf(chain[len(chain)-1]), chain[len(chain)-1].Issuer)
		}
	}
	return chain, nil
}

func issuerAmong(cert *x509.Certificate, certs []*x509.Certificate, used map[*x509.Certificate]bool) *x509.Certificate {
	for _, candidate := range certs {
		if !used[candidate] && bytes.Equal(cert.RawIssuer, candidate.RawSubject) && cert.CheckSignatureFrom(candidate) == nil {
			return candidate
		}
	}
	return nil
}

// alreadyIn forgives a certificate that is written twice.
func alreadyIn(chain []*x509.Certificate, cert *x509.Certificate) bool {
	for _, c := range chain {
		if c.Equal(cert) {
			return true
		}
	}
	return false
}

func isRoot(cert *x509.Certificate) bool { return bytes.Equal(cert.RawIssuer, cert.RawSubject) }

// nameOf returns what a person calls a certificate.
func nameOf(cert *x509.Certificate) string {
	if len(cert.DNSNames) > 0 {
		return cert.DNSNames[0]
	}
	if len(cert.IPAddresses) > 0 {
		return cert.IPAddresses[0].String()
	}
	return cert.Subject.String()
}

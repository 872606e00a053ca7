package tls

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	stdtls "crypto/tls"
	"crypto/x509"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Kinds of keys, of which a name may have one certificate each.
const (
	kindECDSA = iota
	kindRSA
	kindEd25519
	kinds
)

// leaf is one certificate that can be shown. Only its staple changes.
type leaf struct {
	source string // the file, or "dev" or "acme"
	pair   *stdtls.Certificate
	issuer *x509.Certificate // nil where the file does not hold it
	names  []string          // in lower case; addresses as netip writes them
	kind   int
	shown  atomic.Pointer[stdtls.Certificate] // pair with its staple
	staple atomic.Pointer[staple]
}

func newLeaf(pair *stdtls.Certificate, source string) *leaf {
	l := &leaf{source: source, pair: pair, names: namesOf(pair.Leaf)}
	switch pair.Leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		l.kind = kindRSA
	case ed25519.PublicKey:
		l.kind = kindEd25519
	default:
		l.kind = kindECDSA
	}
	l.shown.Store(pair)
	return l
}

func namesOf(cert *x509.Certificate) []string {
	var names []string
	for _, name := range cert.DNSNames {
		names = append(names, strings.ToLower(name))
	}
	for _, ip := range cert.IPAddresses {
		if address, ok := netip.AddrFromSlice(ip); ok {
			names = append(names, address.Unmap().String())
		}
	}
	if len(names) == 0 && cert.Subject.CommonName != "" {
		names = append(names, strings.ToLower(cert.Subject.CommonName))
	}
	return slices.Compact(names)
}

// keyType says in words what kind of key a certificate has.
func keyType(cert *x509.Certificate) string {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return "RSA-" + strconv.Itoa(key.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA-" + key.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return "unknown"
}

// choices are the certificates of one name, one a kind of key.
type choices [kinds]*leaf

// shelf finds certificates by name. It is immutable.
type shelf struct {
	leaves []*leaf
	exact  map[string]*choices
	wild   map[string]*choices // by what follows "*."
}

// newShelf sorts leaves by name. Of two for one name and kind of key it keeps
// the one that is valid, and of those the one that is valid longer; the other
// is reported to twice.
func newShelf(leaves []*leaf, now time.Time, twice func(name string, kept, left *leaf)) *shelf {
	s := &shelf{leaves: leaves, exact: make(map[string]*choices), wild: make(map[string]*choices)}
	for _, l := range leaves {
		for _, name := range l.names {
			index, key := s.exact, name
			if suffix, ok := strings.CutPrefix(name, "*."); ok {
				index, key = s.wild, suffix
			}
			c := index[key]
			if c == nil {
				c = new(choices)
				index[key] = c
			}
			if other := c[l.kind]; other == nil {
				c[l.kind] = l
			} else if other != l {
				kept, left := other, l
				if better(l, other, now) {
					kept, left = l, other
				}
				c[l.kind] = kept
				twice(name, kept, left)
			}
		}
	}
	return s
}

func better(a, b *leaf, now time.Time) bool {
	validA, validB := validAt(a.pair.Leaf, now) == nil, validAt(b.pair.Leaf, now) == nil
	if validA != validB {
		return validA
	}
	return a.pair.Leaf.NotAfter.After(b.pair.Leaf.NotAfter)
}

func validAt(cert *x509.Certificate, now time.Time) error {
	if now.After(cert.NotAfter) {
		return ErrExpired
	}
	if now.Before(cert.NotBefore) {
		return ErrNotYetValid
	}
	return nil
}

// find returns the certificates for a name: of that name, or of the wildcard
// one label above (RFC 9525 §6.3).
func (s *shelf) find(name string) *choices {
	if c := s.exact[name]; c != nil {
		return c
	}
	if i := strings.IndexByte(name, '.'); i > 0 {
		return s.wild[name[i+1:]]
	}
	return nil
}

// pick returns the certificate that the client can verify, ECDSA first: it
// signs about thirty times faster than RSA. Where the client knows none of
// them, it gets the first: its own alert says more than ours could.
func (c *choices) pick(hello *stdtls.ClientHelloInfo) *leaf {
	var first *leaf
	for _, l := range c {
		if l == nil {
			continue
		}
		if first == nil {
			first = l
		}
		if canVerify(hello, l) {
			return l
		}
	}
	return first
}

func canVerify(hello *stdtls.ClientHelloInfo, l *leaf) bool {
	modern := slices.Contains(hello.SupportedVersions, stdtls.VersionTLS13)
	switch l.kind {
	case kindECDSA:
		key, ok := l.pair.Leaf.PublicKey.(*ecdsa.PublicKey)
		if !ok {
			return false
		}
		return (modern || hasSuite(hello, true)) && signs(hello, key.Curve, modern)
	case kindEd25519:
		return slices.Contains(hello.SignatureSchemes, stdtls.Ed25519) && (modern || hasSuite(hello, true))
	default:
		return modern && slices.ContainsFunc(hello.SignatureSchemes, isPSS) || hasSuite(hello, false)
	}
}

// signs reports whether the client verifies signatures on a curve. Before TLS
// 1.3 a scheme names no curve, and a client may leave the schemes out.
func signs(hello *stdtls.ClientHelloInfo, curve elliptic.Curve, modern bool) bool {
	scheme, id := stdtls.ECDSAWithP256AndSHA256, stdtls.CurveP256
	switch curve {
	case elliptic.P384():
		scheme, id = stdtls.ECDSAWithP384AndSHA384, stdtls.CurveP384
	case elliptic.P521():
		scheme, id = stdtls.ECDSAWithP521AndSHA512, stdtls.CurveP521
	}
	if modern {
		return slices.Contains(hello.SignatureSchemes, scheme)
	}
	if len(hello.SupportedCurves) > 0 && !slices.Contains(hello.SupportedCurves, id) {
		return false
	}
	return len(hello.SignatureSchemes) == 0 || slices.ContainsFunc(hello.SignatureSchemes, isECDSA)
}

func isECDSA(s stdtls.SignatureScheme) bool {
	return s == stdtls.ECDSAWithP256AndSHA256 || s == stdtls.ECDSAWithP384AndSHA384 || s == stdtls.ECDSAWithP521AndSHA512 || s == stdtls.ECDSAWithSHA1
}

func isPSS(s stdtls.SignatureScheme) bool {
	return s == stdtls.PSSWithSHA256 || s == stdtls.PSSWithSHA384 || s == stdtls.PSSWithSHA512
}

// hasSuite reports whether the client offers a suite of TLS 1.2 or older that
// is signed by ECDSA, or by RSA.
func hasSuite(hello *stdtls.ClientHelloInfo, byECDSA bool) bool {
	for _, id := range hello.CipherSuites {
		switch id {
		case stdtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, stdtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			stdtls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, stdtls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
			stdtls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, stdtls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA:
			if byECDSA {
				return true
			}
		case stdtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, stdtls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			stdtls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, stdtls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
			stdtls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, stdtls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
			stdtls.TLS_RSA_WITH_AES_128_GCM_SHA256, stdtls.TLS_RSA_WITH_AES_256_GCM_SHA384,
			stdtls.TLS_RSA_WITH_AES_128_CBC_SHA256, stdtls.TLS_RSA_WITH_AES_128_CBC_SHA, stdtls.TLS_RSA_WITH_AES_256_CBC_SHA:
			if !byECDSA {
				return true
			}
		}
	}
	return false
}

package tls

import (
	"context"
	stdtls "crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"sync"
	"time"
)

// Session is what the rest of the way may know of a connection's handshake.
type Session struct {
	Version  uint16
	Suite    uint16
	SNI      string // what the client asked for, in lower case; "" for nothing
	Name     string // whose terms applied: SNI, the local address, or the default
	Protocol string // by ALPN; "" where none was agreed
	Resumed  bool
	ECH      bool
	Policy   string             // for Covers
	Client   *ClientCertificate // nil where the client has shown none
}

// VersionName returns the version as logs have it: TLSv1.3.
func (s *Session) VersionName() string {
	return "TLSv" + strings.TrimPrefix(stdtls.VersionName(s.Version), "TLS ")
}

// SuiteName returns the name of the cipher suite.
func (s *Session) SuiteName() string { return stdtls.CipherSuiteName(s.Suite) }

// ClientCertificate is the verified certificate of a client. It is immutable.
type ClientCertificate struct {
	DER    [][]byte // as shown, its own first
	Leaf   *x509.Certificate
	PEM    string
	Header string // of Client-Cert (RFC 9440 §2.2)
	Chain  string // of Client-Cert-Chain (RFC 9440 §2.3); "" where nothing came with it

	// As AWS's clientCert has them.
	Subject, Issuer string
	Serial          string
	NotBefore       string
	NotAfter        string
}

// handshake is what a hello leaves for the session.
type handshake struct {
	name    string
	policy  *policy
	refused bool
}

type handshakeKey struct{}

// WithHandshake returns a context for one handshake, from which SessionOf
// afterwards knows the terms that applied. QUIC's ConnContext takes it too.
func WithHandshake(ctx context.Context) context.Context {
	return context.WithValue(ctx, handshakeKey{}, new(handshake))
}

// NameRefused reports whether the handshake of a context ended because nothing
// serves the name that the client asked for.
func NameRefused(ctx context.Context) bool {
	h, _ := ctx.Value(handshakeKey{}).(*handshake)
	return h != nil && h.refused
}

// SessionOf returns the session of a handshake that has ended well under ctx,
// which WithHandshake has made.
func SessionOf(ctx context.Context, state stdtls.ConnectionState) *Session {
	s := &Session{
		Version: state.Version, Suite: state.CipherSuite, SNI: lower(state.ServerName),
		Protocol: state.NegotiatedProtocol, Resumed: state.DidResume, ECH: state.ECHAccepted,
	}
	s.Name = s.SNI
	if h, _ := ctx.Value(handshakeKey{}).(*handshake); h != nil && h.policy != nil {
		s.Name, s.Policy = h.name, h.policy.key
	}
	if len(state.VerifiedChains) > 0 && len(state.PeerCertificates) > 0 {
		s.Client = newClientCertificate(state.PeerCertificates)
	}
	return s
}

func newClientCertificate(certs []*x509.Certificate) *ClientCertificate {
	leaf := certs[0]
	c := &ClientCertificate{
		Leaf:    leaf,
		PEM:     string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})),
		Header:  byteSequence(leaf.Raw),
		Subject: leaf.Subject.String(), Issuer: leaf.Issuer.String(),
		Serial:    leaf.SerialNumber.String(),
		NotBefore: awsTime(leaf.NotBefore), NotAfter: awsTime(leaf.NotAfter),
	}
	var chain []string
	for i, cert := range certs {
		c.DER = append(c.DER, cert.Raw)
		if i > 0 {
			chain = append(chain, byteSequence(cert.Raw))
		}
	}
	c.Chain = strings.Join(chain, ", ")
	return c
}

// byteSequence writes bytes as a structured field does (RFC 9651 §3.3.5).
func byteSequence(raw []byte) string { return ":" + base64.StdEncoding.EncodeToString(raw) + ":" }

// awsTime writes a time as AWS's clientCert.validity does.
func awsTime(t time.Time) string { return t.UTC().Format("Jan _2 15:04:05 2006 GMT") }

// lower returns s in lower case; it copies only where it must.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}

// protocolSets keeps one address for each list of protocols.
type protocolSets struct {
	mu    sync.Mutex
	known map[string]*protocolSet
}

func (p *protocolSets) of(names []string, quic bool) *protocolSet {
	key := strings.Join(names, "\x00")
	if quic {
		key += "\x00quic"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = make(map[string]*protocolSet)
	}
	if p.known[key] == nil {
		p.known[key] = &protocolSet{names: append([]string(nil), names...), quic: quic}
	}
	return p.known[key]
}

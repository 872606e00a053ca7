package exchange

import "crypto/x509"

// TLS is what the handshake of a connection agreed on. It is immutable and
// shared by all exchanges of the connection.
type TLS struct {
	Version    string // "TLSv1.3"
	Suite      string // "TLS_AES_128_GCM_SHA256"
	ServerName string // that the client asked for (RFC 6066 §3), in lower case; "" for none
	Protocol   string // that ALPN chose (RFC 7301), "" for none
	Resumed    bool
	Client     *ClientCertificate // verified; nil without one

	// AltSvc is the offer of another protocol that answers carry (RFC 7838 §3),
	// nil for none.
	AltSvc []byte

	// Session is what package tls keeps of the handshake, for its Covers.
	Session any
}

// ClientCertificate is the certificate that a client has shown and proven.
// Texts are in the form of AWS's $context.identity.clientCert.
type ClientCertificate struct {
	PEM                     string
	Subject, Issuer, Serial string
	NotBefore, NotAfter     string
	Field, ChainField       []byte // Client-Cert and Client-Cert-Chain (RFC 9440 §2)
	Certificate             *x509.Certificate
	Digest                  [32]byte // SHA-256 of the certificate
}

package tls

import (
	"fmt"
	"strings"
	"time"
)

// Where a domain's certificate comes from.
const (
	SourceFiles = "files" // one of Settings.Certificates
	SourceAuto  = "auto"  // an ACME directory
	SourceDev   = "dev"   // the local authority, for development
	SourceOff   = "off"   // the domain is not served over TLS
)

// Whether a client must show a certificate.
const (
	ModeRequired = "required"
	ModeOptional = "optional" // one that is shown must still be valid
)

// Settings say what is served over TLS. They mirror the document, and the paths
// of mistakes are those of the document. The zero value serves no name.
type Settings struct {
	Certificates []Source
	// Default is the name whose certificate is shown to hellos that ask for a
	// name nothing serves; "" refuses them.
	Default string
	Profile string // "" is intermediate
	ACME    ACME
	Tickets Tickets
	ECHKeys string // file; "" offers no ECH
	OCSP    bool
	Domains map[string]Domain // by host in lower case; *.example.org and * too
}

// Source names files with certificates: a pair, a bundle or a directory.
type Source struct {
	Cert, Key string
	Bundle    string
	Directory string
}

// Tickets say how sessions are resumed.
type Tickets struct {
	Rotate time.Duration // 0 is 12h; has no effect beside File
	File   string        // keys that nodes share; "" makes them
}

// Domain says how one host name is served.
type Domain struct {
	Source             string // "" is SourceFiles
	Profile            string // "" is that of Settings
	ClientCertificates *ClientAuth
}

// ClientAuth says which certificates clients show.
type ClientAuth struct {
	Truststore string   // file of authorities in PEM
	Mode       string   // "" is ModeRequired
	CRL        []string // files; every authority needs one if there are any
	// AcceptExpiredCRL goes on with a list whose next update is overdue.
	AcceptExpiredCRL bool
	Depth            int // longest chain, authority included; 0 is 4
}

// ACME says how certificates are had from a directory.
type ACME struct {
	Email           string
	Directory       string   // URL; "" is Let's Encrypt
	CA              string   // file with the authorities of the directory's own server
	Challenges      []string // none is http-01 and tls-alpn-01, and dns-01 alone beside DNS
	DNS             *DNS
	ExternalAccount *ExternalAccount
	OnDemand        *OnDemand
	// RenewBefore is the part of a lifetime that is left at renewal where the
	// directory does not say; 0 is a third.
	RenewBefore float64
	// HTTPPort and TLSPort are where weir listens for challenges; 0 is 80 and
	// 443. Where nothing listens there, certmagic does while a challenge lasts.
	HTTPPort, TLSPort int
}

// ExternalAccount is the account at the authority that an ACME account is bound to.
type ExternalAccount struct {
	ID  string
	Key string // base64url of the HMAC key
}

// DNS says which server takes the records of dns-01, by RFC 2136 updates.
type DNS struct {
	Server  string // host:port
	Zone    string // "" is found by asking
	KeyName string // of TSIG; "" signs nothing
	Key     string // base64
	// Algorithm is hmac-sha256 where it is "".
	Algorithm string
}

// OnDemand says for which further names a certificate is had when a client asks.
type OnDemand struct {
	Allow []string // host patterns: api.example.org, *.shops.example
	Ask   string   // URL that is asked ?domain=…; 2xx allows
}

// Mistake is one thing that is wrong with settings. Path holds the keys and
// indexes from the document's top: "tls", "certificates", 0, "cert".
type Mistake struct {
	Path []any
	Err  error
}

// Mistakes is the error of Compile: all that is wrong.
type Mistakes []Mistake

// Error returns the mistakes, one a line.
func (m Mistakes) Error() string {
	var b strings.Builder
	for i, mistake := range m {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(mistake.Error())
	}
	return b.String()
}

// Error returns the path and what is wrong there.
func (m Mistake) Error() string {
	var b strings.Builder
	for i, element := range m.Path {
		if i > 0 {
			b.WriteByte('.')
		}
		fmt.Fprint(&b, element)
	}
	return b.String() + ": " + m.Err.Error()
}

// Unwrap returns what is wrong.
func (m Mistake) Unwrap() error { return m.Err }

// findings collects mistakes and warnings.
type findings struct {
	mistakes Mistakes
	warnings Mistakes
}

func (f *findings) add(err error, path ...any) {
	f.mistakes = append(f.mistakes, Mistake{Path: path, Err: err})
}

func (f *findings) warn(err error, path ...any) {
	f.warnings = append(f.warnings, Mistake{Path: path, Err: err})
}

func (f *findings) err() error {
	if len(f.mistakes) == 0 {
		return nil
	}
	return f.mistakes
}

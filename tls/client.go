package tls

import (
	"crypto/sha256"
	"crypto/subtle"
	stdtls "crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// sessions is how many tickets of a server are kept for resumption: enough
// for a burst of new connections, each of which uses one up under TLS 1.3.
const sessions = 64

// ErrPin says that no certificate of the server's chain carries a pinned key.
var ErrPin = errors.New("no certificate of the server has a pinned key")

// Options says how a server is met over TLS. The zero value trusts the
// system's authorities and shows no certificate.
type Options struct {
	CA         string // file of authorities in PEM; "" = the system's
	Cert, Key  string // files of the client certificate and its key in PEM
	ServerName string // for SNI and verification; "" = that of the address

	// Pins are "sha256/BASE64" hashes of public keys (RFC 7469 §2.4), of which
	// the verified chain must hold one. They do not replace verification.
	Pins               []string
	InsecureSkipVerify bool
}

// ClientConfig reads the files that o names and returns the configuration.
// It may be used by any number of connections at once.
func ClientConfig(o Options) (*stdtls.Config, error) {
	c := &stdtls.Config{
		MinVersion:         stdtls.VersionTLS12,
		ServerName:         o.ServerName,
		InsecureSkipVerify: o.InsecureSkipVerify, //nolint:gosec // what the document asks for
		ClientSessionCache: stdtls.NewLRUClientSessionCache(sessions),
	}
	if o.CA != "" {
		pool, err := authorities(o.CA)
		if err != nil {
			return nil, err
		}
		c.RootCAs = pool
	}
	if (o.Cert == "") != (o.Key == "") {
		return nil, errors.New("cannot use a client certificate without both of its files, certificate and key")
	}
	if o.Cert != "" {
		pair, err := stdtls.LoadX509KeyPair(o.Cert, o.Key)
		if err != nil {
			return nil, fmt.Errorf("cannot load client certificate %q with key %q: %w", o.Cert, o.Key, err)
		}
		c.Certificates = []stdtls.Certificate{pair}
	}
	if len(o.Pins) == 0 {
		return c, nil
	}
	pins, err := parsePins(o.Pins)
	if err != nil {
		return nil, err
	}
	c.VerifyConnection = pins.verify
	return c, nil
}

func authorities(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read certificate authorities %q: %w", file, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("cannot read certificate authorities %q: no certificate in PEM form", file)
	}
	return pool, nil
}

type pinSet [][sha256.Size]byte

func parsePins(texts []string) (pinSet, error) {
	var pins pinSet
	for _, text := range texts {
		encoded, ok := strings.CutPrefix(text, "sha256/")
		if !ok {
			return nil, fmt.Errorf("cannot use pin %q: it must begin with \"sha256/\"", text)
		}
		sum, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, fmt.Errorf("cannot use pin %q: %w", text, err)
		}
		if len(sum) != sha256.Size {
			return nil, fmt.Errorf("cannot use pin %q: %d bytes instead of %d", text, len(sum), sha256.Size)
		}
		pins = append(pins, [sha256.Size]byte(sum))
	}
	return pins, nil
}

// verify looks for a pinned key in the verified chains or, where nothing is
// verified, in the server's own certificate: the others prove nothing then.
func (pins pinSet) verify(state stdtls.ConnectionState) error {
	for _, chain := range state.VerifiedChains {
		for _, cert := range chain {
			if pins.has(cert) {
				return nil
			}
		}
	}
	if len(state.VerifiedChains) == 0 && len(state.PeerCertificates) > 0 && pins.has(state.PeerCertificates[0]) {
		return nil
	}
	return ErrPin
}

func (pins pinSet) has(cert *x509.Certificate) bool {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	for i := range pins {
		if subtle.ConstantTimeCompare(pins[i][:], sum[:]) == 1 {
			return true
		}
	}
	return false
}

// Fingerprint is equal for options that lead to the same configuration now:
// it covers what the files hold, so that a renewed certificate changes it.
func (o Options) Fingerprint() (string, error) {
	h := sha256.New()
	note := func(s string) { fmt.Fprintf(h, "%d:%s;", len(s), s) }
	for _, file := range []string{o.CA, o.Cert, o.Key} {
		if file == "" {
			note("")
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("cannot read %q: %w", file, err)
		}
		note(string(content))
	}
	note(o.ServerName)
	note(strconv.FormatBool(o.InsecureSkipVerify))
	for _, pin := range o.Pins {
		note(pin)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

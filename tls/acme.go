package tls

import (
	stdtls "crypto/tls"
	"errors"
)

// acme has certificates from a directory.
type acme struct {
	m               *Manager
	challengeConfig *stdtls.Config
}

func newACME(m *Manager) *acme { return &acme{m: m} }

func (a *acme) close() {}

func (a *acme) publish(*Terms) {}

func (a *acme) isChallenge(*stdtls.ClientHelloInfo) bool { return false }

func (a *acme) certificate(*stdtls.ClientHelloInfo, string) (*stdtls.Certificate, error) {
	return nil, errors.New("no ACME yet")
}

func (a *acme) infos(*Terms) []CertificateInfo { return nil }

func (m *Manager) checkACME(*reader, Settings, *Terms) {}

func (t *Terms) onDemand(string) bool { return false }

// HTTPChallenge returns the body that answers an http-01 challenge (RFC 8555
// §8.3), for a request on a plain listener; ok is false for every other request.
func (m *Manager) HTTPChallenge(host, path string) (body []byte, ok bool) { return nil, false }

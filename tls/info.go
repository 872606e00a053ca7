package tls

import (
	"slices"
	"strings"
	"time"
)

// CertificateInfo is what a person asks about a certificate that is served.
type CertificateInfo struct {
	Names     []string  `json:"names"`
	Issuer    string    `json:"issuer"`
	Serial    string    `json:"serial"`
	KeyType   string    `json:"keyType"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	Source    string    `json:"source"` // the file, or dev or acme
	OCSP      string    `json:"ocsp,omitempty"`
	LastError string    `json:"lastError,omitempty"`
}

// Certificates returns what is served, those of files first, each kind by name.
func (m *Manager) Certificates() []CertificateInfo {
	t := m.published.Load()
	var out []CertificateInfo
	for _, l := range t.shelf.leaves {
		out = append(out, l.info())
	}
	out = append(out, m.acme.infos(t)...)
	return append(out, m.dev.infos()...)
}

func (l *leaf) info() CertificateInfo {
	cert := l.pair.Leaf
	i := CertificateInfo{
		Names: l.names, Issuer: cert.Issuer.String(), Serial: cert.SerialNumber.Text(16), KeyType: keyType(cert),
		NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, Source: l.source,
	}
	if s := l.staple.Load(); s != nil {
		i.OCSP = s.state
		if s.err != nil {
			i.LastError = s.err.Error()
		}
	}
	return i
}

func (a *authorityDev) infos() []CertificateInfo {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.wanted {
		return nil
	}
	var out []CertificateInfo
	for _, pair := range a.leaves {
		out = append(out, newLeaf(pair, SourceDev).info())
	}
	slices.SortFunc(out, func(x, y CertificateInfo) int {
		return strings.Compare(strings.Join(x.Names, " "), strings.Join(y.Names, " "))
	})
	return out
}

// expiryDays are how long before its end a certificate of a file is warned of.
func expiryDays() [4]int { return [4]int{1, 7, 14, 30} }

// expiryWarnings remembers the last warning about each certificate.
type expiryWarnings map[*leaf]int

// warn logs each certificate of files that has come nearer to its end. Those of
// a directory or of the local authority renew themselves.
func (w *expiryWarnings) warn(m *Manager) {
	seen := make(expiryWarnings)
	for _, l := range m.published.Load().shelf.leaves {
		left := l.pair.Leaf.NotAfter.Sub(m.now())
		for _, days := range expiryDays() {
			if left >= time.Duration(days)*24*time.Hour {
				continue
			}
			if left < 0 {
				days = 0
			}
			seen[l] = days
			if known, warned := (*w)[l]; !warned || known != days {
				m.log.Warn("a certificate expires", "file", l.source, "names", l.names, "notAfter", l.pair.Leaf.NotAfter, "left", left.Round(time.Minute).String())
			}
			break
		}
	}
	*w = seen
}

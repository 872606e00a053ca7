package tls

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/certmagic"
	acmeapi "github.com/mholt/acmez/v3/acme"
)

// acmeTerms are what compiled terms want of the directory.
type acmeTerms struct {
	wanted bool
	auto   []string
	ca     []byte
	roots  *x509.CertPool
	eab    *acmeapi.EAB
	allow  []string
	asks   bool
}

// checkACME compiles what the terms want of a directory.
func (m *Manager) checkACME(r *reader, s Settings, t *Terms) {
	for name, d := range s.Domains {
		if d.Source == SourceAuto {
			t.acme.auto = append(t.acme.auto, strings.ToLower(name))
		}
	}
	slices.Sort(t.acme.auto)
	if o := s.ACME.OnDemand; o != nil {
		t.acme.asks = o.Ask != ""
		for _, pattern := range o.Allow {
			t.acme.allow = append(t.acme.allow, strings.ToLower(pattern))
		}
		if len(o.Allow) == 0 && o.Ask == "" {
			r.found.add(errors.New("cannot get certificates on demand without a rule"), "tls", "acme", "onDemand")
		}
	}
	t.acme.wanted = len(t.acme.auto) > 0 || s.ACME.OnDemand != nil
	if !t.acme.wanted {
		return
	}
	if m.config.Dir == "" {
		r.found.add(fmt.Errorf("cannot get certificates from a directory: %w", errNoDir), "tls", "acme")
	}
	if s.ACME.CA != "" {
		t.acme.authorities(r, s.ACME.CA)
	}
	if e := s.ACME.ExternalAccount; e != nil {
		if _, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(e.Key, "=")); err != nil || e.Key == "" || e.ID == "" {
			r.found.add(errors.New("cannot use external account: it needs an id, and a key in base64url"), "tls", "acme", "externalAccount")
		}
		t.acme.eab = &acmeapi.EAB{KeyID: e.ID, MACKey: strings.TrimRight(e.Key, "=")}
	}
	for _, challenge := range s.ACME.Challenges {
		if challenge != ChallengeHTTP && challenge != ChallengeALPN && challenge != ChallengeDNS {
			r.found.add(fmt.Errorf("cannot use challenge %q: there are http-01, tls-alpn-01 and dns-01", challenge), "tls", "acme", "challenges")
		}
	}
	if dns := slices.Contains(s.ACME.Challenges, ChallengeDNS); dns && (s.ACME.DNS == nil || len(s.ACME.Challenges) > 1) {
		r.found.add(errors.New("cannot use challenge \"dns-01\" without dns, or beside others"), "tls", "acme", "challenges")
	}
	for _, name := range t.acme.auto {
		if strings.HasPrefix(name, "*.") && s.ACME.DNS == nil {
			r.found.add(fmt.Errorf("cannot get a certificate for %q: a wildcard needs dns-01", name), "domains", name, "tls", "source")
		}
	}
}

func (t *acmeTerms) authorities(r *reader, file string) {
	text, err := r.read(file)
	pool := x509.NewCertPool()
	if err == nil && !pool.AppendCertsFromPEM(text) {
		err = ErrNoCert
	}
	switch {
	case err == nil:
		t.ca, t.roots = text, pool
	case r.previous != nil:
		r.kept = append(r.kept, err)
		t.ca, t.roots = r.previous.acme.ca, r.previous.acme.roots
	default:
		r.found.add(fmt.Errorf("cannot read certificate authorities %q: %w", file, err), "tls", "acme", "ca")
	}
}

// onDemand reports whether a certificate for a name may be had when a client
// asks for it, as far as that can be told without asking anybody.
func (t *Terms) onDemand(name string) bool {
	if len(t.acme.allow) == 0 {
		return t.acme.asks && isPublicName(name)
	}
	return isPublicName(name) && slices.ContainsFunc(t.acme.allow, func(pattern string) bool {
		suffix, isWild := strings.CutPrefix(pattern, "*.")
		if !isWild {
			return name == pattern
		}
		_, rest, _ := strings.Cut(name, ".")
		return rest == suffix
	})
}

func isPublicName(name string) bool {
	return strings.IndexByte(name, '.') > 0 && certmagic.SubjectQualifiesForPublicCert(name) && !strings.Contains(name, "*")
}

package tls

import (
	stdtls "crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Terms are compiled settings: certificates, and for each name the policy it is
// served under. They are immutable and safe for concurrent use.
type Terms struct {
	settings Settings
	domains  domains
	fallback *policy // of names that certificates cover and no domain has
	refusal  *policy
	shelf    *shelf
	standard string // the default name
	ech      []stdtls.EncryptedClientHelloKey
	tickets  ticketTerms
	usesDev  bool
	acme     acmeTerms
	warnings Mistakes
	kept     []error
	seen     map[string]uint64
	dirs     []string
}

// Warnings returns what is wrong with the settings and keeps nothing from being
// served: expired certificates, one bad file of a directory.
func (t *Terms) Warnings() Mistakes { return t.warnings }

// Files returns the files and directories that were read.
func (t *Terms) Files() []string { return slices.Sorted(maps.Keys(t.seen)) }

// Compile reads the files that s names and makes terms of them. The error is
// Mistakes, which holds all that is wrong. Nothing is changed by it.
func (m *Manager) Compile(s Settings) (*Terms, error) {
	r := m.reader(nil)
	t := m.compile(s, r)
	if err := r.found.err(); err != nil {
		return nil, err
	}
	return t, nil
}

func (m *Manager) reader(previous *Terms) *reader {
	return &reader{now: m.now(), previous: previous, seed: m.seed, seen: make(map[string]uint64)}
}

func (m *Manager) compile(s Settings, r *reader) *Terms {
	t := &Terms{settings: s, domains: domains{exact: map[string]*domain{}, wild: map[string]*domain{}}}
	leaves := r.certificates(s.Certificates)
	t.shelf = newShelf(leaves, r.now, func(name string, kept, left *leaf) {
		r.found.warn(fmt.Errorf("%q is in two certificates with the same kind of key: %q is shown, %q is not", name, kept.source, left.source), "tls", "certificates")
	})
	general, err := profileOf(s.Profile)
	if err != nil {
		r.found.add(err, "tls", "profile")
	}
	t.fallback = (&policy{profile: general}).keyed()
	t.refusal = (&policy{profile: general, refuse: true}).keyed()
	for _, name := range slices.Sorted(maps.Keys(s.Domains)) {
		t.domain(m, r, name, s.Domains[name], general)
	}
	t.standard = strings.ToLower(s.Default)
	if t.standard != "" && !t.canShow(t.standard) {
		r.found.add(fmt.Errorf("cannot show the certificate of %q by default: there is none", s.Default), "tls", "default")
	}
	t.ech = r.echKeys(s.ECHKeys)
	t.tickets = r.tickets(s.Tickets)
	m.checkACME(r, s, t)
	t.warnings, t.kept = r.found.warnings, r.kept
	t.seen, t.dirs = r.seen, r.dirs
	return t
}

// domain compiles one domain. When files are read again, one that cannot be
// understood stays as it was.
func (t *Terms) domain(m *Manager, r *reader, name string, d Domain, general profile) {
	at := []any{"domains", name, "tls"}
	before := len(r.found.mistakes)
	made := &domain{source: d.Source, policy: &policy{profile: general}}
	if made.source == "" {
		made.source = SourceFiles
	}
	if d.Profile != "" {
		own, err := profileOf(d.Profile)
		if err != nil {
			r.found.add(err, append(at, "profile")...)
		}
		made.policy.profile = own
	}
	if d.ClientCertificates != nil {
		made.policy.trust = r.trust(d.ClientCertificates, m.now, append(at, "clientCertificates")...)
	}
	made.policy.refuse = made.source == SourceOff
	made.policy.keyed()
	if old := r.domainBefore(name); old != nil {
		if wrong := r.found.mistakes[before:]; len(wrong) > 0 {
			for _, mistake := range wrong {
				r.kept = append(r.kept, mistake)
			}
			r.found.mistakes = r.found.mistakes[:before]
			made = old
		} else if old.policy.key == made.policy.key {
			made.policy = old.policy // with the configurations it has
		}
	}
	t.domains.add(strings.ToLower(name), made)
	t.usesDev = t.usesDev || made.source == SourceDev
	if made.source == SourceDev && m.config.Dir == "" {
		r.found.add(fmt.Errorf("cannot make a development certificate: %w", errNoDir), append(at, "source")...)
	}
	if err := t.checkSource(name, made.source); err != nil {
		r.found.add(err, append(at, "source")...)
	}
}

func (r *reader) domainBefore(name string) *domain {
	if r.previous == nil {
		return nil
	}
	return r.previous.domains.named(strings.ToLower(name))
}

// named returns the domain under a key, without looking at wildcards.
func (d *domains) named(name string) *domain {
	switch suffix, isWild := strings.CutPrefix(name, "*."); {
	case name == "*":
		return d.any
	case isWild:
		return d.wild[suffix]
	}
	return d.exact[name]
}

func (t *Terms) checkSource(name, source string) error {
	name = strings.ToLower(name)
	switch source {
	case SourceFiles:
		if name == "*" {
			return nil // whatever there are certificates for
		}
		if suffix, isWild := strings.CutPrefix(name, "*."); isWild {
			if t.shelf.wild[suffix] == nil {
				return fmt.Errorf("cannot serve %q over TLS: no certificate of the files covers it", name)
			}
			return nil
		}
		if t.shelf.find(name) == nil {
			return fmt.Errorf("cannot serve %q over TLS: no certificate of the files covers it", name)
		}
	case SourceAuto:
		if name == "*" {
			return errors.New("cannot get a certificate for every name: name the domains, or allow names by onDemand")
		}
	case SourceDev:
		return nil
	case SourceOff:
	default:
		return fmt.Errorf("cannot take a certificate from %q: the sources are files, auto, dev, off", source)
	}
	return nil
}

// canShow reports whether there is or will be a certificate for a name.
func (t *Terms) canShow(name string) bool {
	if d := t.domains.find(name); d != nil && d.source != SourceFiles {
		return d.source != SourceOff
	}
	return t.shelf.find(name) != nil
}

// choose returns the name that a hello is served under, and its policy. Where
// nothing serves the name, that is the default or the refusal.
func (t *Terms) choose(sni, local string) (string, *policy) {
	for _, name := range [...]string{sni, local, t.standard} {
		if name == "" {
			continue
		}
		d := t.domains.find(name)
		switch {
		case d != nil && d.source == SourceOff:
			return name, t.refusal
		case d != nil && (d.source != SourceFiles || t.shelf.find(name) != nil):
			return name, d.policy
		case d == nil && (t.shelf.find(name) != nil || t.onDemand(name)):
			return name, t.fallback
		}
	}
	return sni, t.refusal
}

// isAddress tells addresses from names without an error, which would allocate.
func isAddress(host string) bool {
	if host == "" {
		return false
	}
	last := host[len(host)-1]
	return host[0] == '[' || strings.IndexByte(host, ':') >= 0 || '0' <= last && last <= '9' && strings.Trim(host, "0123456789.") == ""
}

// policyOf returns the policy of a host, or nil where it is not served over TLS.
func (t *Terms) policyOf(host string) *policy {
	name, p := t.choose(host, "")
	if p.refuse || name != host && t.standard != "" {
		return nil
	}
	return p
}

// Covers reports whether a connection may be used for requests to a host: it is
// the name that the connection was made for, or it is served under the same
// policy and by the same certificate. If not, the answer is 421 (RFC 9110
// §15.5.20). The host is in lower case and without a port.
func (t *Terms) Covers(s *Session, host string) bool {
	switch host {
	case s.Name:
		return true
	case s.SNI:
		// The client asked for the host and was shown the default's certificate: the
		// rules about clients may be others all the same.
		d := t.domains.find(host)
		return d == nil || d.policy.key == s.Policy
	}
	if isAddress(host) {
		address, err := netip.ParseAddr(strings.Trim(host, "[]"))
		return err == nil && address.Unmap().String() == s.Name
	}
	p := t.policyOf(host)
	if p == nil || p.key != s.Policy {
		return false
	}
	shown, asked := t.shelf.find(s.Name), t.shelf.find(host)
	if shown == nil || asked == nil {
		return false
	}
	for i := range shown {
		if shown[i] != nil && shown[i] == asked[i] {
			return true
		}
	}
	return false
}

package tls

import (
	"crypto/sha256"
	stdtls "crypto/tls"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// policy is how the names that share it are served: versions, suites and what
// clients must show. Its configurations are made once a list of protocols.
type policy struct {
	key     string // equal for policies that ask the same of clients
	profile profile
	trust   *trust // nil asks for no certificate
	refuse  bool   // no name is served: every hello ends in unrecognized_name
	configs sync.Map
}

// keyed sets the key: what a session must have been made under to be worth the
// same here. It covers what the files hold, so a changed one is another policy.
func (p *policy) keyed() *policy {
	h := sha256.New()
	fmt.Fprint(h, p.profile.min, p.profile.max, p.profile.suites, p.profile.curves, p.refuse)
	if p.trust != nil {
		fmt.Fprint(h, p.trust.mode, p.trust.depth, p.trust.overdue)
		for _, root := range p.trust.roots {
			h.Write(root.Raw)
		}
		p.trust.note(h)
	}
	p.key = hex.EncodeToString(h.Sum(nil)[:16])
	return p
}

// note adds the revocation lists to a hash, in an order that does not change.
func (t *trust) note(h interface{ Write([]byte) (int, error) }) {
	var texts []string
	for key, list := range t.lists {
		serials := make([]string, 0, len(list.revoked))
		for serial := range list.revoked {
			serials = append(serials, serial)
		}
		slices.Sort(serials)
		texts = append(texts, fmt.Sprintf("%q %d %q", key, list.next.UnixNano(), serials))
	}
	slices.Sort(texts)
	for _, text := range texts {
		_, _ = h.Write([]byte(text))
	}
}

// config returns the configuration for a list of protocols. After the first
// time it costs a look-up.
func (p *policy) config(m *Manager, protocols *protocolSet) *stdtls.Config {
	if known, ok := p.configs.Load(protocols); ok {
		return known.(*stdtls.Config)
	}
	c := &stdtls.Config{
		Time: m.now, NextProtos: protocols.names, GetCertificate: m.certificate,
		GetEncryptedClientHelloKeys: m.echKeys,
		WrapSession:                 m.tickets.wrap(p.key), UnwrapSession: m.tickets.unwrap(p.key),
		DynamicRecordSizingDisabled: true, // answers are written whole; small records would cost a send each
	}
	p.profile.apply(c)
	if protocols.quic {
		c.MinVersion = stdtls.VersionTLS13
	}
	if p.trust != nil {
		p.trust.apply(c)
	}
	if p.refuse {
		c.GetCertificate = refuse
	}
	known, _ := p.configs.LoadOrStore(protocols, c)
	return known.(*stdtls.Config)
}

// refuse makes crypto/tls answer unrecognized_name: it does where there is
// neither a certificate nor an error.
func refuse(*stdtls.ClientHelloInfo) (*stdtls.Certificate, error) { return nil, nil }

// protocolSet is the ALPN list of a listener. Each has one address a Manager.
type protocolSet struct {
	names []string
	quic  bool
}

// domain is how the names under one key of Settings.Domains are served.
type domain struct {
	source string
	policy *policy
}

// domains finds the domain of a host as routes do: exact, then the longest
// wildcard, then "*".
type domains struct {
	exact map[string]*domain
	wild  map[string]*domain
	any   *domain
}

func (d *domains) add(name string, made *domain) {
	switch suffix, isWild := strings.CutPrefix(name, "*."); {
	case name == "*":
		d.any = made
	case isWild:
		d.wild[suffix] = made
	default:
		d.exact[name] = made
	}
}

func (d *domains) find(host string) *domain {
	if found := d.exact[host]; found != nil {
		return found
	}
	if len(d.wild) > 0 {
		for rest := host; ; {
			i := strings.IndexByte(rest, '.')
			if i < 0 {
				break
			}
			rest = rest[i+1:]
			if found := d.wild[rest]; found != nil {
				return found
			}
		}
	}
	return d.any
}

package proxy

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"weir/proxy/config"
	weirtls "weir/tls"
)

// newManager makes what keeps certificates, ticket keys and the like for the process.
func newManager(options Options, log zerolog.Logger) (*weirtls.Manager, error) {
	return weirtls.New(weirtls.Config{Dir: options.Data, NoWatch: !options.Watch}, slog.New(zerolog.NewSlogHandler(log)))
}

// secure compiles how names are served over TLS, and what their domains ask of
// connections beside.
func (c *compiler) secure() {
	settings := tlsSettings(c.document)
	settings.ACME.HTTPPort, settings.ACME.TLSPort = challengePorts(c.document.Listeners)
	terms, err := c.g.secure.Compile(settings)
	var mistakes weirtls.Mistakes
	switch {
	case errors.As(err, &mistakes):
		for _, m := range mistakes {
			c.mistake(config.Path(m.Path...), m.Err)
		}
	case err != nil:
		c.mistake("tls", err)
	}
	c.out.terms = terms
	c.out.securities = make(map[string]*security)
	for domain := range c.document.EffectiveDomains() {
		c.out.securities[domain] = securityOf(c.document.Domains[domain].TLS)
	}
	c.out.redirecting = make(map[string]string)
	for name, l := range c.document.Listeners {
		if l.Redirect != "" {
			c.out.redirecting[name] = portSuffix(c.document.Listeners[l.Redirect].Address)
		}
	}
	c.out.securePort = portSuffix(usualListener(c.document.Listeners))
}

// challengePorts returns where an ACME directory's challenges arrive: the ports
// that it asks at, or where somebody sends those to. 0 is for a kind of
// listener that there is none of.
func challengePorts(listeners map[string]config.Listener) (http, https int) {
	for _, l := range listeners {
		_, text, err := net.SplitHostPort(l.Address)
		port, numberErr := strconv.Atoi(text)
		switch {
		case err != nil || numberErr != nil:
		case l.TLS && (https == 0 || port == 443):
			https = port
		case !l.TLS && (http == 0 || port == 80):
			http = port
		}
	}
	return http, https
}

// usualListener returns the address that clients without TLS are sent to: that
// of the listener with TLS at the usual port, or of the only one.
func usualListener(listeners map[string]config.Listener) (address string) {
	found := 0
	for _, l := range listeners {
		if !l.TLS {
			continue
		}
		if portSuffix(l.Address) == "" {
			return l.Address
		}
		address = l.Address
		found++
	}
	if found == 1 {
		return address
	}
	return ""
}

// portSuffix returns what a URL of https says of an address's port: nothing if
// it is the usual one, or none.
func portSuffix(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil || port == "443" || port == "" {
		return ""
	}
	return ":" + port
}

func securityOf(d *config.DomainTLS) *security {
	s := &security{}
	if d == nil {
		return s
	}
	s.redirect = d.Redirect
	if c := d.ClientCertificates; c != nil {
		s.forward, s.mutual = c.Forward, c.Mode != weirtls.ModeOptional
	}
	if h := d.HSTS; h != nil {
		s.hsts = strconv.AppendInt([]byte("max-age="), int64(time.Duration(h.MaxAge)/time.Second), 10)
		if h.IncludeSubDomains {
			s.hsts = append(s.hsts, "; includeSubDomains"...)
		}
		if h.Preload {
			s.hsts = append(s.hsts, "; preload"...)
		}
	}
	return s
}

// tlsSettings turns what the document says of TLS into what package tls takes.
func tlsSettings(doc *config.Document) weirtls.Settings {
	s := weirtls.Settings{Domains: make(map[string]weirtls.Domain)}
	if t := doc.TLS; t != nil {
		s.Default, s.Profile, s.ECHKeys, s.OCSP = t.Default, t.Profile, t.ECH.Keys, t.OCSP
		s.Tickets = weirtls.Tickets{Rotate: time.Duration(t.Tickets.Rotate), File: t.Tickets.File}
		for _, c := range t.Certificates {
			s.Certificates = append(s.Certificates, weirtls.Source{Cert: c.Cert, Key: c.Key, Bundle: c.Bundle, Directory: c.Directory})
		}
		if t.ACME != nil {
			s.ACME = acmeSettings(t.ACME)
		}
	}
	for name, d := range doc.Domains {
		if d.TLS == nil {
			continue
		}
		domain := weirtls.Domain{Source: d.TLS.Source, Profile: d.TLS.Profile}
		if cc := d.TLS.ClientCertificates; cc != nil {
			domain.ClientCertificates = &weirtls.ClientAuth{
				Truststore: cc.Truststore, Mode: cc.Mode, CRL: cc.CRL, AcceptExpiredCRL: cc.ExpiredCRL == "accept", Depth: cc.Depth,
			}
		}
		s.Domains[name] = domain
	}
	return s
}

func acmeSettings(a *config.ACME) weirtls.ACME {
	s := weirtls.ACME{Email: a.Email, Directory: a.Directory, CA: a.CA, Challenges: a.Challenges}
	if d := a.DNS; d != nil {
		s.DNS = &weirtls.DNS{Server: d.Server, Zone: d.Zone, KeyName: d.KeyName, Key: d.Key, Algorithm: d.Algorithm}
	}
	if e := a.ExternalAccount; e != nil {
		s.ExternalAccount = &weirtls.ExternalAccount{ID: e.ID, Key: e.Key}
	}
	if o := a.OnDemand; o != nil {
		s.OnDemand = &weirtls.OnDemand{Allow: o.Allow, Ask: o.Ask}
	}
	return s
}

// protocolsOf returns what a listener speaks, the most wanted first.
func protocolsOf(l config.Listener) []string {
	switch {
	case len(l.Protocols) > 0:
		return l.Protocols
	case l.TLS:
		return []string{protocolH2, protocolH1}
	}
	return []string{protocolH1}
}

// speak sets how those who connect to a listener are spoken to.
func (g *Gateway) speak(k *knownAs, settings config.Listener) {
	protocols := protocolsOf(settings)
	if !settings.TLS {
		k.h2c, k.h1 = slices.Contains(protocols, protocolH2), slices.Contains(protocols, protocolH1)
		return
	}
	overTCP := slices.DeleteFunc(slices.Clone(protocols), func(p string) bool { return p == protocolH3 })
	k.secure = g.secure.ServerConfig(overTCP)
}

// DevelopmentAuthority returns the file of the authority that signs certificates
// for development, "" if no name that is served has one.
func (g *Gateway) DevelopmentAuthority() string {
	for _, d := range g.live.Load().document.Domains {
		if d.TLS != nil && d.TLS.Source == weirtls.SourceDev {
			file, err := g.secure.DevCA()
			if err == nil {
				return file
			}
		}
	}
	return ""
}

// NewECHKey returns a new file for tls.ech.keys, under the name that is seen on
// the way. What the HTTPS record (RFC 9848) needs stands in it as a comment.
func NewECHKey(name string) ([]byte, error) {
	file, list, err := weirtls.NewECHKey(name)
	if err != nil {
		return nil, err
	}
	head := fmt.Appendf(nil, "# HTTPS record: ech=%s\n", base64.StdEncoding.EncodeToString(list))
	return append(head, file...), nil
}

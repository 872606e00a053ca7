package config

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Where a domain's certificate comes from.
const (
	tlsFiles = "files"
	tlsAuto  = "auto"
	tlsDev   = "dev"
)

// minPreload is what the lists of browsers ask for.
const minPreload = Duration(365 * 24 * time.Hour)

const challengeDNS = "dns-01"

func (c *checker) tls(at *place) {
	t := c.doc.TLS
	if t == nil {
		return
	}
	for i := range t.Certificates {
		c.certificate(&t.Certificates[i], at.kid("certificates").item(i))
	}
	if t.Default != "" {
		c.complain(at.kid("default"), checkHostName(t.Default))
	}
	c.file(&t.Tickets.File, at.kid("tickets").kid("file"))
	c.file(&t.ECH.Keys, at.kid("ech").kid("keys"))
	if t.ACME != nil {
		c.acme(t.ACME, at.kid("acme"))
	}
}

func (c *checker) certificate(cert *Certificate, at *place) {
	c.file(&cert.Cert, at.kid("cert"))
	c.file(&cert.Key, at.kid("key"))
	c.file(&cert.Bundle, at.kid("bundle"))
	c.existingDirectory(&cert.Directory, at.kid("directory"))
	forms := 0
	for _, written := range []bool{cert.Cert != "" || cert.Key != "", cert.Bundle != "", cert.Directory != ""} {
		if written {
			forms++
		}
	}
	switch {
	case forms == 0:
		c.missing(at, "a certificate needs cert and key, bundle, or directory", "write { cert: name.pem, key: name.key }")
	case forms > 1:
		c.mistake(at, "cert and key, bundle, and directory exclude each other", "write one entry for each")
	case cert.Cert != "" && cert.Key == "":
		c.missing(at, "cert needs its key", "write key: name.key, or bundle if the key is in the same file")
	case cert.Key != "" && cert.Cert == "":
		c.missing(at, "key needs its cert", "write cert: name.pem")
	}
}

// existingDirectory does for a directory what file does for a file.
func (c *checker) existingDirectory(path *string, at *place) {
	if *path == "" {
		return
	}
	if !filepath.IsAbs(*path) {
		*path = filepath.Join(c.directory, *path)
	}
	about, err := os.Stat(*path)
	switch {
	case os.IsNotExist(err):
		c.mistake(at, "there is no directory "+quote(*path), "")
	case err != nil:
		c.mistake(at, "cannot open "+quote(*path)+": "+cause(err), "")
	case !about.IsDir():
		c.mistake(at, quote(*path)+" is not a directory", "write it as bundle")
	}
}

func (c *checker) acme(a *ACME, at *place) {
	c.file(&a.CA, at.kid("ca"))
	if a.Email != "" && !strings.Contains(strings.Trim(a.Email, "@"), "@") {
		c.mistake(at.kid("email"), quote(a.Email)+" is not an address", "write name@example.org")
	}
	if a.Directory != "" && !strings.HasPrefix(a.Directory, "https://") {
		c.mistake(at.kid("directory"), "a directory's URL begins with https://", "")
	}
	c.noTwins(a.Challenges, at.kid("challenges"))
	if i := slices.Index(a.Challenges, challengeDNS); i >= 0 && a.DNS == nil {
		c.mistake(at.kid("challenges").item(i), "dns-01 needs dns", `write dns: { server: "10.0.0.53:53" }`)
	}
	if a.DNS != nil {
		c.acmeDNS(a, at)
	}
	if e, here := a.ExternalAccount, at.kid("externalAccount"); e != nil {
		if e.ID == "" {
			c.missing(here, "an external account needs its id", "")
		}
		if e.Key == "" {
			c.missing(here, "an external account needs its key", "")
		} else if _, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(e.Key, "=")); err != nil {
			c.mistake(here.kid("key"), "the key is not base64url", "copy it as the authority has given it")
		}
	}
	if o, here := a.OnDemand, at.kid("onDemand"); o != nil {
		if len(o.Allow) == 0 && o.Ask == "" {
			c.missing(here, "onDemand needs allow or ask: without a rule anybody could exhaust the directory's limits", `write allow: ["*.example.org"]`)
		}
		for i, pattern := range o.Allow {
			c.complain(here.kid("allow").item(i), checkHostPattern(pattern))
		}
		if o.Ask != "" && !strings.HasPrefix(o.Ask, "http://") && !strings.HasPrefix(o.Ask, "https://") {
			c.mistake(here.kid("ask"), "ask is a URL that begins with http:// or https://", "")
		}
	}
}

func (c *checker) acmeDNS(a *ACME, at *place) {
	d, here := a.DNS, at.kid("dns")
	if len(a.Challenges) > 0 && !slices.Contains(a.Challenges, challengeDNS) {
		c.mistake(here, "dns has no effect: challenges does not have dns-01", "write challenges: [dns-01]")
	}
	if len(a.Challenges) > 1 && slices.Contains(a.Challenges, challengeDNS) {
		c.mistake(at.kid("challenges"), "dns-01 is used alone", "write challenges: [dns-01]")
	}
	if d.Server == "" {
		c.missing(here, "dns needs its server", `write server: "10.0.0.53:53"`)
	} else if _, port, wrong := splitHostPort(d.Server); wrong != nil {
		c.complain(here.kid("server"), wrong)
	} else if port == 0 {
		c.mistake(here.kid("server"), "the port is missing", didYouMean(d.Server+":53"))
	}
	if d.Zone != "" {
		c.complain(here.kid("zone"), checkHostName(d.Zone))
	}
	if (d.KeyName == "") != (d.Key == "") {
		c.missing(here, "keyName and key need each other", "")
	}
	if _, err := base64.StdEncoding.DecodeString(d.Key); err != nil {
		c.mistake(here.kid("key"), "the key is not base64", "")
	}
}

func (c *checker) certificates() []Certificate {
	if c.doc.TLS == nil {
		return nil
	}
	return c.doc.TLS.Certificates
}

// noTwins reports what a list names twice.
func (c *checker) noTwins(list []string, at *place) {
	for i, text := range list {
		if first := slices.Index(list, text); first < i {
			c.mistake(at.item(i), quote(text)+" is there twice", "")
		}
	}
}

func (c *checker) domainTLS(name string, t *DomainTLS, at *place) {
	source := at.kid("source")
	if at.find("source") == nil {
		source = at
	}
	switch t.Source {
	case tlsFiles:
		if root := c.doc.root; len(c.certificates()) == 0 && !root.unsure() && !root.kid("tls").unsure() {
			c.mistake(source, "there are no files to take the certificate from", "write tls.certificates, or source: auto or dev")
		}
	case tlsAuto:
		c.complain(source, c.checkAuto(name))
	}
	if m, here := t.ClientCertificates, at.kid("clientCertificates"); m != nil {
		if m.Truststore == "" {
			c.missing(here, "clientCertificates needs its truststore", "write truststore: ca.pem")
		}
		c.file(&m.Truststore, here.kid("truststore"))
		for i := range m.CRL {
			c.file(&m.CRL[i], here.kid("crl").item(i))
		}
	}
	if h, here := t.HSTS, at.kid("hsts"); h != nil {
		if here.find("maxAge") == nil && here.line > 0 {
			c.missing(here, "hsts needs its maxAge", "write maxAge: 365d")
		}
		if h.Preload && (!h.IncludeSubDomains || h.MaxAge < minPreload) {
			c.mistake(here.kid("preload"), "preload needs includeSubDomains and a maxAge of 365d or more", "")
		}
	}
}

// checkAuto tells why no directory would give a certificate for a name.
func (c *checker) checkAuto(name string) *complaint {
	if name == AnyDomain {
		return complain("no certificate is for every host", "name the domains, or allow names by tls.acme.onDemand")
	}
	hasDNS := c.doc.TLS != nil && c.doc.TLS.ACME != nil && c.doc.TLS.ACME.DNS != nil
	if strings.HasPrefix(name, "*.") && !hasDNS {
		return complain("a certificate for a wildcard needs dns-01", "write tls.acme.dns, or allow names by tls.acme.onDemand")
	}
	return nil
}

func (c *checker) listenerTLS(name string, l Listener, at *place) {
	c.noTwins(l.Protocols, at.kid("protocols"))
	if i := slices.Index(l.Protocols, "h3"); i >= 0 && !l.TLS {
		c.mistake(at.kid("protocols").item(i), "h3 needs tls", "write tls: true")
	}
	unix := strings.HasPrefix(l.Address, "unix:")
	if i := slices.Index(l.Protocols, "h3"); i >= 0 && unix {
		c.mistake(at.kid("protocols").item(i), "h3 needs an address with a port", "")
	}
	if l.TLS && !c.servesTLS() {
		c.mistake(at.kid("tls"), "there is no certificate to serve TLS with", "write tls.certificates, or tls: auto or dev under a domain")
	}
	if l.Redirect == "" {
		return
	}
	where := at.kid("redirect")
	target, found := c.doc.Listeners[l.Redirect]
	switch {
	case l.TLS:
		c.mistake(where, "a listener with tls is not redirected", "")
	case !found:
		c.mistake(where, "there is no listener "+quote(l.Redirect), c.suggest(l.Redirect, inOrder(c.doc.Listeners, at.parent)))
	case !target.TLS && !at.parent.kid(l.Redirect).unsure():
		c.mistake(where, "the listener "+quote(l.Redirect)+" has no tls", "write tls: true there")
	}
}

// servesTLS reports whether any name can be served over TLS, or may be, as far
// as the document was understood.
func (c *checker) servesTLS() bool {
	root := c.doc.root
	onDemand := c.doc.TLS != nil && c.doc.TLS.ACME != nil && c.doc.TLS.ACME.OnDemand != nil
	if len(c.certificates()) > 0 || onDemand || root.unsure() || root.kid("tls").unsure() || root.kid("domains").unsure() {
		return true
	}
	for name, domain := range c.doc.Domains {
		if domain.TLS != nil && (domain.TLS.Source == tlsAuto || domain.TLS.Source == tlsDev) || root.kid("domains").kid(name).unsure() || root.kid("domains").kid(name).kid("tls").unsure() {
			return true
		}
	}
	return false
}

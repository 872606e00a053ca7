package proxy

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"weir/proxy/config"
)

// tlsWish is what -tls asks for.
type tlsWish struct {
	source      string // of the certificates, as in domains of the document
	names       []string
	certificate config.Certificate
}

const tlsUsage = "Serve TLS on -listen, with HTTP/2 and HTTP/3: dev (certificates of a local authority, for development), auto:NAME[,NAME…] (certificates of Let's Encrypt), CERT,KEY or BUNDLE (files in PEM), or a directory of such. On port 443, port 80 sends clients there. Empty means none; a document says it under listeners"

// parseTLS reads the value of -tls; nil for an empty one.
func parseTLS(text string) (*tlsWish, error) {
	mode, names, hasNames := strings.Cut(text, ":")
	switch {
	case text == "":
		return nil, nil
	case text == "dev":
		return &tlsWish{source: "dev"}, nil
	case text == "auto":
		return nil, errors.New("-tls auto needs the names to get certificates for: -tls auto:api.example.org")
	case mode == "auto" && hasNames:
		w := &tlsWish{source: "auto"}
		for _, name := range strings.Split(names, ",") {
			w.names = append(w.names, strings.ToLower(strings.TrimSpace(name)))
		}
		return w, nil
	}
	w := &tlsWish{source: "files"}
	cert, key, pair := strings.Cut(text, ",")
	if pair {
		w.certificate = config.Certificate{Cert: cert, Key: key}
		return w, nil
	}
	info, err := os.Stat(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("-tls is %q, which is neither dev, auto:NAME, CERT,KEY nor a file or directory: %w", text, err)
	case info.IsDir():
		w.certificate = config.Certificate{Directory: text}
	default:
		w.certificate = config.Certificate{Bundle: text}
	}
	return w, nil
}

// apply makes doc one that listens with TLS.
func (w *tlsWish) apply(doc *config.Document, listen string) error {
	doc.Listeners = map[string]config.Listener{
		"main": {Address: listen, TLS: true, Protocols: []string{protocolH3, protocolH2, protocolH1}},
	}
	if strings.HasPrefix(listen, "unix:") {
		doc.Listeners["main"] = config.Listener{Address: listen, TLS: true}
	}
	if host, port, err := net.SplitHostPort(listen); err == nil && port == "443" {
		doc.Listeners["plain"] = config.Listener{Address: net.JoinHostPort(host, "80"), Redirect: "main"}
	}
	doc.TLS = &config.TLS{}
	if w.source == "files" {
		doc.TLS.Certificates = []config.Certificate{w.certificate}
		return doc.Check(".")
	}
	everything := doc.EffectiveDomains()[config.AnyDomain].Mappings
	names := w.names
	if w.source == "dev" {
		names = []string{config.AnyDomain}
	}
	doc.Domains = make(map[string]config.Domain)
	for _, name := range names {
		doc.Domains[name] = config.Domain{Mappings: everything, TLS: &config.DomainTLS{Source: w.source}}
	}
	return doc.Check(".")
}

// securedSource adds to the document of a source what -tls asks for.
type securedSource struct {
	Source
	wish   *tlsWish
	listen string
}

// Document returns the document with TLS.
func (s *securedSource) Document() (*config.Document, error) {
	doc, err := s.Source.Document()
	if err != nil {
		return nil, err
	}
	return doc, s.wish.apply(doc, s.listen)
}

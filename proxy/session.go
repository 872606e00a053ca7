package proxy

import (
	"bytes"
	"crypto/sha256"

	"weir/proxy/exchange"
	weirtls "weir/tls"
)

// sessionOf makes of a handshake's result what the way is told of it.
func sessionOf(s *weirtls.Session) *exchange.TLS {
	out := &exchange.TLS{
		Version: s.VersionName(), Suite: s.SuiteName(), ServerName: s.SNI, Protocol: s.Protocol, Resumed: s.Resumed,
		Session: s,
	}
	if c := s.Client; c != nil {
		out.Client = &exchange.ClientCertificate{
			PEM: c.PEM, Subject: c.Subject, Issuer: c.Issuer, Serial: c.Serial,
			NotBefore: c.NotBefore, NotAfter: c.NotAfter,
			Field: []byte(c.Header), ChainField: []byte(c.Chain), Certificate: c.Leaf,
			Digest: sha256.Sum256(c.Leaf.Raw),
		}
	}
	return out
}

// security is what a domain asks of connections, beside their certificates.
type security struct {
	redirect bool   // from http to https
	hsts     []byte // value of Strict-Transport-Security, nil for none
	forward  bool   // tell upstreams the client's certificate (RFC 9440)
	mutual   bool   // clients must show a certificate, and so come by TLS
}

// isDirected tells whether the connection of r may carry requests for its host:
// another one may have other rules about clients (RFC 9110 §15.5.20). Where a
// certificate is asked for, one was shown: whatever the handshake made of the
// host's name, nothing gets by without.
func isDirected(r *request) bool {
	x := r.x
	if r.mapping.security.mutual && x.TLS.Client == nil {
		return false
	}
	session := x.TLS.Session.(*weirtls.Session)
	host := hostOf(x.Authority)
	if len(host) == len(session.Name) && bytes.EqualFold(host, []byte(session.Name)) {
		return true
	}
	return r.live.terms.Covers(session, string(bytes.ToLower(host)))
}

// hostOf returns the host of an authority, without port and brackets.
func hostOf(authority []byte) []byte {
	if end := bytes.IndexByte(authority, ']'); end > 0 {
		return authority[1:end]
	}
	host, _, _ := bytes.Cut(authority, []byte{':'})
	return host
}

// toHTTPS sends the client to the same place over TLS, at ":port". A method that is
// not safe must be kept, which 301 does not ask for (RFC 9110 §15.4).
func (r *request) toHTTPS(port string) bool {
	x := r.x
	x.Response.SetNoDefaultContentType(true)
	x.Response.SetStatusCode(308)
	if x.Request.IsGet() || x.Request.IsHead() {
		x.Response.SetStatusCode(301)
	}
	host := hostOf(x.Authority)
	r.field = append(r.field[:0], "https://"...)
	if bytes.IndexByte(host, ':') >= 0 {
		r.field = append(append(append(r.field, '['), host...), ']')
	} else {
		r.field = append(r.field, host...)
	}
	r.field = append(r.field, port...)
	r.field = append(r.field, x.Target...)
	x.Response.SetBytesV("Location", r.field)
	return false
}

// challengePath begins the paths that an ACME directory asks (RFC 8555 §8.3).
var challengePath = []byte("/.well-known/acme-challenge/")

// answerChallenge answers a directory that makes sure of who serves a name.
func (g *Gateway) answerChallenge(r *request) bool {
	x := r.x
	if !bytes.HasPrefix(x.Target, challengePath) {
		return false
	}
	body, ok := g.secure.HTTPChallenge(string(hostOf(x.Authority)), string(x.Target))
	if !ok {
		return false
	}
	x.Response.SetNoDefaultContentType(true)
	x.Response.SetStatusCode(200)
	x.Response.SetContentType("application/octet-stream")
	x.Bytes = body
	return true
}

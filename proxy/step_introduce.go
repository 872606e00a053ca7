package proxy

import (
	"net/netip"
	"strings"

	"weir/proxy/exchange"
)

// introduce adds what the upstream is told about the client and about the way
// that the request has come.
func (g *Gateway) introduce(r *request) {
	x := r.x
	h := &x.Request
	f := &g.forwarding
	if f.XForwarded {
		r.field = appendHops(r.field[:0], r, hasForwardedFor, nameForwardedFor)
		r.field = appendAddr(r.field, x.Peer.Addr())
		r.setOnly(hasForwardedFor, nameForwardedFor, r.field)
		known := r.trusted && r.fields&hasForwardedHost != 0 && len(h.PeekCanonical(nameForwardedHost)) > 0
		if !known && len(x.Authority) > 0 {
			r.setOnly(hasForwardedHost, nameForwardedHost, x.Authority)
		}
		r.setOnly(hasForwardedProto, nameForwardedProto, schemeBytes(x.Scheme))
	}
	if f.Forwarded {
		r.field = appendHops(r.field[:0], r, hasForwarded, nameForwarded)
		r.field = appendForwarded(r.field, x.Peer.Addr(), x.Authority, x.Secure)
		r.setOnly(hasForwarded, nameForwarded, r.field)
	}
	if f.RequestID {
		r.setOnly(hasRequestID, nameRequestID, x.RequestID)
	}
	if f.Trace {
		r.trace = appendTraceParent(r.trace[:0], h.PeekCanonical(nameTraceParent))
		r.setOnly(hasTraceParent, nameTraceParent, r.trace)
	}
	if r.mapping.security.forward && x.TLS != nil {
		r.introduceCertificate(x.TLS.Client)
	}
	r.field = appendVia(r.field[:0], r, g.pseudonym)
	r.setOnly(hasVia, nameVia, r.field)
}

// introduceCertificate tells the upstream which certificate the client has
// shown to the gateway (RFC 9440), and that there was none.
func (r *request) introduceCertificate(c *exchange.ClientCertificate) {
	h := &r.x.Request
	if r.fields&hasClientCert != 0 { // of a trusted proxy; this connection has its own
		h.DelBytes(nameClientCert)
		h.DelBytes(nameClientChain)
	}
	if c == nil {
		return
	}
	h.SetCanonical(nameClientCert, c.Field)
	if len(c.ChainField) > 0 {
		h.SetCanonical(nameClientChain, c.ChainField)
	}
}

// setOnly makes value the only one of a field. Lines that the client has sent
// go first: setting replaces one of them and leaves the others.
func (r *request) setOnly(bit fieldBits, name, value []byte) {
	if r.fields&bit != 0 {
		r.x.Request.DelBytes(name)
	}
	r.x.Request.SetCanonical(name, value)
}

// appendHops appends what earlier hops have said in the field name, which only
// trusted ones may have (strip removed the rest), ready for one more element.
func appendHops(dst []byte, r *request, bit fieldBits, name []byte) []byte {
	if !r.trusted {
		return dst
	}
	return appendValues(dst, r, bit, name)
}

func appendValues(dst []byte, r *request, bit fieldBits, name []byte) []byte {
	if r.fields&bit == 0 {
		return dst
	}
	for key, value := range r.x.Request.AllInOrder() {
		if string(key) == string(name) && len(value) > 0 {
			dst = append(append(dst, value...), ", "...)
		}
	}
	return dst
}

func appendVia(dst []byte, r *request, pseudonym []byte) []byte {
	dst = appendValues(dst, r, hasVia, nameVia)
	dst = append(dst, receivedBy(r.x.Protocol)...)
	return append(append(dst, ' '), pseudonym...)
}

// receivedBy is the version of a protocol as Via has it (RFC 9110 §7.6.3).
func receivedBy(protocol string) string {
	_, version, _ := strings.Cut(protocol, "/")
	return version
}

func appendAddr(dst []byte, addr netip.Addr) []byte {
	if !addr.IsValid() {
		return append(dst, "unknown"...)
	}
	return addr.AppendTo(dst)
}

// appendForwarded appends one element of Forwarded (RFC 7239 §4). IPv6
// addresses and hosts with a port need quotes there.
func appendForwarded(dst []byte, addr netip.Addr, host []byte, secure bool) []byte {
	dst = append(dst, "for="...)
	if addr.Is6() {
		dst = append(dst, `"[`...)
		dst = addr.AppendTo(dst)
		dst = append(dst, `]"`...)
	} else {
		dst = appendAddr(dst, addr)
	}
	if len(host) > 0 {
		dst = append(dst, `;host="`...)
		dst = append(dst, host...)
		dst = append(dst, '"')
	}
	if secure {
		return append(dst, ";proto=https"...)
	}
	return append(dst, ";proto=http"...)
}

var (
	schemeHTTP  = []byte("http")
	schemeHTTPS = []byte("https")
)

func schemeBytes(scheme string) []byte {
	if scheme == "https" {
		return schemeHTTPS
	}
	return schemeHTTP
}

package proxy

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"weir/proxy/exchange"
	"weir/proxy/grpc"
)

// transform makes of the client's request the one that the upstream gets.
// Answers of the gateway's own need none of it.
func (g *Gateway) transform(r *request) bool {
	if r.route.upstream == nil {
		return true
	}
	if g.look(r) {
		return r.x.Refuse(exchange.Loop)
	}
	g.strip(r)
	g.introduce(r)
	if r.grpc.kind != grpc.None && !r.prepareCall() {
		return false
	}
	r.route.requestHeaders.applyToRequest(&r.x.Request)
	return true
}

// fieldBits is a set of the fields that a proxy removes, extends or believes.
type fieldBits uint32

const (
	hasConnection fieldBits = 1 << iota
	hasKeepAlive
	hasProxyConnection
	hasProxyAuthenticate
	hasProxyAuthorization
	hasTE
	hasUpgrade
	hasExpect
	hasHTTP2Settings
	hasForwarded
	hasForwardedFor
	hasForwardedHost
	hasForwardedProto
	hasForwardedOther
	hasRealIP
	hasTrailer
	hasVia
	hasRequestID
	hasTraceParent
	hasClientCert
	hasDisguised
)

// fieldBit classifies a field name, in canonical case.
func fieldBit(name []byte) fieldBits {
	switch string(name) {
	case "Connection":
		return hasConnection
	case "Keep-Alive":
		return hasKeepAlive
	case "Proxy-Connection":
		return hasProxyConnection
	case "Proxy-Authenticate":
		return hasProxyAuthenticate
	case "Proxy-Authorization":
		return hasProxyAuthorization
	case "Te":
		return hasTE
	case "Upgrade":
		return hasUpgrade
	case "Expect":
		return hasExpect
	case "Http2-Settings":
		return hasHTTP2Settings
	case "Forwarded":
		return hasForwarded
	case "X-Forwarded-For":
		return hasForwardedFor
	case "X-Forwarded-Host":
		return hasForwardedHost
	case "X-Forwarded-Proto":
		return hasForwardedProto
	case "X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Prefix", "X-Forwarded-Scheme", "X-Forwarded-Ssl":
		return hasForwardedOther
	case "X-Real-Ip":
		return hasRealIP
	case "Trailer":
		return hasTrailer
	case "Via":
		return hasVia
	case "X-Request-Id":
		return hasRequestID
	case "Traceparent":
		return hasTraceParent
	case "Client-Cert", "Client-Cert-Chain":
		return hasClientCert
	}
	return 0
}

// disguisedBit classifies a name by what CGI, WSGI and their like make of it,
// which tell no underscore from a hyphen: X_Forwarded_For would pass there for
// what the gateway says.
func disguisedBit(name []byte) fieldBits {
	var plain [32]byte
	if len(name) > len(plain) || bytes.IndexByte(name, '_') < 0 {
		return 0
	}
	first := true
	for i, c := range name {
		switch {
		case c == '_':
			c = '-'
		case first && c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		}
		plain[i], first = c, c == '-'
	}
	if fieldBit(plain[:len(name)]) == 0 {
		return 0
	}
	return hasDisguised
}

var (
	nameTE      = []byte("Te")
	nameUpgrade = []byte("Upgrade")
	trailers    = []byte("trailers")
)

// strip removes what belongs to the client's connection (RFC 9110 §7.6.1) and
// what only a trusted proxy may say.
func (g *Gateway) strip(r *request) {
	h := &r.x.Request
	seen := r.fields
	if seen&^(hasVia|hasRequestID|hasTraceParent) == 0 {
		return
	}
	if seen&hasConnection != 0 {
		r.field = removeListed(h, r.field[:0])
		h.Del("Connection")
	}
	if seen&hasDisguised != 0 {
		r.field = removeDisguised(h, r.field[:0])
	}
	if seen&hasUpgrade != 0 {
		r.asked = append(r.asked[:0], h.PeekCanonical(nameUpgrade)...)
	}
	if seen&hasTE != 0 {
		// TE belongs to the connection, but its "trailers" tells what the
		// client can take in the end.
		keep := bytes.Contains(h.PeekBytes(nameTE), trailers)
		h.DelBytes(nameTE)
		if keep {
			h.SetCanonical(nameTE, trailers)
		}
	}
	for _, f := range connectionFields {
		if seen&f.bit != 0 {
			h.Del(f.name)
		}
	}
	if r.trusted {
		return
	}
	for _, f := range claimedFields {
		if seen&f.bit != 0 {
			h.Del(f.name)
		}
	}
}

type namedBit struct {
	bit  fieldBits
	name string
}

var connectionFields = []namedBit{
	{hasKeepAlive, "Keep-Alive"}, {hasProxyConnection, "Proxy-Connection"},
	{hasProxyAuthenticate, "Proxy-Authenticate"}, {hasProxyAuthorization, "Proxy-Authorization"},
	{hasUpgrade, "Upgrade"}, {hasExpect, "Expect"}, {hasHTTP2Settings, "Http2-Settings"}, {hasTrailer, "Trailer"},
}

var claimedFields = []namedBit{
	{hasForwarded, "Forwarded"}, {hasForwardedFor, "X-Forwarded-For"}, {hasForwardedHost, "X-Forwarded-Host"},
	{hasForwardedProto, "X-Forwarded-Proto"}, {hasForwardedOther, "X-Forwarded-Port"},
	{hasForwardedOther, "X-Forwarded-Server"}, {hasForwardedOther, "X-Forwarded-Prefix"},
	{hasForwardedOther, "X-Forwarded-Scheme"}, {hasForwardedOther, "X-Forwarded-Ssl"}, {hasRealIP, "X-Real-Ip"},
	{hasClientCert, "Client-Cert"}, {hasClientCert, "Client-Cert-Chain"},
}

// removeListed removes the fields that Connection lists, but none that a
// client could use to take away what identifies or frames the request.
func removeListed(h *fasthttp.RequestHeader, scratch []byte) []byte {
	for _, value := range h.PeekAll("Connection") {
		scratch = append(append(scratch, value...), ',')
	}
	for list := scratch; len(list) > 0; {
		var name []byte
		name, list, _ = bytes.Cut(list, comma)
		name = bytes.TrimSpace(name)
		if len(name) > 0 && !isEssential(name) {
			h.DelBytes(name)
		}
	}
	return scratch
}

// removeDisguised removes the fields that disguisedBit knows, whoever sent
// them: the gateway neither reads nor extends them.
func removeDisguised(h *fasthttp.RequestHeader, scratch []byte) []byte {
	for name := range h.AllInOrder() {
		if disguisedBit(name) != 0 {
			scratch = append(append(scratch, name...), ',')
		}
	}
	for list := scratch; len(list) > 0; {
		var name []byte
		name, list, _ = bytes.Cut(list, comma)
		h.DelBytes(name)
	}
	return scratch
}

var comma = []byte{','}

// essential are end-to-end fields that Connection may not name.
var essential = []string{
	"Host", "Content-Length", "Transfer-Encoding", "Content-Type", "Content-Encoding", "Authorization", "Cookie",
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "X-Request-Id", "Via",
	"Traceparent", "Tracestate", "X-Api-Key", "Origin", "Range", "If-Match", "If-None-Match", "Cache-Control",
	"Connection", "Upgrade", "Te",
}

func isEssential(name []byte) bool {
	for _, e := range essential {
		if len(e) == len(name) && bytes.EqualFold(name, []byte(e)) {
			return true
		}
	}
	return false
}

package proxy

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// shape makes of the upstream's answer the one that the client gets.
func (g *Gateway) shape(r *request) bool {
	h := &r.x.Response
	if r.route.upstream != nil {
		stripAnswer(r)
	}
	r.route.responseHeaders.applyToResponse(h)
	return true
}

// stripAnswer removes what belongs to the upstream's connection (RFC 9110 §7.6.1).
func stripAnswer(r *request) {
	h := &r.x.Response
	h.ResetConnectionClose()
	var seen fieldBits
	for name := range h.All() {
		seen |= fieldBit(name)
	}
	if seen&hasConnection != 0 {
		r.field = removeListedOfAnswer(h, r.field[:0])
		h.Del("Connection")
	}
	if seen&hasUpgrade != 0 && h.StatusCode() != fasthttp.StatusSwitchingProtocols {
		// An offer of the upstream's connection (RFC 9110 §7.8); after a 101 it
		// names the protocol.
		h.Del("Upgrade")
	}
	for _, f := range answerFields {
		if seen&f.bit != 0 {
			h.Del(f.name)
		}
	}
}

// removeListedOfAnswer removes the fields that Connection lists, but none that
// frames or describes the content.
func removeListedOfAnswer(h *fasthttp.ResponseHeader, scratch []byte) []byte {
	for name, value := range h.All() {
		if string(name) == "Connection" {
			scratch = append(append(scratch, value...), ',')
		}
	}
	for list := scratch; len(list) > 0; {
		var name []byte
		name, list, _ = bytes.Cut(list, comma)
		if name = bytes.TrimSpace(name); len(name) > 0 && !isEssential(name) {
			h.DelBytes(name)
		}
	}
	return scratch
}

// answerFields belong to one connection, Proxy-Authenticate included: an
// upstream that asks a reverse proxy for credentials is misconfigured.
var answerFields = []namedBit{
	{hasKeepAlive, "Keep-Alive"}, {hasProxyConnection, "Proxy-Connection"}, {hasProxyAuthenticate, "Proxy-Authenticate"},
}

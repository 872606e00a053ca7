package proxy

import (
	"bytes"

	"weir/proxy/exchange"
)

// screen refuses what no route may get.
func (g *Gateway) screen(r *request) bool {
	x := r.x
	if x.Request.IsTrace() {
		r.allow = commonMethods
		return x.Refuse(exchange.Trace)
	}
	x.MaxBody = r.route.maxBody
	if x.MaxBody >= 0 && x.RequestLength > x.MaxBody {
		return x.Refuse(exchange.BodyTooLarge)
	}
	if g.isLoop(x) {
		return x.Refuse(exchange.Loop)
	}
	return true
}

// isLoop tells whether the request has passed this gateway before: its own
// name, unique to the process, is in Via (RFC 9110 §7.6.3).
func (g *Gateway) isLoop(x *exchange.Exchange) bool {
	for name, value := range x.Request.All() {
		if string(name) == "Via" && bytes.Contains(value, g.pseudonym) {
			return true
		}
	}
	return false
}

// commonMethods is what the gateway as a whole understands.
var commonMethods = []string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

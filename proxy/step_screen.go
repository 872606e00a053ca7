package proxy

import "weir/proxy/exchange"

// screen refuses what no route may get.
func (g *Gateway) screen(r *request) bool {
	x := r.x
	if x.Request.IsTrace() {
		r.allow = append(r.allow[:0], commonMethods...)
		return x.Refuse(exchange.Trace)
	}
	x.MaxBody = r.route.maxBody
	if x.MaxBody >= 0 && x.RequestLength > x.MaxBody {
		return x.Refuse(exchange.BodyTooLarge)
	}
	if r.explained != nil {
		r.explained.add("screen", "method and size are allowed")
	}
	return true
}

// commonMethods is what the gateway as a whole understands.
var commonMethods = []string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

package proxy

import (
	"bytes"
	"slices"

	"weir/proxy/exchange"
	"weir/proxy/route"
)

// route finds domain, API, stage and route of a request.
func (g *Gateway) route(r *request) bool {
	x := r.x
	g.identify(r)
	if x.Malformed != nil {
		return x.Refuse(exchange.OfStatus(x.Malformed.Status))
	}
	r.recognize()
	if x.Request.IsConnect() {
		return x.Refuse(exchange.NotImplemented)
	}
	if len(x.Target) == 1 && x.Target[0] == '*' {
		return g.answerServerOptions(r)
	}
	if x.TLS == nil {
		if g.answerChallenge(r) {
			return false
		}
		if port, ok := r.live.redirecting[x.Listener]; ok && x.Scheme == "http" {
			return r.toHTTPS(port)
		}
	}
	path := x.Target
	if i := bytes.IndexByte(path, '?'); i >= 0 {
		x.HasQuery, x.Query, path = true, path[i+1:], path[:i]
	}
	// Grown here, or else a refused path would leave with the memory it was given.
	x.Path = slices.Grow(x.Path[:0], len(path))
	var err error
	if x.Path, err = route.AppendCanonical(x.Path, path); err != nil {
		return x.Refuse(exchange.BadPath)
	}
	var found route.Outcome
	r.mapping, r.rest, found = r.live.domains.Find(x.Authority, x.Path)
	switch found {
	case route.NoDomain:
		return x.Refuse(exchange.NoDomain)
	case route.Found:
	default:
		r.mapping = nil
		return x.Refuse(exchange.NoRoute)
	}
	if x.TLS != nil && !isDirected(r) {
		return x.Refuse(exchange.Misdirected)
	}
	if r.mapping.security.redirect && x.Scheme == "http" {
		return r.toHTTPS(r.live.securePort)
	}
	if r.mapping.security.mutual && x.TLS == nil && r.explained == nil {
		return x.Refuse(exchange.TLSRequired) // a listener in clear must not be a way around the certificate
	}
	if g.purge(r) {
		return false
	}
	r.route, found = r.mapping.stage.tree.Find(x.Request.Method(), r.rest, &r.params, r)
	if r.explained != nil {
		r.explainRoute()
	}
	switch found {
	case route.Found:
		return true
	case route.NoMethod:
		r.allow = r.mapping.stage.tree.AppendAllow(r.allow[:0], r.rest)
		return x.Refuse(exchange.NoMethod)
	}
	return x.Refuse(exchange.NoRoute)
}

// Accept tells whether the request meets the conditions of a route beside
// method and path.
func (r *request) Accept(candidate *liveRoute) bool {
	return candidate.match == nil || candidate.match.accepts(r.x)
}

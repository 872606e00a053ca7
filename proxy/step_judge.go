package proxy

import (
	"bytes"
	"net/url"
	"time"

	"weir/cache"
	"weir/cache/policy"
	"weir/proxy/grpc"
	"weir/proxy/route"
)

// judge decides what the cache may do with an answer of the upstream, by what
// that says itself: before shape changes it for clients.
func (g *Gateway) judge(r *request) bool {
	c := &r.caching
	switch {
	case c.rule == nil:
		// Its URI may be kept all the same: for another method, or by another route.
		if r.route.upstream != nil && r.mapping.stage.cached && r.grpc.kind == grpc.None {
			g.invalidate(r)
		}
		return true
	case c.fetched:
		return g.judgeFetched(r)
	case !c.handed:
		g.invalidate(r)
	}
	hideTargeted(r)
	return true
}

// judgeFetched is judge for a fetch: it passes where the answer is to be stored.
func (g *Gateway) judgeFetched(r *request) bool {
	c := &r.caching
	d, x := c.fetch, r.x
	rules, stale := &c.rule.rules, d.fill.Stale()
	a := &d.answer
	a.Begin(x.Response.StatusCode(), d.requested, time.Now())
	for name, value := range x.Response.All() {
		a.Add(name, value)
	}
	switch {
	case stale == nil:
	case a.Status == 304:
		d.verdict = rules.Freshen(&c.asks, &stale.Terms, a)
		return true
	case a.Status >= 500 && rules.MayRescue(&stale.Terms, &c.asks, g.resident(stale), a.Status):
		d.fill.Fail(&failure{status: a.Status})
		return false
	}
	d.verdict = rules.Judge(&c.asks, a)
	switch {
	case x.Tunnel != nil || a.Status == 304:
		d.pass("it is no answer to keep", passShort)
	case !d.verdict.Store:
		d.pass(d.verdict.Why, d.passFor())
	case x.Length > c.rule.maxObject:
		d.pass("it is larger than what is kept", passLong)
	case variesByWay(a.Vary):
		d.pass("it varies by what the gateway tells of the client", passShort)
	default:
		c.wanted = true
		return true
	}
	return false
}

// Seconds in which requests for a key do not wait for each other after an answer
// that was not for others.
const (
	passShort = 10
	passLong  = 60
)

// passFor returns for how long requests are not to wait for each other. One of
// them must not decide that for all, nor an upstream that fails for a moment.
func (d *fetching) passFor() int {
	asks := policy.Request{Method: d.r.caching.asks.Method}
	if d.answer.Status >= 500 || d.rule.rules.Judge(&asks, &d.answer).Store {
		return 0
	}
	return passShort
}

// variesByWay tells whether an answer depends on fields that the gateway sets
// anew for each client: no other request could be told to be alike.
func variesByWay(vary [][]byte) bool {
	for _, name := range vary {
		for _, way := range [...]string{
			"X-Forwarded-For", "X-Real-Ip", "Forwarded", "X-Request-Id", "Traceparent", "Tracestate", "Via",
			"Client-Cert", "Client-Cert-Chain",
		} {
			if bytes.EqualFold(name, []byte(way)) {
				return true
			}
		}
	}
	return false
}

// invalidate makes stored answers invalid that a request past the cache has
// changed (RFC 9111 §4.4, RFC 9875 §3), and renews one by the answer to HEAD.
func (g *Gateway) invalidate(r *request) {
	x, c := r.x, &r.caching
	if x.Refusal != nil {
		return
	}
	status := x.Response.StatusCode()
	if c.found != nil && x.Request.IsHead() && status == 200 {
		g.renewByHead(r)
		return
	}
	if !policy.Invalidates(x.Request.Method(), status) {
		return
	}
	r.keyed.host = appendHost(r.keyed.host[:0], x.Authority, x.Scheme)
	host := r.keyed.host
	g.invalidateURI(r, host, x.Path, x.Query)
	for _, name := range [...]string{"Location", "Content-Location"} {
		g.invalidateSame(r, host, x.Response.Peek(name))
	}
	for name, value := range x.Response.All() {
		if string(name) == "Cache-Group-Invalidation" {
			var a policy.Answer
			a.Add(name, value)
			var groups []string
			for _, group := range a.InvalidatesGroups {
				groups = append(groups, string(group))
			}
			if len(groups) > 0 {
				g.purgeSoon(cache.Purge{Soft: true, Host: string(host), Tags: groups})
			}
		}
	}
}

// invalidateURI invalidates the answers of a URI, by its query as the keys of
// each route of the stage have it.
func (g *Gateway) invalidateURI(r *request, host, path, query []byte) {
	g.invalidateAll(host, path, query)
	for _, rule := range r.mapping.stage.queries {
		if ruled, _ := rule.append(nil, query, nil); !bytes.Equal(ruled, query) {
			g.invalidateAll(host, path, ruled)
		}
	}
}

// invalidateSame invalidates what a field of the answer refers to, if that is of
// the same host: others have no say in it.
func (g *Gateway) invalidateSame(r *request, own, reference []byte) {
	if len(reference) == 0 {
		return
	}
	base := url.URL{Scheme: r.x.Scheme, Host: string(own), Path: string(r.x.Path)}
	u, err := base.Parse(string(reference))
	if err != nil {
		return
	}
	path, err := route.AppendCanonical(nil, []byte(u.EscapedPath()))
	host := appendHost(nil, []byte(u.Host), u.Scheme)
	if err == nil && bytes.Equal(host, own) {
		g.invalidateURI(r, host, path, []byte(u.RawQuery))
	}
}

// renewByHead renews a stored answer by the answer to HEAD, or has it validated
// before its next use where that speaks of another (RFC 9111 §4.3.5).
func (g *Gateway) renewByHead(r *request) {
	c, x := &r.caching, r.x
	var a policy.Answer
	a.Begin(200, x.Start, time.Now())
	for name, value := range x.Response.All() {
		a.Add(name, value)
	}
	stored := c.found
	alike := bytes.Equal(a.ETag, stored.Terms.ETag) &&
		bytes.Equal(a.LastModified, lineOf(stored.Lines, "Last-Modified")) &&
		(x.Length <= 0 || x.Length == stored.Body.Length())
	if !alike {
		g.invalidateURI(r, appendHost(nil, x.Authority, x.Scheme), x.Path, x.Query)
		return
	}
	verdict := c.rule.rules.Freshen(&c.asks, &stored.Terms, &a)
	g.cache.Replace(stored, g.renewed(stored, r, &verdict))
}

// forCaches are fields that are for this cache alone, and go to no client.
var forCaches = [...]string{policy.OwnField, "Surrogate-Key", "Cache-Tag"}

// hideTargeted removes what is meant for this cache alone (RFC 9213 §2.2).
func hideTargeted(r *request) {
	for _, name := range forCaches {
		r.x.Response.Del(name)
	}
}

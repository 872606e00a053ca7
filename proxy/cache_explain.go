package proxy

import (
	"strings"
	"time"

	"weir/cache"
	"weir/cache/policy"
)

// explainKey notes what tells the answer apart.
func (r *request) explainKey() {
	p, k := r.caching.rule, &r.caching.key
	add := func(what string, names ...string) {
		if len(names) > 0 {
			r.explained.add("lookup", "the key holds the %s %s too", what, strings.Join(names, ", "))
		}
	}
	texts := func(names [][]byte) (out []string) {
		for _, name := range names {
			out = append(out, string(name))
		}
		return out
	}
	if p.aws {
		var parameters []string
		for _, of := range p.key.parameters {
			parameters = append(parameters, of.kind+"."+of.name)
		}
		r.explained.add("lookup", "the key is the method and the route, in mode aws")
		if p.anyPath {
			add("path", string(k.Place.Path))
		}
		add("parameters", parameters...)
	} else {
		method := r.x.Request.Method()
		if isSafe(method) {
			method = methodGet // HEAD is answered of what GET has left
		}
		r.explained.add("lookup", "the key is %s %s://%s%s, with the query %q", method, r.x.Scheme, k.Place.Host, k.Place.Path, k.Place.Query)
		add("headers", texts(p.key.headers)...)
		add("cookies", texts(p.key.cookies)...)
	}
	if id := r.caller.keyID(); id != "" && !p.key.shared {
		r.explained.add("lookup", "the key holds the caller %q too: others have answers of their own", id)
	}
}

// explainFound notes what the key led to, and what is made of it.
func (r *request) explainFound(found cache.Found, use policy.Use, resident time.Duration) {
	c := &r.caching
	rules := &c.rule.rules
	r.explained.add("lookup", "the key leads to an answer of status %d, here for %s; %s", found.Entry.Status,
		resident.Round(time.Millisecond), rules.AppendWhy(nil, &found.Entry.Terms, &c.asks, resident))
	if found.Validate {
		r.explained.add("lookup", "it was purged softly, or changed by an unsafe request, since it was fetched")
	}
	r.explained.add("lookup", "so it is %s", [...]string{
		policy.Serve:          "given as it is",
		policy.ServeStale:     "given as it is, while a newer one is fetched",
		policy.Validate:       "validated first",
		policy.Refetch:        "fetched anew",
		policy.GatewayTimeout: "not given, and the client wants no other",
	}[use])
}

package proxy

import (
	"time"

	"weir/cache"
	"weir/cache/policy"
	"weir/proxy/exchange"
	"weir/proxy/observe"
)

// lookup answers from the cache where it may. Else it finds out whether the
// request fetches the answer for all who want it, waits for who does, or goes
// alone.
func (g *Gateway) lookup(r *request) bool {
	rule := r.route.cacheFor(r.x.Request.Method())
	if rule == nil || g.cache == nil {
		return true
	}
	c := &r.caching
	c.rule = rule
	if r.x.RequestBody != nil && rule.looksUp(r.x.Request.Method()) && !g.gather(r) {
		return false // what tells its answers apart must be at hand
	}
	if ok, why := rule.takes(r); !ok {
		forward := "bypass"
		if why == "method" {
			forward, why = why, ""
		}
		return r.goAlone(forward, why)
	}
	c.read(&r.x.Request, r.x.Plain)
	if why := rule.rules.Bypasses(&c.asks); why != "" {
		return r.goAlone("request", why)
	}
	if rule.aws && !r.mayInvalidate() {
		return false
	}
	rule.appendKey(&c.key, r)
	// What others fetch may turn out to be for others, so there are a few tries.
	for range 3 {
		if goes, again := g.consult(r); !again {
			return goes
		}
	}
	return r.goAlone("miss", "what others fetched was not for this request")
}

// goAlone sends the request past the cache.
func (r *request) goAlone(forward, why string) bool {
	c := &r.caching
	c.result, c.forward, c.detail = observe.CacheBypass, forward, why
	if r.explained != nil {
		r.explained.add("lookup", "goes past the cache: %s", why)
	}
	return true
}

// consult looks the key up once. Again tells that what it waited for has to be
// looked at anew; else goes tells whether the request goes on its way.
func (g *Gateway) consult(r *request) (goes, again bool) {
	c := &r.caching
	rules := &c.rule.rules
	found := g.cache.Lookup(&c.key, r)
	c.found = found.Entry
	if c.found == nil {
		c.forward = "miss"
		if c.asks.Control.Has&policy.OnlyIfCached != 0 && !rules.Fixed && !rules.Unheeded {
			return r.x.Refuse(exchange.NotCached), false
		}
		return g.fetchOrFollow(r, nil, found.Pass)
	}
	resident := g.resident(c.found)
	use := rules.Use(&c.found.Terms, &c.asks, resident)
	if found.Validate && (use == policy.Serve || use == policy.ServeStale) {
		use = policy.Validate
	}
	if r.explained != nil {
		r.explainFound(found, use, resident)
	}
	c.forward = "stale"
	switch use {
	case policy.Serve:
		how := observe.CacheHit
		if c.found.Terms.Age(resident) >= c.found.Terms.Lifetime {
			how = observe.CacheStale
		}
		return g.answerStored(r, c.found, resident, how), false
	case policy.ServeStale:
		if r.explained != nil || !g.refresh(r) {
			return g.answerStored(r, c.found, resident, observe.CacheStale), false
		}
		return true, false
	case policy.GatewayTimeout:
		return r.x.Refuse(exchange.NotCached), false
	case policy.Refetch:
		c.forward = "request"
		c.found = nil
		return g.fetchOrFollow(r, nil, false)
	}
	if c.found.Terms.Age(resident) < c.found.Terms.Lifetime && !found.Validate {
		c.forward = "request"
	}
	return g.fetchOrFollow(r, c.found, false)
}

// resident returns how long an answer has been here.
func (g *Gateway) resident(e *cache.Entry) time.Duration {
	return time.Duration(g.cache.Now() - e.At)
}

// fetchOrFollow has the request fetch the answer for everybody, or wait for
// somebody who does.
func (g *Gateway) fetchOrFollow(r *request, stale *cache.Entry, pass bool) (goes, again bool) {
	c := &r.caching
	switch {
	case pass:
		return r.goAlone(c.forward, "answers of this key were lately not for others"), false
	case r.x.Request.IsHead():
		return r.goAlone(c.forward, "HEAD fetches nothing that could be kept"), false
	case r.explained != nil:
		r.explained.add("lookup", "would be fetched for everybody who wants it")
		return true, false
	}
	fill, leads := g.cache.Begin(&c.key, r, stale)
	switch {
	case leads:
		c.lead(g, r, fill)
		c.result = observe.CacheMiss
		return true, false
	case !c.rule.collapse:
		fill.Leave()
		return r.goAlone(c.forward, "requests of this route do not wait for each other"), false
	}
	c.fill = fill
	return g.join(r)
}

// refresh begins to fetch what is stale, in the background, and tells whether
// the request is the one that does.
func (g *Gateway) refresh(r *request) bool {
	c := &r.caching
	fill, leads := g.cache.Begin(&c.key, r, c.found)
	if !leads {
		fill.Leave()
		return false
	}
	c.lead(g, r, fill)
	c.refreshing = true
	return true
}

// lead makes the request the one whose answer is fetched for everybody.
func (c *caching) lead(g *Gateway, r *request, fill *cache.Fill) {
	c.fill, c.fetch = fill, g.newFetching(r, fill)
	c.rule.stripUnkeyed(&r.x.Request)
}

// mayInvalidate heeds who may have an answer replaced by Cache-Control:
// max-age=0 (AWS: requireAuthorizationForCacheControl). It tells whether the
// request goes on.
func (r *request) mayInvalidate() bool {
	c := &r.caching
	if !c.rule.invalidation.needsCaller || c.asks.Control.Has&policy.MaxAge == 0 || c.asks.Control.MaxAge > 0 || r.caller.key != nil {
		return true
	}
	if c.rule.invalidation.refuse {
		return r.x.Refuse(exchange.MayNotInvalidate)
	}
	c.asks.Control = policy.Directives{}
	c.warning = c.rule.invalidation.warn
	return true
}

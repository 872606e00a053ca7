package proxy

import (
	"weir/proxy/exchange"
	"weir/ratelimit"
	"weir/ratelimit/shared"
)

// quota holds requests to the limits of their caller, then to those of stage,
// method, route and API, and then holds back what some limit wants to come later.
func (g *Gateway) quota(r *request) bool {
	l := r.route.limits
	if l == nil {
		return true
	}
	return g.takePlan(r, l) && g.takeAll(r, l.callers) && g.takeMethod(r, l) && g.takeAll(r, l.rest) &&
		(r.wait == 0 || g.hold(r))
}

// takePlan asks the caller's usage plan: method, then throttle, then quota.
func (g *Gateway) takePlan(r *request, l *routeLimits) bool {
	c := &r.caller
	switch {
	case !c.isMember:
		return true
	case r.explained != nil:
		g.explainPlan(r, l)
		return true
	}
	common := r.live.sharing.plans[c.member.Plan()] // nil where nodes share nothing of it
	for _, key := range l.keysOf(r.x.Request.Method()) {
		if bucket, rate, ok := c.member.Method(key); ok {
			if common != nil && common.methods[l.stage+key] != nil {
				if !g.takeCommon(r, l.plan.method, common.methods[l.stage+key], rate) {
					return false
				}
			} else if !g.takeFrom(r, l.plan.method, bucket, rate) {
				return false
			}
			break
		}
	}
	if bucket, rate, ok := c.member.Throttle(); ok {
		if common != nil && common.throttle != nil {
			if !g.takeCommon(r, l.plan.throttle, common.throttle, rate) {
				return false
			}
		} else if !g.takeFrom(r, l.plan.throttle, bucket, rate) {
			return false
		}
	}
	// Each node counts for itself too: that is what it tells of usage.
	return g.takeQuota(r, l.plan.quota) &&
		(common == nil || common.quota == nil || g.takeSharedQuota(r, l.plan.quota, common.quota))
}

// takeCommon takes a token of the caller's that nodes share.
func (g *Gateway) takeCommon(r *request, l *limit, of *shared.Limit, rate ratelimit.Rate) bool {
	from := len(r.identity)
	r.identity = append(r.identity, r.caller.keyID()...)
	h := r.newHeld(l)
	h.rate = rate
	return g.takeShared(r, h, of, from)
}

func (g *Gateway) takeQuota(r *request, l *limit) bool {
	d, hasQuota := r.caller.member.Take(g.wallClock(r))
	h := r.newHeld(l)
	h.isQuota, h.hasQuota, h.remaining, h.reset = d.Allowed, hasQuota, d.Remaining, d.Reset
	if !d.Allowed {
		return r.denied(h, exchange.QuotaExceeded, d.Wait)
	}
	if hasQuota {
		r.allowed(l, 0)
	}
	return true
}

// takeMethod asks the limit of stage and method.
func (g *Gateway) takeMethod(r *request, l *routeLimits) bool {
	method := r.x.Request.Method()
	for i := range l.methods {
		if m := &l.methods[i]; m.method == "" || m.method == string(method) {
			return g.take(r, m.limit)
		}
	}
	return true
}

// keysOf returns what a plan may call the method, the exact name first.
func (l *routeLimits) keysOf(method []byte) []string {
	for i := range l.methodKeys {
		if m := &l.methodKeys[i]; m.method == "" || m.method == string(method) {
			return m.keys
		}
	}
	return nil
}

// plan returns the id of the plan that holds for the caller, "" without one.
func (c *caller) plan() string {
	if !c.isMember {
		return ""
	}
	return c.member.Plan()
}

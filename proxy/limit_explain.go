package proxy

import (
	"strconv"
	"time"

	"weir/ratelimit"
)

// explainLimit tells what l would decide now. Nothing is taken.
func (g *Gateway) explainLimit(r *request, l *limit) {
	if l.atOnce > 0 {
		r.explained.add("limit", "%s lets %d in at once; how many are is not asked", l.name, l.atOnce)
	}
	if !l.hasRate {
		return
	}
	if l.shared != nil {
		r.explained.add("limit", "%s is shared; it lets %s through, and is not asked", l.name, describeRate(l.rate))
		return
	}
	now := g.limits.clock.At(r.moment)
	var d ratelimit.Decision
	if l.identity != nil {
		r.identity = l.identity.append(r.identity[:0], r)
		key := l.table.Key(r.identity)
		r.explained.add("limit", "%s knows the request by the key %s", l.name, keyText(key))
		d = l.table.Peek(key, now, l.rate, l.delay)
	} else {
		d = l.bucket.Peek(now, l.rate, l.delay)
	}
	g.explainDecision(r, l, l.rate, d)
}

// explainDecision tells of a decision that was not made.
func (g *Gateway) explainDecision(r *request, l *limit, rate ratelimit.Rate, d ratelimit.Decision) {
	what := "would let it through"
	switch {
	case !d.Allowed:
		what = "would refuse it, and let it through after " + d.Wait.Round(time.Millisecond).String()
	case d.Wait > 0:
		what = "would hold it back for " + d.Wait.Round(time.Millisecond).String()
	}
	if l.dryRun {
		what += ", but only counts"
	}
	r.explained.add("limit", "%s %s; it lets %s through, %d are left", l.name, what, describeRate(rate), d.Remaining)
}

func describeRate(rate ratelimit.Rate) string {
	return "one every " + rate.Every().String() + " and bursts of " + strconv.FormatInt(rate.Burst(), 10)
}

// explainPlan tells what the caller's plan would decide now.
func (g *Gateway) explainPlan(r *request, l *routeLimits) {
	c, now := &r.caller, g.limits.clock.At(r.moment)
	for _, key := range l.keysOf(r.x.Request.Method()) {
		if bucket, rate, ok := c.member.Method(key); ok {
			g.explainDecision(r, l.plan.method, rate, bucket.Peek(now, rate, 0))
			break
		}
	}
	if bucket, rate, ok := c.member.Throttle(); ok {
		g.explainDecision(r, l.plan.throttle, rate, bucket.Peek(now, rate, 0))
	}
	r.explained.add("quota", "the key %s has sent %d requests under the plan %q in this period", c.keyID(), c.member.Used(g.wallClock(r)), c.plan())
}

// explainCaller notes who calls, or why that is not known.
func (r *request) explainCaller(why error) {
	switch c := &r.caller; {
	case c.isMember:
		r.explained.add("authenticate", "the API key %s is in the usage plan %q for the stage %s", c.keyID(), c.plan(), r.route.limits.stage)
	case c.key != nil:
		r.explained.add("authenticate", "the API key %s is in no usage plan for the stage %s", c.keyID(), r.route.limits.stage)
	case why != nil:
		r.explained.add("authenticate", "%s", why)
	}
}

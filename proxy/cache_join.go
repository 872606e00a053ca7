package proxy

import (
	"time"

	"weir/cache"
	"weir/proxy/exchange"
	"weir/proxy/observe"
	"weir/proxy/wire"
)

// failure is why a fetch has no answer for those who wait for it.
type failure struct {
	refusal *exchange.Refusal // nil: the fetch was given up, and can be tried again
	cause   error
	status  int // of an answer that says that the upstream fails; not for others
}

// join waits for what another request has fetched, and answers with it. Again
// tells that it was no good and has to be looked for anew.
func (g *Gateway) join(r *request) (goes, again bool) {
	c := &r.caching
	defer r.leaveCache()
	how := observe.CacheCollapsed
	if state, _, _ := c.fill.State(); state == cache.Answered {
		how = observe.CacheHit // it is here, if not yet all of it
	}
	switch g.await(r, c.fill, c.rule.wait) {
	case waitedOut:
		return r.goAlone(c.forward, "who fetches it takes too long"), false
	case clientLeft:
		return r.x.Refuse(exchange.ClientGone), false
	}
	state, e, reason := c.fill.State()
	switch state {
	case cache.Answered:
		if !g.cache.Selects(e, &c.key, r) {
			return false, true
		}
		return g.answerStored(r, e, g.resident(e), how), false
	case cache.Failed:
		return g.shareFailure(r, reason)
	}
	return r.goAlone(c.forward, "what was fetched is not for others"), false
}

// shareFailure answers where a fetch has failed that the request has waited for.
func (g *Gateway) shareFailure(r *request, reason any) (goes, again bool) {
	why, _ := reason.(*failure)
	if why == nil || why.refusal == nil && why.status == 0 {
		return false, true
	}
	if g.rescue(r, why.status) {
		return false, false
	}
	if why.refusal == nil {
		return r.goAlone(r.caching.forward, "the upstream failed, and its answer is not for others"), false
	}
	r.caching.result = observe.CacheCollapsed
	r.x.Cause = why.cause
	return r.x.Refuse(why.refusal), false
}

// rescue answers with a stale answer because the upstream has failed, where that
// is allowed (RFC 5861 §4); status is 0 without any answer.
func (g *Gateway) rescue(r *request, status int) bool {
	c := &r.caching
	if c.found == nil {
		return false
	}
	resident := g.resident(c.found)
	if !c.rule.rules.MayRescue(&c.found.Terms, &c.asks, resident, status) {
		return false
	}
	g.answerStored(r, c.found, resident, observe.CacheStale)
	return true
}

// waited is how a wait has ended.
type waited uint8

const (
	told waited = iota
	waitedOut
	clientLeft
)

// await waits until a fill's state is known; limit 0 is as long as it takes.
func (g *Gateway) await(r *request, fill *cache.Fill, limit time.Duration) waited {
	x, p := r.x, &r.patience
	p.ready()
	defer p.timer.Stop()
	if d := r.caching.fetch; d != nil {
		d.waits.Store(p)
	}
	fill.Watch(p)
	defer fill.Unwatch(p)
	x.Front.Notify(p)
	defer x.Front.Notify(nil)
	for begun := time.Now(); ; {
		if state, _, _ := fill.State(); state != cache.Fetching {
			return told
		}
		if x.Front.Gone() {
			x.Cause, x.Aborted = wire.ErrAbandoned, true
			return clientLeft
		}
		pause := look
		if limit > 0 {
			left := limit - time.Since(begun)
			if left <= 0 {
				return waitedOut
			}
			pause = min(pause, left)
		}
		p.timer.Reset(pause)
		select {
		case <-p.timer.C:
		case <-p.woken:
		}
		if d := r.caching.fetch; d != nil {
			d.passInterims(x)
		}
	}
}

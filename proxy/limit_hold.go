package proxy

import (
	"time"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// patience is what a request needs to be held back. It is kept with the pooled
// request, so that waiting makes nothing new.
type patience struct {
	timer *time.Timer
	woken chan struct{}
}

// Wake has a look taken whether the client has left.
func (p *patience) Wake() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

// ready makes what waiting takes, once.
func (p *patience) ready() {
	if p.timer == nil {
		p.timer, p.woken = time.NewTimer(time.Hour), make(chan struct{}, 1)
	}
}

// look is how often a client is looked for, where its front end does not tell.
const look = 250 * time.Millisecond

// hold holds the request back for as long as limits want. It ends early when
// the client leaves, and refuses when the gateway drains or already holds back
// as many as it may.
func (g *Gateway) hold(r *request) bool {
	x, p := r.x, &r.patience
	defer g.limits.waiting.Add(-1)
	if g.limits.waiting.Add(1) > g.limits.waitLimit {
		return r.releaseAs(exchange.Throttled)
	}
	p.ready()
	defer p.timer.Stop()
	x.Front.Notify(p)
	defer x.Front.Notify(nil)
	for {
		left := r.wait - time.Since(r.moment)
		if left <= 0 {
			return true
		}
		if x.Front.Gone() {
			x.Cause, x.Aborted = wire.ErrAbandoned, true
			return r.releaseAs(exchange.ClientGone)
		}
		p.timer.Reset(min(left, look))
		select {
		case <-p.timer.C:
		case <-p.woken:
		case <-g.limits.drained:
			return r.releaseAs(exchange.Throttled)
		}
	}
}

// releaseAs refuses a request that was to be held back, and gives back what it
// has taken.
func (r *request) releaseAs(refusal *exchange.Refusal) bool {
	r.giveBack()
	if by := r.delayedBy; refusal == exchange.Throttled {
		by.stats.count(r.x.Shard, refused)
		r.limited = limited{by, r.wait}
	}
	return r.x.Refuse(refusal)
}

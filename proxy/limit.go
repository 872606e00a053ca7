package proxy

import (
	"math"
	"strconv"
	"time"

	"weir/proxy/exchange"
	"weir/ratelimit"
	"weir/ratelimit/shared"
)

// limit is one limit as it holds for one route. It is immutable; what it
// counts in outlives documents.
type limit struct {
	name        string // of metrics, log and explanations
	level       string // what clients are told it is
	atOnceLevel string // the same of what runs at once
	policy      []byte // its members of RateLimit-Policy; nil where its rate is not fixed
	stats       *limitStats

	rate     ratelimit.Rate
	bucket   *ratelimit.Bucket // of all requests; nil where they are told apart, or without a rate
	shared   *shared.Limit     // in place of bucket and table
	table    *ratelimit.Table
	gate     *ratelimit.Gate
	identity *identity // nil where requests are not told apart
	atOnce   int64     // 0 for any number
	fixed    uint64    // key of the gate without identity
	hasRate  bool

	delay    time.Duration
	dryRun   bool
	announce bool
}

// held is what a limit has given a request: a token, and a pass that it keeps
// until it ends.
type held struct {
	limit     *limit
	bucket    *ratelimit.Bucket // that the token is of; nil for one of the table
	rate      ratelimit.Rate
	key       uint64
	remaining int64
	reset     time.Duration
	pass      ratelimit.Pass

	shared   *shared.Limit // that the token is of, in place of a bucket
	quota    *shared.Quota
	outcome  shared.Outcome
	from, to int // of the identity that it was taken for

	at time.Time // when the token was taken

	isToken, isPass, isQuota, hasQuota bool
}

// limited is which limit refused a request, and when another attempt may do.
type limited struct {
	by   *limit
	wait time.Duration
}

// takeAll asks each of limits in turn; the first that refuses ends it.
func (g *Gateway) takeAll(r *request, limits []*limit) bool {
	for _, l := range limits {
		if !g.take(r, l) {
			return false
		}
	}
	return true
}

// newHeld begins what l gives the request.
func (r *request) newHeld(l *limit) *held {
	n := len(r.held)
	if n == cap(r.held) {
		r.held = append(r.held, held{})
	}
	r.held = r.held[:n+1]
	h := &r.held[n]
	h.limit, h.at = l, r.moment
	return h
}

// take asks l for a pass and a token.
func (g *Gateway) take(r *request, l *limit) bool {
	if r.explained != nil {
		g.explainLimit(r, l)
		return true
	}
	h := r.newHeld(l)
	from := len(r.identity)
	h.key = l.fixed
	if l.identity != nil {
		r.identity = l.identity.append(r.identity, r)
		h.key = l.table.Key(r.identity[from:])
	}
	if l.atOnce > 0 {
		if h.pass, h.isPass = l.gate.Enter(h.key, l.atOnce); !h.isPass {
			l.refusedKey(h.key)
			return r.denied(h, exchange.TooManyAtOnce, time.Second)
		}
	}
	h.rate = l.rate
	switch {
	case !l.hasRate:
		r.allowed(l, 0)
		return true
	case l.shared != nil:
		return g.takeShared(r, h, l.shared, from)
	case l.identity != nil:
		r.identity = r.identity[:from]
		return r.decided(h, l.table.Take(h.key, g.limits.clock.At(r.moment), l.rate, l.delay))
	}
	h.bucket = l.bucket
	return r.decided(h, l.bucket.Take(g.limits.clock.At(r.moment), l.rate, l.delay))
}

// decided notes the decision of a rate.
func (r *request) decided(h *held, d ratelimit.Decision) bool {
	h.remaining, h.reset, h.isToken = d.Remaining, d.Reset, d.Allowed
	if d.Allowed {
		r.allowed(h.limit, d.Wait)
		return true
	}
	h.limit.refusedKey(h.key)
	return r.denied(h, exchange.Throttled, d.Wait)
}

// takeFrom takes a token of a bucket that is not the limit's own.
func (g *Gateway) takeFrom(r *request, l *limit, bucket *ratelimit.Bucket, rate ratelimit.Rate) bool {
	h := r.newHeld(l)
	h.bucket, h.rate = bucket, rate
	return r.decided(h, bucket.Take(g.limits.clock.At(r.moment), rate, 0))
}

// refusedKey counts whom l refuses, where it tells requests apart.
func (l *limit) refusedKey(key uint64) {
	if l.identity != nil {
		l.stats.top.Observe(key)
	}
}

// allowed notes that l lets the request through, after wait.
func (r *request) allowed(l *limit, wait time.Duration) {
	outcome := passed
	switch {
	case wait > 0 && l.dryRun:
		outcome = wouldDelay
	case wait > 0:
		outcome = delayed
		if wait > r.wait {
			r.wait, r.delayedBy = wait, l
		}
	}
	l.stats.count(r.x.Shard, outcome)
	r.announcing = r.announcing || l.announce
}

// denied notes that a limit refuses the request, and does refuse it unless the
// limit only counts. A pass that it has given then stays: the request is under
// way all the same.
func (r *request) denied(h *held, refusal *exchange.Refusal, wait time.Duration) bool {
	l := h.limit
	if l.dryRun {
		l.stats.count(r.x.Shard, wouldRefuse)
		if !h.isPass {
			*h = held{}
			r.held = r.held[:len(r.held)-1]
		}
		return true
	}
	l.stats.count(r.x.Shard, refused)
	r.giveBack()
	r.limited = limited{l, wait}
	return r.x.Refuse(refusal)
}

// giveBack returns everything that limits have given the request: what is
// refused takes nothing.
func (r *request) giveBack() {
	for i := range r.held {
		h := &r.held[i]
		switch {
		case h.isQuota:
			r.caller.member.Return(r.wall)
		case !h.isToken:
		case h.quota != nil:
			h.quota.Return(r.identity[h.from:h.to], r.wall, h.outcome)
		case time.Since(h.at) >= h.reset:
			// The bucket may have been full meanwhile: the token has come back by itself.
		case h.shared != nil:
			h.shared.Return(r.identity[h.from:h.to], h.outcome)
		case h.bucket != nil:
			h.bucket.Return(h.rate)
		default:
			h.limit.table.Return(h.key, h.rate)
		}
		if h.isToken || h.isQuota {
			h.remaining++
		}
		h.isToken, h.isQuota = false, false
	}
	r.leave()
}

// advance makes the moment of what limits are asked now: a step has waited, and
// buckets must not be asked with a time that is over. What was waited counts
// towards what the request is to be held back.
func (r *request) advance() {
	now := time.Now()
	r.wait = max(0, r.wait-now.Sub(r.moment))
	r.moment = now
}

// wallClock returns the time that quotas count by, the same one for the whole
// request.
func (g *Gateway) wallClock(r *request) time.Time {
	if r.wall.IsZero() {
		r.wall = g.limits.wall.at(r.moment)
	}
	return r.wall
}

// leave ends what counts as under way.
func (r *request) leave() {
	for i := range r.held {
		if h := &r.held[i]; h.isPass {
			h.limit.gate.Leave(h.pass)
			h.isPass = false
		}
	}
}

// forgetLimits makes r ready for the next request.
func (r *request) forgetLimits() {
	clear(r.held)
	r.held, r.wait, r.delayedBy, r.limited, r.announcing = r.held[:0], 0, nil, limited{}, false
	if cap(r.identity) > keptBuffer {
		r.identity = nil
	}
	r.identity = r.identity[:0]
	r.caller = caller{}
}

// appendPolicy appends the member of RateLimit-Policy that tells of a rate
// (draft-ietf-httpapi-ratelimit-headers-11 §3): a bucket of burst that fills
// up in a window.
func appendPolicy(dst []byte, level string, rate ratelimit.Rate) []byte {
	dst = append(append(append(dst, '"'), level...), `";q=`...)
	dst = strconv.AppendInt(dst, rate.Burst(), 10)
	dst = append(dst, ";w="...)
	return strconv.AppendInt(dst, seconds(rate.Every()*time.Duration(rate.Burst())), 10)
}

// seconds rounds d up to whole seconds, and to at least one.
func seconds(d time.Duration) int64 {
	if d > math.MaxInt64-time.Second {
		return int64(d / time.Second)
	}
	return max(int64((d+time.Second-1)/time.Second), 1)
}

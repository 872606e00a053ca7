package ratelimit

import (
	"sync/atomic"
	"time"
)

// Bucket is one token bucket: the theoretical arrival time of GCRA, in
// nanoseconds of Clock, in one atomic word. The zero value is full. It may be
// used by many goroutines at once, with the same rate or with changing ones.
type Bucket struct{ tat atomic.Int64 }

// Take takes one token at now. An attempt that would find one within delay is
// allowed and told to wait for it; what is refused takes nothing.
func (b *Bucket) Take(now int64, r Rate, delay time.Duration) Decision {
	for {
		tat := b.tat.Load()
		next, d := r.decide(tat, now, int64(delay))
		if !d.Allowed || b.tat.CompareAndSwap(tat, next) {
			return d
		}
	}
}

// Peek tells what Take would have, and takes nothing.
func (b *Bucket) Peek(now int64, r Rate, delay time.Duration) Decision {
	_, d := r.decide(b.tat.Load(), now, int64(delay))
	return d
}

// Return gives back a token that Take has given and nobody used.
func (b *Bucket) Return(r Rate) { b.tat.Add(-r.every) }

// decide applies one attempt at now to a bucket whose arrival time is tat.
func (r Rate) decide(tat, now, delay int64) (next int64, d Decision) {
	base := max(tat, now)
	next = base + r.every
	ahead := next - now // how far the bucket would be from full
	span := r.every * r.burst
	if wait := ahead - span; wait > delay || r.burst == 0 {
		return tat, Decision{Wait: time.Duration(max(wait, 0)), Remaining: 0, Reset: time.Duration(base - now)}
	} else if wait > 0 {
		return next, Decision{Allowed: true, Wait: time.Duration(wait), Reset: time.Duration(ahead)}
	}
	return next, Decision{Allowed: true, Remaining: (span - ahead) / r.every, Reset: time.Duration(ahead)}
}

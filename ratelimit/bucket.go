package ratelimit

import (
	"sync/atomic"
	"time"
)

const (
	// maxDelay is the most that a delay counts for.
	maxDelay = 24 * time.Hour
	// lag is how old the time of a caller may be without harm: it may have been
	// stopped between reading the clock and taking a token.
	lag = time.Second
)

// Bucket is one token bucket: the theoretical arrival time of GCRA, in
// nanoseconds of Clock, in one atomic word. The zero value is full. It may be
// used by many goroutines at once, with the same rate or with changing ones.
type Bucket struct{ tat atomic.Int64 }

// Take takes one token at now. An attempt that would find one within delay,
// which counts for a day at most, is allowed and told to wait for it; what is
// refused takes nothing. All takes of a bucket must have the same delay.
func (b *Bucket) Take(now int64, r Rate, delay time.Duration) Decision {
	for {
		tat := b.tat.Load()
		next, d := r.decide(r.clamp(tat, now, delay), now, delay)
		if next == tat || b.tat.CompareAndSwap(tat, next) {
			return d
		}
	}
}

// Peek tells what Take would have, and takes nothing.
func (b *Bucket) Peek(now int64, r Rate, delay time.Duration) Decision {
	_, d := r.decide(r.clamp(b.tat.Load(), now, delay), now, delay)
	return d
}

// Return gives back a token that Take has given and nobody used, before
// r.Every has passed: by then it has come back by itself.
func (b *Bucket) Return(r Rate) { b.tat.Add(-r.every) }

// clamp returns tat, or the time of a bucket that is empty at now if tat is
// later than r could have brought it to: then it is of a slower rate, which
// somebody has replaced.
func (r Rate) clamp(tat, now int64, delay time.Duration) int64 {
	empty := now + r.every*r.burst
	if r.burst != 0 && tat > empty+int64(min(max(delay, 0), maxDelay)+lag) {
		return empty
	}
	return tat
}

// decide applies one attempt at now to a bucket whose arrival time is tat. A
// refused attempt leaves tat as it is.
func (r Rate) decide(tat, now int64, delay time.Duration) (next int64, d Decision) {
	base := max(tat, now)
	next = base + r.every
	ahead := next - now // how far the bucket would be from full
	left := r.every*r.burst - ahead
	switch {
	case left >= 0 && r.burst != 0:
		return next, Decision{Allowed: true, Remaining: left / r.every, Reset: time.Duration(ahead)}
	case r.burst == 0:
		return tat, Decision{}
	case time.Duration(-left) <= min(delay, maxDelay):
		return next, Decision{Allowed: true, Wait: time.Duration(-left), Reset: time.Duration(ahead)}
	}
	return tat, Decision{Wait: time.Duration(-left), Reset: time.Duration(base - now)}
}

package ratelimit

import (
	"sync/atomic"
	"time"
)

// The word of a Usage: the day on which its period began, counted from 1970,
// above usedBits of what was used. A grant beyond the limit makes that negative.
const (
	usedBits = 44
	mostUsed = 1<<(usedBits-1) - 1
	mostDays = 1<<(63-usedBits) - 32 // so that the period of the first day begins within
)

// Usage is one counter of a quota in one atomic word. The zero value has used
// nothing since 1970. It may be used by many goroutines at once, and by quotas of another
// limit or period later on.
type Usage struct{ word atomic.Int64 }

// Take uses one of q at now, which is wall-clock time. What is refused uses
// nothing. A clock that goes back to the period before does not reopen it.
func (u *Usage) Take(now time.Time, q Quota) Decision {
	for {
		word := u.word.Load()
		start, used := q.at(word, now)
		limit := q.limit(start)
		reset := q.Period.end(start).Sub(now)
		if used >= limit {
			// What a clock that was far ahead has counted belongs to this period,
			// lest it be found in the next one again.
			if next := pack(start, used); next != word && !u.word.CompareAndSwap(word, next) {
				continue
			}
			return Decision{Wait: reset, Reset: reset}
		}
		if u.word.CompareAndSwap(word, pack(start, used+1)) {
			return Decision{Allowed: true, Remaining: limit - used - 1, Reset: reset}
		}
	}
}

// Peek tells what Take would have, and uses nothing.
func (u *Usage) Peek(now time.Time, q Quota) Decision {
	before := Usage{}
	before.word.Store(u.word.Load())
	return before.Take(now, q)
}

// Return gives back what Take has given at now and nobody used. It does
// nothing if another period has begun since.
func (u *Usage) Return(now time.Time, q Quota) {
	start, _ := q.Period.days(now)
	for {
		word := u.word.Load()
		at, used := unpack(word)
		if at != start || used == 0 || u.word.CompareAndSwap(word, pack(at, used-1)) {
			return
		}
	}
}

// SetRemaining leaves n to use in the period of now, more than the limit if n is.
func (u *Usage) SetRemaining(now time.Time, q Quota, n int64) {
	for {
		word := u.word.Load()
		start, _ := q.at(word, now)
		limit := q.limit(start)
		if u.word.CompareAndSwap(word, pack(start, limit-min(max(n, 0), mostUsed))) {
			return
		}
	}
}

// Load returns the start of the period that is counted and what was used in
// it, which is negative where more was granted than the limit.
func (u *Usage) Load() (start time.Time, used int64) {
	day, used := unpack(u.word.Load())
	return midnight(day), used
}

// Restore sets what Load has returned once. The period is the one of p that
// start is in.
func (u *Usage) Restore(start time.Time, used int64, p Period) {
	day, _ := p.days(start)
	u.word.Store(pack(day, used))
}

// at returns the start of the period to count at now, and what was used in it,
// by a counter that stands at word.
func (q Quota) at(word int64, now time.Time) (start, used int64) {
	counted, used := unpack(word)
	start, end := q.Period.days(now)
	switch {
	case counted < start:
		return start, 0
	case counted > end:
		// The clock was more than a whole period ahead, and is right now. What was
		// used stays used, but must not wait until that time comes.
		return start, used
	}
	return counted, used
}

func pack(day, used int64) int64 {
	return day<<usedBits | min(max(used, -mostUsed), mostUsed)&(1<<usedBits-1)
}

func unpack(word int64) (day, used int64) {
	return word >> usedBits, word << (64 - usedBits) >> (64 - usedBits)
}

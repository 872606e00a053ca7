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
type Usage struct {
	word  atomic.Int64
	lasts atomic.Uint64 // the period that now was in last, to spare the calendar
}

// Take uses one of q at now, which is wall-clock time. What is refused uses
// nothing. A clock that goes back to the period before does not reopen it.
func (u *Usage) Take(now time.Time, q Quota) Decision {
	from, to := u.days(q.Period, now)
	for {
		word := u.word.Load()
		start, used := counting(word, from, to)
		limit, end := q.limit(start), to
		if start != from {
			_, end = q.Period.days(midnight(start))
		}
		reset := midnight(end).Sub(now)
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
	start, _ := u.days(q.Period, now)
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
	from, to := u.days(q.Period, now)
	for {
		word := u.word.Load()
		start, _ := counting(word, from, to)
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

// days is Period.days, remembered for as long as now stays within.
func (u *Usage) days(p Period, now time.Time) (start, end int64) {
	const lengthBits, periodBits = 6, 2
	last := u.lasts.Load()
	start = int64(last >> (lengthBits + periodBits))
	end = start + int64(last>>periodBits&(1<<lengthBits-1))
	if day := now.Unix() / ofDay; day >= start && day < end && Period(last&(1<<periodBits-1)) == p {
		return start, end
	}
	if start, end = p.days(now); start > 0 {
		u.lasts.Store(uint64(start)<<(lengthBits+periodBits) | uint64(end-start)<<periodBits | uint64(p))
	}
	return start, end
}

// counting returns the start of the period to count in one that goes from start to
// end, and what was used in it, by a counter that stands at word.
func counting(word, start, end int64) (_, used int64) {
	counted, used := unpack(word)
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

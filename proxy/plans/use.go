package plans

import (
	"sync"
	"sync/atomic"
	"time"

	"weir/ratelimit"
)

// use is what a key has used of a plan: its buckets, how much of its quota, and
// its requests by day. It outlives the membership, so that leaving a plan and
// joining it again renews nothing.
type use struct {
	// What every request touches comes first, for the sake of one cache line.
	quota  counter       // since the first day of a period
	today  counter       // since a midnight
	first  atomic.Uint32 // the day on which the key came, which is when its first period is
	marked atomic.Bool   // the ledger has it to be written
	ledger *ledger
	bucket ratelimit.Bucket

	plan, key string
	methods   atomic.Pointer[[]*ratelimit.Bucket] // by slot of the plan; made when first asked for

	mutex sync.Mutex
	ended []dayUse // days that are over and not yet written, or never, at most DaysKept
}

// dayUse is what was used on a day, and what remained at its end, which is
// noQuota where there was no quota.
type dayUse struct {
	day             uint16
	used, remaining int64
}

const noQuota = -1

// counter is a day, counted from 1970, and a signed count since it, in one
// word: whoever sees a new day first begins it, once.
type counter struct{ word atomic.Uint64 }

const countBits = 48

// maxCount is the largest limit of a quota.
const maxCount = 1<<(countBits-1) - 1

func pack(day uint16, count int64) uint64 {
	return uint64(day)<<countBits | uint64(count)&(1<<countBits-1)
}

func unpack(word uint64) (day uint16, count int64) {
	return uint16(word >> countBits), int64(word<<(64-countBits)) >> (64 - countBits)
}

func (c *counter) load() (day uint16, count int64) { return unpack(c.word.Load()) }

// take counts one more since day, up to limit, and returns the count. A day
// before the one counted does not begin anew: clocks that step back renew
// nothing.
func (c *counter) take(day uint16, limit int64) (count int64, ok bool) {
	for {
		word := c.word.Load()
		since, count := unpack(word)
		if since < day {
			since, count = day, 0
		}
		if count >= limit {
			return count, false
		}
		if c.word.CompareAndSwap(word, pack(since, count+1)) {
			return count + 1, true
		}
	}
}

// giveBack takes one off what was counted since day or later.
func (c *counter) giveBack(day uint16, least int64) {
	for {
		word := c.word.Load()
		since, count := unpack(word)
		if since < day || count <= least || c.word.CompareAndSwap(word, pack(since, count-1)) {
			return
		}
	}
}

// method returns the bucket of a slot.
func (u *use) method(slot int) *ratelimit.Bucket {
	if all := u.methods.Load(); all != nil && slot < len(*all) && (*all)[slot] != nil {
		return (*all)[slot]
	}
	u.mutex.Lock()
	defer u.mutex.Unlock()
	var next []*ratelimit.Bucket
	if all := u.methods.Load(); all != nil {
		next = append(next, *all...)
	}
	for len(next) <= slot {
		next = append(next, nil)
	}
	if next[slot] == nil {
		next[slot] = new(ratelimit.Bucket)
		u.methods.Store(&next)
	}
	return next[slot]
}

func (u *use) take(t *terms, now time.Time) (ratelimit.Decision, bool) {
	c := u.ledger.calendar(now)
	if day, _ := u.today.load(); day < c.day {
		u.turn(t, c)
	}
	d := ratelimit.Decision{Allowed: true}
	if t.quota != nil {
		limit := t.quota.limit(c, u)
		count, ok := u.quota.take(c.start[t.quota.Period], limit)
		d = ratelimit.Decision{Allowed: ok, Remaining: max(limit-count, 0), Reset: c.end[t.quota.Period].Sub(now)}
		if !ok {
			d.Wait = d.Reset
			return d, true
		}
	}
	u.today.word.Add(1)
	u.mark()
	return d, t.quota != nil
}

func (u *use) giveBack(t *terms, now time.Time) {
	c := u.ledger.calendar(now)
	if t.quota != nil {
		u.quota.giveBack(c.start[t.quota.Period], -maxCount)
	}
	u.today.giveBack(c.day, 0)
	u.mark()
}

func (u *use) used(t *terms, now time.Time) int64 {
	c := u.ledger.calendar(now)
	counter, start := &u.today, c.day
	if t.quota != nil {
		counter, start = &u.quota, c.start[t.quota.Period]
	}
	day, count := counter.load()
	if day < start {
		return 0
	}
	return max(count, 0)
}

// turn begins a day and keeps the one before it. Nobody counts into a period of
// the new day before, so what remains of the quota is that of the old one.
func (u *use) turn(t *terms, c *calendar) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	for {
		word := u.today.word.Load()
		day, count := unpack(word)
		if day >= c.day {
			return
		}
		last := dayUse{day, count, u.remaining(t, day)}
		if u.today.word.CompareAndSwap(word, pack(c.day, 0)) {
			if count > 0 {
				u.ended = append(u.ended[max(len(u.ended)-DaysKept+1, 0):], last)
			}
			return
		}
	}
}

// remaining returns what remains of the quota on a day that is not before the
// last one that was counted.
func (u *use) remaining(t *terms, day uint16) int64 {
	if t == nil || t.quota == nil {
		return noQuota
	}
	c := calendarOf(midnight(day))
	limit := t.quota.limitSince(c.start[t.quota.Period], uint16(u.first.Load()))
	if since, count := u.quota.load(); since >= c.start[t.quota.Period] {
		return max(limit-count, 0)
	}
	return limit
}

// mark has the ledger write u soon.
func (u *use) mark() {
	if !u.marked.Load() && u.marked.CompareAndSwap(false, true) {
		u.ledger.add(u)
	}
}

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
	quota  ratelimit.Usage
	today  counter       // of the day
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

// counter is a day, counted from 1970, and a count since it, in one word.
type counter struct{ word atomic.Uint64 }

const countBits = 48

func pack(day uint16, count int64) uint64 { return uint64(day)<<countBits | uint64(count) }

func unpack(word uint64) (day uint16, count int64) {
	return uint16(word >> countBits), int64(word & (1<<countBits - 1))
}

func (c *counter) load() (day uint16, count int64) { return unpack(c.word.Load()) }

// giveBack takes one off what was counted on day.
func (c *counter) giveBack(day uint16) {
	for {
		word := c.word.Load()
		at, count := unpack(word)
		if at != day || count == 0 || c.word.CompareAndSwap(word, word-1) {
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
	if day, _ := u.today.load(); day != dayOf(now) {
		u.turn(t, dayOf(now))
	}
	d := ratelimit.Decision{Allowed: true}
	if t.quota != nil {
		if d = u.quota.Take(now, t.quotaOf(u)); !d.Allowed {
			return d, true
		}
	}
	u.today.word.Add(1)
	u.mark()
	return d, t.quota != nil
}

func (u *use) giveBack(t *terms, now time.Time) {
	if t.quota != nil {
		u.quota.Return(now, t.quotaOf(u))
	}
	u.today.giveBack(dayOf(now))
	u.mark()
}

func (u *use) used(t *terms, now time.Time) int64 {
	if t.quota == nil {
		if day, count := u.today.load(); day >= dayOf(now) {
			return count
		}
		return 0
	}
	since, used := u.quota.Load()
	if start, _ := t.quota.Period.Window(now); since.Before(start) {
		return 0
	}
	return max(used, 0)
}

// turn begins the day now and keeps the one before it. Nobody counts into a
// period of the new day before, so what remains of the quota is that of the old
// one. A clock that goes back by a day at most goes on in the later one; one
// that was further ahead takes its count along.
func (u *use) turn(t *terms, now uint16) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	for {
		word := u.today.word.Load()
		day, count := unpack(word)
		next := pack(now, 0)
		if day > now {
			if day-now <= 1 {
				return
			}
			next = pack(now, count)
		} else if day == now {
			return
		}
		last := dayUse{day, count, u.remaining(t, day)}
		if !u.today.word.CompareAndSwap(word, next) {
			continue
		}
		if day < now && count > 0 {
			u.ended = append(u.ended[max(len(u.ended)-DaysKept+1, 0):], last)
		}
		return
	}
}

// remaining returns what remains of the quota on a day that is not before the
// last one that was counted.
func (u *use) remaining(t *terms, day uint16) int64 {
	if t.quota == nil {
		return noQuota
	}
	return left(&u.quota, midnight(day), t.quotaOf(u))
}

// left returns how often u could be taken now.
func left(u *ratelimit.Usage, now time.Time, q ratelimit.Quota) int64 {
	if d := u.Peek(now, q); d.Allowed {
		return d.Remaining + 1
	}
	return 0
}

// mark has the ledger write u soon.
func (u *use) mark() {
	if !u.marked.Load() && u.marked.CompareAndSwap(false, true) {
		u.ledger.add(u)
	}
}

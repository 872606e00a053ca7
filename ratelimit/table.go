package ratelimit

import (
	"hash/maphash"
	"math"
	"sync/atomic"
	"time"
)

// moving is the word of a bucket's slot that is being given to another key.
const moving = math.MinInt64

// sharedRates is for how many rates at once keys without room can be counted.
const sharedRates = 1024

// Table holds a bucket for each key, of as many limits as share it, and makes
// one for a key that has none. It is bounded: keys that find no room share one
// bucket a rate. It may be used by many goroutines at once, all with the time
// of one Clock.
type Table struct {
	seed       maphash.Seed
	capacity   int
	own        slots
	shared     slots // by rate
	overflowed atomic.Uint64
}

// NewTable returns a table for as many keys as capacity says. It takes 26
// bytes a key, and of the system, if made when the process starts, only as keys come.
func NewTable(capacity int) *Table {
	return &Table{
		seed: maphash.MakeSeed(), capacity: max(capacity, 1),
		own: newSlots(capacity), shared: newSlots(sharedRates),
	}
}

// Key returns the key of an identity, hashed with the secret of the table. The
// identity must hold whatever tells limits that share the table apart.
func (t *Table) Key(identity []byte) uint64 { return maphash.Bytes(t.seed, identity) }

// Take takes one token of the key's bucket, as Bucket.Take does.
func (t *Table) Take(key uint64, now int64, r Rate, delay time.Duration) Decision {
	key = proper(key)
	if s := t.own.find(key); s != nil {
		if d, ok := s.takeToken(key, now, r, delay); ok {
			return d
		}
	}
	return t.takeSlowly(key, now, r, delay)
}

// Peek tells what Take would have, and takes nothing.
func (t *Table) Peek(key uint64, now int64, r Rate, delay time.Duration) Decision {
	key = proper(key)
	if s := t.own.find(key); s != nil {
		if tat := s.word.Load(); tat != moving && s.key.Load() == key {
			_, d := r.decide(r.clamp(tat, now, delay), now, delay)
			return d
		}
	}
	_, d := r.decide(r.clamp(t.sharedTime(r), now, delay), now, delay)
	return d
}

// Return gives back a token that Take has given and nobody used, before
// r.Every has passed: by then it has come back by itself. It does nothing for
// a key without a bucket of its own.
func (t *Table) Return(key uint64, r Rate) {
	key = proper(key)
	if s := t.own.find(key); s != nil {
		s.move(key, -r.every)
	}
}

// takeSlowly takes a token for a key that has no slot, or had none a moment
// ago. Under the lock nobody else gives slots of the part away, so the key
// cannot get a second one.
func (t *Table) takeSlowly(key uint64, now int64, r Rate, delay time.Duration) Decision {
	if r.burst == 0 {
		return Decision{}
	}
	part := t.own.part(key)
	part.mutex.Lock()
	defer part.mutex.Unlock()
	if s := t.own.find(key); s != nil {
		d, _ := s.takeToken(key, now, r, delay)
		return d
	}
	part.latest = max(part.latest, now)
	now = part.latest
	// The key may have lived on the shared bucket until now, so it begins with what
	// that has left. Usually that is idle.
	next, d := r.decide(r.clamp(t.sharedTime(r), now, delay), now, delay)
	if t.own.giveBucket(key, now, next) {
		return d
	}
	t.overflowed.Add(1)
	return t.takeShared(now, r, delay)
}

// takeShared takes a token of the bucket that keys without room share, or
// refuses where there are more than sharedRates of these.
func (t *Table) takeShared(now int64, r Rate, delay time.Duration) Decision {
	key := r.key()
	part := t.shared.part(key)
	part.mutex.Lock()
	defer part.mutex.Unlock()
	if s := t.shared.find(key); s != nil {
		d, _ := s.takeToken(key, now, r, delay)
		return d
	}
	part.latest = max(part.latest, now)
	now = part.latest
	next, d := r.decide(0, now, delay)
	if t.shared.giveBucket(key, now, next) {
		return d
	}
	return Decision{Wait: r.Every(), Reset: r.Every()}
}

// sharedTime returns the arrival time of the bucket that keys without room
// share, which is 0 if there is none.
func (t *Table) sharedTime(r Rate) int64 {
	key := r.key()
	if s := t.shared.find(key); s != nil {
		if tat := s.word.Load(); tat != moving && s.key.Load() == key {
			return tat
		}
	}
	return 0
}

// giveBucket gives key a slot whose bucket is full at now, and in it tat. The
// caller holds the lock of the part.
func (s *slots) giveBucket(key uint64, now, tat int64) bool {
	to := s.take(key, func(int64) int64 { return moving }, func(tat int64) bool { return tat < now })
	if to != nil {
		to.word.Store(tat)
	}
	return to != nil
}

// takeToken takes a token from the bucket in s, or returns false if s is no
// more the key's.
func (s *slot) takeToken(key uint64, now int64, r Rate, delay time.Duration) (Decision, bool) {
	for {
		tat := s.word.Load()
		if tat == moving || s.key.Load() != key {
			return Decision{}, false
		}
		next, d := r.decide(r.clamp(tat, now, delay), now, delay)
		if next == tat {
			return d, true
		}
		if !s.word.CompareAndSwap(tat, next) {
			continue
		}
		// A slot that is given away goes on at a later time than it ever showed as
		// idle. But a token that came back may have made it idle before a time that we
		// have seen, and its new owner may have come to just that time.
		if owner := s.key.Load(); owner != key {
			s.move(owner, tat-next)
			return Decision{}, false
		}
		return d, true
	}
}

// move moves the arrival time by d, unless s is no more the key's.
func (s *slot) move(key uint64, d int64) {
	for {
		tat := s.word.Load()
		if tat == moving || s.key.Load() != key || s.word.CompareAndSwap(tat, tat+d) {
			return
		}
	}
}

// TableStats is the state of a table.
type TableStats struct {
	Capacity   int    // keys that it was made for; it has room for some more
	Live       int    // keys whose bucket is not full; counted by a walk
	Overflowed uint64 // attempts of keys that found no room
}

// Capacity returns for how many keys the table was made.
func (t *Table) Capacity() int { return t.capacity }

// Overflowed returns how many attempts were of keys that found no room.
func (t *Table) Overflowed() uint64 { return t.overflowed.Load() }

// Stats counts what the table holds now. It reads the whole table.
func (t *Table) Stats(now int64) TableStats {
	stats := TableStats{Capacity: t.capacity, Overflowed: t.overflowed.Load()}
	for i := range t.own.groups {
		for j := range t.own.groups[i] {
			if t.own.groups[i][j].word.Load() > now {
				stats.Live++
			}
		}
	}
	return stats
}

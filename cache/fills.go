package cache

import (
	"bytes"
	"math"
	"sync"
)

// fillShards is a power of two: fills begin and end under the lock of one.
const fillShards = 64

// fills are the fetches under way, by key. The zero value is ready.
type fills struct {
	shards [fillShards]struct {
		mu    sync.Mutex
		first map[uint64]*Fill // by hash; those of one hash are a list
		_     [48]byte         // one line of the processor's cache each
	}
}

// Begin joins the fill of a key, or begins one and leads it. Those whose
// selected fields are known to differ have fills of their own, and so has
// whoever comes after a purge that concerns a fill under way. stale is what is
// validated, nil for a fetch from nothing. Where an answer was stored since the
// key's Lookup, the fill has been Answered with that.
func (c *Cache) Begin(k *Key, s Selector, stale *Entry) (f *Fill, leads bool) {
	hash := c.hashOf(k)
	k.begun = c.number()
	shard := &c.fills.shards[hash%fillShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	names, varies := []string(nil), false
	for f = shard.first[hash]; f != nil; f = f.next {
		if !bytes.Equal(f.address.full, k.full) || f.isOutdated() {
			continue
		}
		if f.mayServe(k, s) {
			f.interest.Add(1)
			return f, false
		}
		if state, e, _ := f.State(); state == Answered {
			names, varies = e.Vary, true
		}
	}
	// A fill leaves the table after its answer can be found, so what is neither
	// here nor there has to be fetched.
	known := k.found
	switch found := c.Lookup(k, s); {
	case found.Entry != nil && found.Entry != known && !found.Validate:
		return settled(c, Answered, found.Entry), false
	case found.Pass:
		return settled(c, Passed, nil), false
	}
	if !varies {
		names, varies = c.varies(k)
	}
	f = &Fill{cache: c, address: c.addressOf(k), stale: stale, varies: varies, names: names}
	f.selected = appendSelected(nil, names, s)
	c.note(f.address)
	f.born = c.number()
	k.begun = f.born
	if stale != nil {
		// What has been purged meanwhile must not come back by a 304.
		if gone, _ := c.check(stale); gone {
			f.stale = nil
		}
	}
	f.interest.Store(1)
	if shard.first == nil {
		shard.first = make(map[uint64]*Fill)
	}
	f.next = shard.first[hash]
	shard.first[hash] = f
	return f, true
}

// isOutdated tells whether a purge concerns what the fill fetches, or whether its
// answer has broken off: nobody may join it any more.
func (f *Fill) isOutdated() bool {
	var tags []uint64
	if state, e, _ := f.State(); state == Answered {
		tags = e.place.tags
		if _, err := e.Body.Ended(); err != nil {
			return true
		}
	}
	hard, soft := f.cache.concerns(f.address, tags, f.born)
	return hard || soft
}

// mayServe tells whether the fill's answer may be for the request of s, as far
// as it is known what it varies by.
func (f *Fill) mayServe(k *Key, s Selector) bool {
	if state, e, _ := f.State(); state == Answered {
		return f.cache.Selects(e, k, s)
	}
	if !f.varies {
		return true
	}
	k.selected = appendSelected(k.selected[:0], f.names, s)
	return bytes.Equal(k.selected, f.selected)
}

// varies returns what stored answers of the key vary by, and whether there is one.
func (c *Cache) varies(k *Key) (names []string, known bool) {
	slot := c.find(c.hashOf(k), k.full)
	if slot == nil || len(slot.list()) == 0 {
		return nil, false
	}
	return slot.list()[0].Vary, true
}

// Selects tells whether e may serve the request that s stands for: whoever has
// joined a fill asks it once that is Answered, and begins again where it may not.
// It may have had tags that were purged before he came, which nobody knew then.
func (c *Cache) Selects(e *Entry, k *Key, s Selector) bool {
	p := e.place
	if !bytes.Equal(p.address.full, k.full) || !k.selects(e, s) {
		return false
	}
	if p.born >= k.begun {
		return true
	}
	hard, soft := c.concerns(p.address, p.tags, p.born)
	return !hard && !soft
}

// remove takes f out of the table, if may allows it under the lock: nobody joins
// it from then on.
func (t *fills) remove(f *Fill, may func(*Fill) bool) bool {
	shard := &t.shards[f.address.hash%fillShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if may != nil && !may(f) {
		return false
	}
	before, hash := shard.first[f.address.hash], f.address.hash
	switch {
	case before == f && f.next == nil:
		delete(shard.first, hash)
	case before == f:
		shard.first[hash] = f.next
	default:
		for before != nil && before.next != f {
			before = before.next
		}
		if before != nil {
			before.next = f.next
		}
	}
	f.next = nil
	return true
}

// each calls yield for all fills under way, with the number of purges when they
// began. It holds their lock meanwhile: yield must not wait.
func (t *fills) each(yield func(a *address, born uint64)) {
	for i := range t.shards {
		shard := &t.shards[i]
		shard.mu.Lock()
		for _, f := range shard.first {
			for ; f != nil; f = f.next {
				yield(f.address, f.born)
			}
		}
		shard.mu.Unlock()
	}
}

// count returns how many fills are under way.
func (t *fills) count() (n int64) {
	t.each(func(*address, uint64) { n++ })
	return n
}

// waiting returns how many wait for fills that others lead.
func (t *fills) waiting() (n int64) {
	for i := range t.shards {
		shard := &t.shards[i]
		shard.mu.Lock()
		for _, f := range shard.first {
			for ; f != nil; f = f.next {
				n += int64(f.Waiting())
			}
		}
		shard.mu.Unlock()
	}
	return n
}

// oldestBorn returns the number of purges at which the oldest fill under way
// began: what is purged later may concern it. It is the greatest number where
// there is none.
func (t *fills) oldestBorn() uint64 {
	oldest := uint64(math.MaxUint64)
	t.each(func(_ *address, born uint64) { oldest = min(oldest, born) })
	return oldest
}

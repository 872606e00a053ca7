package cache

import (
	"slices"
	"sync"
	"time"
)

const (
	// A sweep waits for more purges to come.
	sweepDelay = time.Second
	// sweepEvery is how often what is too old is looked for without a purge.
	sweepEvery = time.Minute
	// sweepBatch slots are looked at, then others have the processor for a while.
	sweepBatch = 2048
	sweepPause = time.Millisecond
	// keepToValidate is how long an entry is kept that may no longer be used
	// without asking the upstream, for it to say that nothing has changed.
	keepToValidate = time.Hour
)

// sweeper is what wakes the sweep.
type sweeper struct {
	signal chan struct{}
	mu     sync.Mutex // one sweep at a time
}

func newSweeper() sweeper { return sweeper{signal: make(chan struct{}, 1)} }

func (s *sweeper) wake() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// sweep takes out what is of no more use, until the cache is closed: a while
// after purges, and now and then.
func (c *Cache) sweep() {
	defer c.ended.Done()
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	var due <-chan time.Time
	for {
		select {
		case <-c.ending:
			return
		case <-c.sweeper.signal:
			if due == nil {
				due = time.After(sweepDelay)
			}
			continue
		case <-due:
			due = nil
		case <-tick.C:
			if c.counts.entries.Load() == 0 && len(*c.purges.log.Load()) == 0 {
				continue
			}
		}
		c.sweepOnce()
	}
}

// sweepOnce looks at every entry. What purges in the log concern is marked itself,
// and then they are taken out of it, but those that concern fetches under way.
func (c *Cache) sweepOnce() {
	c.sweeper.mu.Lock()
	defer c.sweeper.mu.Unlock()
	next := newNoted(notedBits(c.size))
	c.moving.Lock()
	c.purges.next.Store(next)
	number := c.number()
	c.fills.each(func(a *address, born uint64) {
		next.note(a.uri)
		number = min(number, born)
	})
	slots := c.slots()
	c.moving.Unlock()

	for batch := range slices.Chunk(slots, sweepBatch) {
		now := c.Now()
		for _, s := range batch {
			if c.sweepSlot(s, now) {
				next.note(s.address.uri)
			}
		}
		select {
		case <-c.ending:
			return
		case <-time.After(sweepPause):
		}
	}
	c.purges.noted.Store(next)
	c.purges.next.Store(nil)
	c.purges.forget(number)
	c.recent.wake()
}

// slots returns all slots. The caller holds moving.
func (c *Cache) slots() []*slot {
	all := make([]*slot, 0, c.counts.entries.Load())
	for i := range c.recent.parts {
		p := &c.recent.parts[i]
		p.RLock()
		for _, s := range p.slots {
			if s.cost == 0 { // else ristretto has it
				all = append(all, s)
			}
		}
		p.RUnlock()
	}
	c.kept.IterValues(func(s *slot) bool {
		all = append(all, s)
		return false
	})
	return all
}

// sweepSlot takes out of a slot what is of no more use, and tells whether it
// leaves anything.
func (c *Cache) sweepSlot(s *slot, now int64) bool {
	p := c.recent.part(s.address.hash)
	p.Lock()
	defer p.Unlock()
	var rest []*Entry
	var purged, expired uint64
	for _, e := range s.list() {
		gone, validate := c.check(e)
		switch {
		case gone:
			e.place.fate.Store(fateGone)
			purged++
		case e.isExpired(now):
			expired++
		default:
			if validate {
				e.place.fate.Store(fateValidate)
			}
			rest = append(rest, e)
		}
	}
	// It may have been evicted since it was listed, and another be in its place.
	if purged+expired > 0 && c.slotOf(p, s.address) == s {
		c.change(p, s, rest)
		c.counts.purged.Add(purged)
		c.counts.expired.Add(expired)
	}
	return len(rest) > 0
}

// isExpired tells whether an entry is so old that it is of no more use.
func (e *Entry) isExpired(now int64) bool {
	t := &e.Terms
	use := t.Lifetime + max(t.StaleWhileRevalidate, t.StaleIfError)
	if len(t.ETag) > 0 || t.LastModified != 0 {
		use += keepToValidate
	}
	return t.Age(time.Duration(now-e.At)) > use
}

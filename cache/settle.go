package cache

import "github.com/dgraph-io/ristretto/v2"

// settle brings ristretto up to date, until the cache is closed. It is the only
// one to write to it. Ristretto takes a new item in some time after it was told,
// loses a second one for the same key until then, drops what comes too fast, and
// lets an item grow without making room: for all that, slots wait in recent until
// ristretto is known to have them, or to refuse them.
func (c *Cache) settle() {
	defer c.ended.Done()
	var batch []settling
	for {
		select {
		case <-c.ending:
			return
		case <-c.recent.signal:
		}
		c.moving.Lock()
		batch = c.begin(batch[:0])
		c.kept.Wait()
		if c.kept.RemainingCost() < 0 {
			c.shrink(batch)
		}
		c.finish(batch)
		c.moving.Unlock()
		clear(batch)
	}
}

// settling is a slot on its way into ristretto, or out of it.
type settling struct {
	*slot
	cost, before int64 // 0 for not there
}

// begin takes the slots that are queued, and tells ristretto of them.
func (c *Cache) begin(batch []settling) []settling {
	for i := range c.recent.parts {
		p := &c.recent.parts[i]
		if p.count.Load() == 0 {
			continue
		}
		p.Lock()
		for _, s := range p.queue {
			s.isQueued = false
			if p.slots[s.address.hash] == s {
				batch = append(batch, settling{slot: s, cost: s.costNow(), before: s.cost})
				s.cost = s.costNow()
			}
		}
		clear(p.queue)
		p.queue = p.queue[:0]
		p.Unlock()
	}
	for _, s := range batch {
		switch {
		case s.cost == 0:
			c.kept.Del(s.address.hash)
		case s.cost != s.before:
			c.tell(s)
		}
	}
	return batch
}

// tell tells ristretto of a slot and its cost, however much it has to do.
func (c *Cache) tell(s settling) {
	for !c.kept.Set(s.address.hash, s.slot, s.cost) {
		c.kept.Wait()
	}
}

// shrink makes room where slots have grown beyond what there is: ristretto does
// so only for what is new to it. It may then refuse a slot that it had.
func (c *Cache) shrink(batch []settling) {
	for _, s := range batch {
		if s.before > 0 && s.cost > s.before {
			c.kept.Del(s.address.hash)
			c.tell(s)
		}
	}
	c.kept.Wait()
}

// finish lets the slots of a batch out of recent that have not changed meanwhile.
// Those that ristretto does not have are gone with it.
func (c *Cache) finish(batch []settling) {
	for _, s := range batch {
		_, isKept := c.kept.GetTTL(s.address.hash)
		p := c.recent.part(s.address.hash)
		p.Lock()
		if !isKept {
			s.slot.cost = 0
		}
		if !s.isQueued {
			if !isKept && s.before == 0 {
				c.counts.rejected.Add(uint64(s.counted))
			} else if !isKept {
				c.counts.evicted.Add(uint64(s.counted))
			}
			if !isKept {
				c.count(s.slot, 0)
			}
			p.remove(s.slot)
		}
		p.Unlock()
	}
}

// evicted is told by ristretto of a slot that had to make room. What is in recent
// the settler sees to.
func (c *Cache) evicted(item *ristretto.Item[*slot]) {
	s := item.Value
	if s == nil || c.isClosed.Load() {
		return
	}
	p := c.recent.part(s.address.hash)
	p.Lock()
	defer p.Unlock()
	s.cost = 0
	if p.slots[s.address.hash] == s {
		return
	}
	c.counts.evicted.Add(uint64(s.counted))
	c.count(s, 0)
}

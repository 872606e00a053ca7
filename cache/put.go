package cache

import (
	"bytes"
	"slices"
)

// put puts a located entry into its slot, in the place of the one that was
// selected by the same values, if it replaces that.
func (c *Cache) put(e *Entry, replaces bool) {
	a := e.place.address
	if hard, _ := c.concerns(a, e.place.tags, e.place.born); hard {
		return
	}
	p := c.recent.part(a.hash)
	p.Lock()
	s := c.slotOf(p, a)
	if s == nil {
		s = c.newSlot(p, a)
	}
	// A fetch that began before a purge may end after one that began behind it.
	isOlder := func(other *Entry) bool {
		return e.isSameVariant(other) && (!replaces || other.place.born > e.place.born)
	}
	if list := s.list(); !slices.ContainsFunc(list, isOlder) {
		c.change(p, s, with(list, e))
		c.counts.stored.Add(1)
	}
	p.Unlock()
	c.recent.wake()
}

// Replace puts next, which shares the body of old or has one of its own, in the
// place of old, if that is still there.
func (c *Cache) Replace(old, next *Entry) {
	a := old.place.address
	p := c.recent.part(a.hash)
	p.Lock()
	c.locate(next, a, old.place.selected, old.place.born)
	next.place.fate.Store(old.place.fate.Load())
	if s := c.slotOf(p, a); s != nil {
		if i := slices.Index(s.list(), old); i >= 0 {
			list := slices.Clone(s.list())
			list[i] = next
			c.change(p, s, list)
		}
	}
	p.Unlock()
	c.recent.wake()
}

// slotOf returns the slot of an address, nil where there is none. The lock of the
// part is held.
func (c *Cache) slotOf(p *part, a *address) *slot {
	if s := c.slotAt(p, a.hash); s != nil && bytes.Equal(s.full, a.full) {
		return s
	}
	return nil
}

// slotAt returns the slot of a hash, whatever its key is.
func (c *Cache) slotAt(p *part, hash uint64) *slot {
	if s := p.slots[hash]; s != nil {
		return s
	}
	// GetTTL tells whether it is there, and does not count that as a use.
	if _, ok := c.kept.GetTTL(hash); !ok {
		return nil
	}
	s, _ := c.kept.Get(hash)
	return s
}

// newSlot makes a slot for an address that has none. Another key of the same hash
// makes room for it. The lock of the part is held.
func (c *Cache) newSlot(p *part, a *address) *slot {
	s := newSlot(a)
	if other := c.slotAt(p, a.hash); other != nil {
		c.change(p, other, nil)
		p.slots[a.hash] = s
	}
	return s
}

// change gives a slot another list, and has it settled. The lock of the part is held.
func (c *Cache) change(p *part, s *slot, list []*Entry) {
	for _, e := range list {
		if e.place.cost == 0 {
			e.place.cost = e.cost()
		}
	}
	s.setList(list)
	c.count(s, len(list))
	p.add(s)
}

// count has the counts hold so many entries of a slot. The lock of its part is held.
func (c *Cache) count(s *slot, entries int) {
	c.counts.entries.Add(int64(entries - s.counted))
	s.counted = entries
}

package cache

import (
	"bytes"
	"sync"
	"sync/atomic"
)

// recentParts is in how many parts, each with a lock, the slots are divided.
const recentParts = 64

// recent holds the slots that ristretto is yet to be told of, or to be told of
// anew: it takes a while to take one in, and until then does not have it.
type recent struct {
	parts [recentParts]part
	// signal wakes the settler: there is something to do.
	signal chan struct{}
}

// part is the slots of some hashes. Its lock is also that of slots which are not
// in it, for whoever changes them.
type part struct {
	sync.RWMutex
	slots map[uint64]*slot
	queue []*slot // those to be settled
	count atomic.Int64
	_     [64]byte // a cache line of its own
}

func (r *recent) part(hash uint64) *part { return &r.parts[hash>>32%recentParts] }

// find returns the slot of a key.
func (r *recent) find(hash uint64, full []byte) *slot {
	p := r.part(hash)
	if p.count.Load() == 0 {
		return nil
	}
	p.RLock()
	s := p.slots[hash]
	p.RUnlock()
	if s == nil || !bytes.Equal(s.full, full) {
		return nil
	}
	return s
}

// add holds a slot until it is settled. The lock of the part is held.
func (p *part) add(s *slot) {
	if p.slots[s.address.hash] != s {
		if p.slots == nil {
			p.slots = make(map[uint64]*slot)
		}
		p.slots[s.address.hash] = s
		p.count.Store(int64(len(p.slots)))
	}
	if !s.isQueued {
		s.isQueued = true
		p.queue = append(p.queue, s)
	}
}

// remove ends add. The lock of the part is held.
func (p *part) remove(s *slot) {
	if p.slots[s.address.hash] == s {
		delete(p.slots, s.address.hash)
		p.count.Store(int64(len(p.slots)))
	}
}

// wake has the settler look.
func (r *recent) wake() {
	select {
	case r.signal <- struct{}{}:
	default:
	}
}

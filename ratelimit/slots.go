package ratelimit

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

const (
	// window is how many groups from its home on a key may have its slot in. With
	// 16 of them, two of a million keys are without room in a table for a million.
	window = 16
	// mostParts bounds the locks of those who look for room.
	mostParts = 256
	// mostKeys bounds what a mistaken capacity may ask for: 26 GiB, untouched.
	mostKeys = 1 << 30
	// golden spreads keys; it also stands for the key 0, which marks a slot that
	// nobody has had yet.
	golden = 0x9e3779b97f4a7c15
)

// slot is one key and its word. The key changes only under the lock of the
// part and while the word says so; what the word means is the user's.
type slot struct {
	key  atomic.Uint64
	word atomic.Int64
}

// group is one cache line. Its slots are used from the first on, so that one
// look at the last tells whether any key has ever gone past it.
type group [4]slot

// part is the lock of a part of the groups, alone in its cache line.
type part struct {
	mutex sync.Mutex
	// latest is the latest moment at which a slot was given away. Who comes with an
	// older one, and may have lost a slot in between, is taken to come then.
	latest int64
	_      [48]byte
}

// slots is a fixed number of slots, found by key without a lock. A key has at
// most one. The memory is the system's until it is written to.
type slots struct {
	groups []group
	parts  []part
	each   uint64 // groups of a part
	window uint64 // groups in which a key may have its slot
}

// newSlots returns room for capacity keys and six tenths as many again.
func newSlots(capacity int) slots {
	keys := min(uint64(max(capacity, 1)), mostKeys)
	groups := (keys*8/5 + 3) / 4
	parts := min(max(groups/(4*window), 1), mostParts) // a part too small is full by chance
	each := (groups + parts - 1) / parts
	return slots{
		groups: make([]group, parts*each), parts: make([]part, parts),
		each: each, window: min(window, each),
	}
}

// proper returns key, or what stands for it if it is the mark of free slots.
func proper(key uint64) uint64 {
	if key == 0 {
		return golden
	}
	return key
}

// home returns where the groups of the part of key begin, and the first of them
// that key may be in.
func (s *slots) home(key uint64) (base, first uint64) {
	i, rest := bits.Mul64(key*golden, uint64(len(s.parts)))
	first, _ = bits.Mul64(rest, s.each)
	return i * s.each, first
}

func (s *slots) part(key uint64) *part {
	i, _ := bits.Mul64(key*golden, uint64(len(s.parts)))
	return &s.parts[i]
}

// next returns the group after at, in a part that is round.
func (s *slots) next(at uint64) uint64 {
	if at++; at == s.each {
		return 0
	}
	return at
}

// find returns the slot of key, or nil. Without the lock of the part it may
// miss one that is being given away, and what it returns may be another's soon.
func (s *slots) find(key uint64) *slot {
	base, at := s.home(key)
	for range s.window {
		g := &s.groups[base+at]
		k0, k1, k2, k3 := g[0].key.Load(), g[1].key.Load(), g[2].key.Load(), g[3].key.Load()
		// Which of the four it is nobody can foresee, so it is no branch: 1.7 times as
		// fast where keys come at random.
		i := 4
		if k3 == key {
			i = 3
		}
		if k2 == key {
			i = 2
		}
		if k1 == key {
			i = 1
		}
		if k0 == key {
			i = 0
		}
		if i < len(g) {
			return &g[i]
		}
		if k3 == 0 {
			return nil
		}
		at = s.next(at)
	}
	return nil
}

// take makes a slot that isFree the key's. It leaves the word at mark, which no
// owner of a slot writes and none changes, for the caller to set. It returns
// nil where there is no room. The caller holds the lock of the part.
func (s *slots) take(key uint64, mark func(word int64) int64, isFree func(word int64) bool) *slot {
	base, at := s.home(key)
	for range s.window {
		g := &s.groups[base+at]
		for j := range g {
			word := g[j].word.Load()
			if g[j].key.Load() != 0 && !isFree(word) {
				continue
			}
			// It fails if the owner of the slot was quicker.
			if g[j].word.CompareAndSwap(word, mark(word)) {
				g[j].key.Store(key)
				return &g[j]
			}
		}
		at = s.next(at)
	}
	return nil
}

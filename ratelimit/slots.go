package ratelimit

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

const (
	// window is how many groups after its home a key may have its slot in. With
	// 8 of them, no key of a million is without room in a table two thirds full.
	window = 8
	// mostShards bounds the locks of those who look for room.
	mostShards = 256
	// mostSlots bounds what a mistaken capacity may ask for: 64 GiB, untouched.
	mostSlots = 1 << 32
	// golden spreads keys; it also stands for the key 0, which marks a slot that
	// nobody has had yet.
	golden = 0x9e3779b97f4a7c15
)

// slot is one key and its word. The key changes only under the lock of the
// shard and while the word says so; what the word means is the user's.
type slot struct {
	key  atomic.Uint64
	word atomic.Int64
}

// group is one cache line. Its slots are used from the first on, so that one
// look at the last tells whether any key has ever gone past it.
type group [4]slot

// shard is the lock of a part of the groups, alone in its cache line.
type shard struct {
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
	shards []shard
	shift  int    // of a spread key, to the number of its group
	part   int    // of the number of a group, to that of its shard
	mask   uint64 // groups of a shard, minus one
	window uint64
}

// newSlots returns room for capacity keys: half as many slots again, rounded
// up to a power of two.
func newSlots(capacity int) slots {
	n := min(uint64(max(capacity, 1)), mostSlots/2)
	groups := max(uint64(1)<<bits.Len64(n*3/2-1)/4, 1)
	shards := min(max(groups/window, 1), mostShards)
	return slots{
		groups: make([]group, groups),
		shards: make([]shard, shards),
		shift:  64 - bits.TrailingZeros64(groups),
		part:   bits.TrailingZeros64(groups / shards),
		mask:   groups/shards - 1,
		window: min(window, groups/shards),
	}
}

// proper returns key, or what stands for it if it is the mark of free slots.
func proper(key uint64) uint64 {
	if key == 0 {
		return golden
	}
	return key
}

func (s *slots) home(key uint64) uint64 { return key * golden >> s.shift }

func (s *slots) shard(key uint64) *shard { return &s.shards[s.home(key)>>s.part] }

// find returns the slot of key, or nil. Without the lock of the shard it may
// miss one that is being given away, and what it returns may be another's soon.
func (s *slots) find(key uint64) *slot {
	home := s.home(key)
	for i := range s.window {
		g := &s.groups[home&^s.mask|(home+i)&s.mask]
		switch key {
		case g[0].key.Load():
			return &g[0]
		case g[1].key.Load():
			return &g[1]
		case g[2].key.Load():
			return &g[2]
		}
		switch g[3].key.Load() {
		case key:
			return &g[3]
		case 0:
			return nil
		}
	}
	return nil
}

// take makes a slot that isFree the key's. It leaves the word at mark, which no
// owner of a slot writes and none changes, for the caller to set. It returns
// nil where there is no room. The caller holds the lock of the shard.
func (s *slots) take(key uint64, mark func(word int64) int64, isFree func(word int64) bool) *slot {
	home := s.home(key)
	for i := range s.window {
		g := &s.groups[home&^s.mask|(home+i)&s.mask]
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
	}
	return nil
}

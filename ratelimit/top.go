package ratelimit

import (
	"cmp"
	"slices"
	"sync"
)

const (
	topSets = 32
	topWays = 8
	topList = 64
)

// Top finds the keys that are seen most often, of any number, in 8 KiB. It
// counts each of them at most as often as it was seen, and what is seen while
// another goroutine counts beside it may be left out. The zero value is empty.
// It may be used by many goroutines at once.
type Top struct{ sets [topSets]topSet }

// topSet counts the keys that share it by the space-saving algorithm (Metwally
// and others, 2005): a new key takes the place of the rarest, and its count.
type topSet struct {
	mutex  sync.Mutex
	keys   [topWays]uint64
	counts [topWays]uint64 // 0 for a free place
	before [topWays]uint64 // what of the count was there when the key came
	_      [56]byte
}

// TopEntry is a key and how often it was seen, at least.
type TopEntry struct{ Key, Count uint64 }

// Observe counts that key was seen. It never waits.
func (t *Top) Observe(key uint64) {
	s := &t.sets[key*golden>>(64-5)]
	if !s.mutex.TryLock() {
		return
	}
	rarest := 0
	for i, k := range s.keys {
		if k == key && s.counts[i] != 0 {
			s.counts[i]++
			s.mutex.Unlock()
			return
		}
		if s.counts[i] < s.counts[rarest] {
			rarest = i
		}
	}
	s.keys[rarest], s.before[rarest] = key, s.counts[rarest]
	s.counts[rarest]++
	s.mutex.Unlock()
}

// List returns up to 64 keys, the most frequent first.
func (t *Top) List() []TopEntry {
	var list []TopEntry
	for i := range t.sets {
		s := &t.sets[i]
		s.mutex.Lock()
		for j, n := range s.counts {
			if n != 0 {
				list = append(list, TopEntry{s.keys[j], n - s.before[j]})
			}
		}
		s.mutex.Unlock()
	}
	slices.SortFunc(list, func(a, b TopEntry) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Key, b.Key))
	})
	return list[:min(len(list), topList)]
}

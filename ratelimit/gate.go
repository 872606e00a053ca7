package ratelimit

import "sync/atomic"

// The word of a place in a gate, from the highest bit on: whether it is being
// given to another key, how often it has been, and how many are in.
const (
	countBits = 24
	oneIn     = 1
	oneOwner  = 1 << countBits
	countMask = oneOwner - 1
	changing  = -1 << 63
)

// Gate counts, for each key, what is under way at once. It is bounded: keys
// that find no room share one count, so that a key which gets room in between
// may have twice its most. It may be used by many goroutines at once.
type Gate struct {
	capacity   int
	own        slots
	shared     slot
	overflowed atomic.Uint64
}

// NewGate returns a gate for as many keys under way as capacity says.
func NewGate(capacity int) *Gate {
	return &Gate{capacity: max(capacity, 1), own: newSlots(capacity)}
}

// Pass is what Enter gives and Leave takes. The zero value is good for nothing.
type Pass struct {
	slot  *slot
	owner int64 // of the slot, when it was given
}

// Enter lets one more in under key, unless most are in already. Of most,
// 16,777,215 count.
func (g *Gate) Enter(key uint64, most int64) (Pass, bool) {
	key, most = proper(key), min(most, countMask)
	if most <= 0 {
		return Pass{}, false
	}
	if s := g.own.find(key); s != nil {
		if p, entered, ok := s.enter(key, most); ok {
			return p, entered
		}
	}
	return g.enterSlowly(key, most)
}

// enterSlowly lets one in under a key that has no slot, or had none a moment
// ago; see Table.takeSlowly.
func (g *Gate) enterSlowly(key uint64, most int64) (Pass, bool) {
	part := g.own.part(key)
	part.mutex.Lock()
	defer part.mutex.Unlock()
	s := g.own.find(key)
	if s == nil {
		if s = g.own.take(key, change, isEmpty); s != nil {
			first := s.word.Load()&^changing | oneIn
			s.word.Store(first)
			return Pass{s, owner(first)}, true
		}
		g.overflowed.Add(1)
		s, key = &g.shared, 0
	}
	p, entered, _ := s.enter(key, most)
	return p, entered
}

// change marks an empty slot as given to its next owner.
func change(word int64) int64 { return (word + oneOwner) | changing }

func isEmpty(word int64) bool { return word&countMask == 0 }

// owner returns which of its owners in turn a slot has.
func owner(word int64) int64 { return word &^ changing &^ countMask }

// enter lets one in, or returns false at the end if s is no more the key's. The
// slot is still the key's when the word changes, for the word has the owner.
func (s *slot) enter(key uint64, most int64) (p Pass, entered, ok bool) {
	for {
		word := s.word.Load()
		switch {
		case word < 0 || s.key.Load() != key:
			return Pass{}, false, false
		case word&countMask >= most:
			return Pass{}, false, true
		case s.word.CompareAndSwap(word, word+oneIn):
			return Pass{s, owner(word)}, true, true
		}
	}
}

// Leave ends what Enter has let in. Each pass is good for one time.
func (g *Gate) Leave(p Pass) {
	if p.slot == nil {
		return
	}
	for {
		word := p.slot.word.Load()
		// A pass that is used again must not make a count wrong that is another's.
		if word < 0 || owner(word) != p.owner || isEmpty(word) || p.slot.word.CompareAndSwap(word, word-oneIn) {
			return
		}
	}
}

// GateStats is the state of a gate.
type GateStats struct {
	Capacity   int    // keys that it was made for; it has room for some more
	Live       int    // keys of which something is under way; counted by a walk
	UnderWay   int64  // what is under way in all
	Overflowed uint64 // attempts of keys that found no room
}

// Stats counts what is under way now. It reads the whole gate.
func (g *Gate) Stats() GateStats {
	stats := GateStats{
		Capacity: g.capacity, Overflowed: g.overflowed.Load(), UnderWay: g.shared.word.Load() & countMask,
	}
	for i := range g.own.groups {
		for j := range g.own.groups[i] {
			if n := g.own.groups[i][j].word.Load() & countMask; n > 0 {
				stats.Live++
				stats.UnderWay += n
			}
		}
	}
	return stats
}

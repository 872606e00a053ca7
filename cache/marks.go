package cache

import "sync/atomic"

// marks remember for any number of things, by a hash, the number of the last
// purge of each. They have a fixed size: two things may share a mark, and then a
// purge of one seems to be of both. Never is one forgotten. A thing has two marks
// and the older one counts, so that few purges seem to be of others.
type marks struct {
	mask  uint64
	words []mark
}

// mark holds the numbers of the last hard and soft purge.
type mark struct{ hard, soft atomic.Uint64 }

// set notes a purge of that number: one at a time.
func (m *mark) set(number uint64, soft bool) {
	if soft {
		m.soft.Store(number)
		return
	}
	m.hard.Store(number)
}

// since tells whether there was a purge after born.
func (m *mark) since(born uint64) (hard, soft bool) {
	return m.hard.Load() > born, m.soft.Load() > born
}

// newMarks makes n marks: a power of two.
func newMarks(n int64) marks { return marks{mask: uint64(n - 1), words: make([]mark, n)} }

// set notes a purge of that number, greater than any before. One at a time may.
func (m *marks) set(sum, number uint64, soft bool) {
	m.first(sum).set(number, soft)
	m.second(sum).set(number, soft)
}

// since tells whether there was a purge after born.
func (m *marks) since(sum, born uint64) (hard, soft bool) {
	one, other := m.first(sum), m.second(sum)
	return one.hard.Load() > born && other.hard.Load() > born, one.soft.Load() > born && other.soft.Load() > born
}

func (m *marks) first(sum uint64) *mark  { return &m.words[sum&m.mask] }
func (m *marks) second(sum uint64) *mark { return &m.words[(sum>>32|sum<<32)*mixer>>17&m.mask] }

// mixer spreads a hash anew: the odd number next to 2^64 divided by the golden ratio.
const mixer = 0x9e3779b97f4a7c15

package cache

import "sync/atomic"

// passCount is how many keys can be remembered: 128 KiB of words.
const passCount = 1 << 14

// passes remember for a while of which keys the answers were not for others. A
// word is a part of the key's hash and the second until which it holds; the
// newer key has the word. To forget one, or to take one key for another, only
// means that requests wait for one another, or do not.
type passes struct {
	last  atomic.Uint32 // the last second that any holds until
	words [passCount]atomic.Uint64
}

// mark remembers the key of that hash until then, in nanoseconds.
func (p *passes) mark(hash uint64, until int64) {
	second := uint32(until/1e9) + 1
	p.words[hash%passCount].Store(hash>>32<<32 | uint64(second))
	for last := p.last.Load(); last < second && !p.last.CompareAndSwap(last, second); last = p.last.Load() {
	}
}

// any tells whether a key may be remembered at all.
func (p *passes) any() bool { return p.last.Load() != 0 }

// has tells whether the key of that hash is remembered now.
func (p *passes) has(hash uint64, now int64) bool {
	word := p.words[hash%passCount].Load()
	return word>>32 == hash>>32 && int64(uint32(word))*1e9 > now
}

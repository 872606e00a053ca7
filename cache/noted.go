package cache

import "sync/atomic"

// noted remembers which URIs there may be something of: a Bloom filter of two
// bits each. The sweep makes a new one now and then.
type noted struct {
	mask uint64
	bits []atomic.Uint64
}

// newNoted makes one of n bits: a power of two, at least 64.
func newNoted(n int64) *noted { return &noted{mask: uint64(n - 1), bits: make([]atomic.Uint64, n/64)} }

// note remembers sum.
func (n *noted) note(sum uint64) {
	for _, bit := range n.bitsOf(sum) {
		if word := &n.bits[bit>>6]; word.Load()&(1<<(bit&63)) == 0 {
			word.Or(1 << (bit & 63))
		}
	}
}

// has tells whether sum may have been noted.
func (n *noted) has(sum uint64) bool {
	for _, bit := range n.bitsOf(sum) {
		if n.bits[bit>>6].Load()&(1<<(bit&63)) == 0 {
			return false
		}
	}
	return true
}

func (n *noted) bitsOf(sum uint64) [2]uint64 { return [2]uint64{sum & n.mask, sum >> 32 & n.mask} }

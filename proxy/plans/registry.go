package plans

import (
	"crypto/subtle"
	"encoding/binary"
	"maps"
	"sync/atomic"
)

// registry finds credentials by the digest of their value. It is read without
// locks; writers, of which there may be one at a time, replace a shelf of it.
type registry struct {
	shelves [256]atomic.Pointer[shelf]
	changes atomic.Uint64 // how often something was replaced
}

// shelf is immutable. It is keyed by the first bytes of digests: those of a
// keyed hash tell nothing, so how long a look-up takes tells nothing.
type shelf map[uint64]*credential

func (r *registry) shelf(d *digest) *atomic.Pointer[shelf] { return &r.shelves[d[0]] }

func (d *digest) slot() uint64 { return binary.LittleEndian.Uint64(d[1:]) }

// find returns nil where there is none.
func (r *registry) find(d *digest) *credential {
	on := r.shelf(d).Load()
	if on == nil {
		return nil
	}
	for c := (*on)[d.slot()]; c != nil; c = c.next {
		if subtle.ConstantTimeCompare(c.digest[:], d[:]) == 1 {
			return c
		}
	}
	return nil
}

// replace takes the old credentials out and puts the new ones in; each shelf is
// copied once.
func (r *registry) replace(old, new []*credential) {
	next := make(map[*atomic.Pointer[shelf]]shelf)
	on := func(c *credential) shelf {
		at := r.shelf(&c.digest)
		if next[at] == nil {
			if now := at.Load(); now != nil {
				next[at] = maps.Clone(*now)
			} else {
				next[at] = make(shelf)
			}
		}
		return next[at]
	}
	for _, c := range old {
		on(c).remove(c.digest)
	}
	for _, c := range new {
		s, slot := on(c), c.digest.slot()
		c.next, s[slot] = s[slot], c
	}
	for at, s := range next {
		at.Store(&s)
	}
	r.changes.Add(1)
}

// remove takes the credential with this digest out. What shares its slot, which
// two in 2^64 do, is copied: readers may be at the old ones.
func (s shelf) remove(d digest) {
	slot := d.slot()
	rest := s[slot]
	delete(s, slot)
	for ; rest != nil; rest = rest.next {
		if rest.digest != d {
			other := *rest
			other.next = s[slot]
			s[slot] = &other
		}
	}
}

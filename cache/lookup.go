package cache

import "bytes"

// Found is what a key leads to now.
type Found struct {
	// Entry is nil where there is none that may serve the request.
	Entry *Entry
	// Validate tells that it was purged softly or invalidated: it must not be used
	// before the upstream has said that it still holds.
	Validate bool
	// Pass tells that answers of the key were lately not for others.
	Pass bool
}

// Lookup returns what is stored for the key and may be selected by s: the newest,
// where that is more than one.
func (c *Cache) Lookup(k *Key, s Selector) Found {
	var found Found
	hash := c.hashOf(k)
	if slot := c.find(hash, k.full); slot != nil {
		for _, e := range slot.list() {
			if !k.selects(e, s) {
				continue
			}
			if gone, validate := c.check(e); !gone {
				found.Entry, found.Validate = e, validate
				break
			}
		}
	}
	k.found = found.Entry
	if c.passes.any() {
		found.Pass = c.passes.has(hash, c.Now())
	}
	return found
}

// hashOf returns the key's hash by the cache's secret seed.
func (c *Cache) hashOf(k *Key) uint64 {
	if !k.hashed {
		k.hash, k.hashed = c.hash(k.full), true
	}
	return k.hash
}

// find returns the slot of a key. A slot leaves recent once ristretto has it, so
// that what is not found here and then there is not anywhere.
func (c *Cache) find(hash uint64, full []byte) *slot {
	s := c.recent.find(hash, full)
	if kept, ok := c.kept.Get(hash); ok && s == nil && bytes.Equal(kept.full, full) {
		s = kept
	}
	return s
}

// What has become of an entry that purges concern which are no longer in the log.
const (
	fateValidate = 1 + iota
	fateGone
)

// check tells whether a purge concerns an entry. It costs a load or two where
// there was none since it was last asked.
func (c *Cache) check(e *Entry) (gone, validate bool) {
	p := e.place
	number := c.purges.number.Load()
	if state := p.state.Load(); state>>1 == number || number <= p.born {
		return false, state&1 != 0
	}
	gone, validate = c.purges.concern(p.address, p.tags, p.born)
	// After the log: who clears that has set the fate before.
	fate := p.fate.Load()
	if gone || fate == fateGone {
		return true, false
	}
	validate = validate || fate == fateValidate
	state := number << 1
	if validate {
		state |= 1
	}
	p.state.Store(state)
	return false, validate
}

package cache

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync/atomic"
)

// mostVariants is how many answers of one key are kept that differ by what Vary
// names: the newest. More would only be looked through at each hit.
const mostVariants = 16

// slot is what a key leads to: one for each key, as long as anything is kept of
// it. What is not atomic belongs to the lock of its part of recent.
type slot struct {
	address *address
	full    []byte // address.full, nearer
	// entries are the variants, the newest first. The list is not changed but
	// replaced.
	entries atomic.Pointer[variants]

	cost     int64 // what ristretto was told, 0 while it does not have the slot
	counted  int   // how many entries the counts hold of it
	isQueued bool  // whether the settler is to look at it
}

// variants are the entries of a slot. One alone lies beside the list of it, so
// that there is one step less to it.
type variants struct {
	list []*Entry
	one  [1]*Entry
}

func newSlot(a *address) *slot { return &slot{address: a, full: a.full} }

// list returns the variants.
func (s *slot) list() []*Entry {
	if v := s.entries.Load(); v != nil {
		return v.list
	}
	return nil
}

// setList replaces the variants.
func (s *slot) setList(list []*Entry) {
	v := &variants{list: list}
	if len(list) == 1 {
		v.one[0] = list[0]
		v.list = v.one[:]
	}
	s.entries.Store(v)
}

// with returns the list with e at its head, without the one in whose place it
// comes and without those that are too many.
func with(list []*Entry, e *Entry) []*Entry {
	next := make([]*Entry, 1, min(len(list)+1, mostVariants))
	next[0] = e
	for _, old := range list {
		if len(next) < mostVariants && !e.isSameVariant(old) {
			next = append(next, old)
		}
	}
	return next
}

// isSameVariant tells whether two entries of a key are selected by the same requests.
func (e *Entry) isSameVariant(other *Entry) bool {
	return bytes.Equal(e.place.selected, other.place.selected) && slices.Equal(e.Vary, other.Vary)
}

// selects tells whether e is selected by the request's fields.
func (k *Key) selects(e *Entry, s Selector) bool {
	if len(e.Vary) == 0 {
		return true
	}
	if s == nil {
		return false
	}
	k.selected = appendValues(k.selected[:0], e.Vary, s)
	return bytes.Equal(k.selected, e.place.selected)
}

// appendValues appends the values of names, each followed by its length: read
// from the end, they cannot run into each other.
func appendValues(dst []byte, names []string, s Selector) []byte {
	for _, name := range names {
		begin := len(dst)
		dst = s.AppendSelected(dst, name)
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(dst)-begin))
	}
	return dst
}

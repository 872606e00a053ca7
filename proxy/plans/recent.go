package plans

import (
	"crypto/rand"
	"encoding/binary"
	"sync/atomic"

	"github.com/dchest/siphash"
)

// recentValues is how many values are remembered. Few callers make most of the
// requests of a moment.
const recentValues = 4096

// recent remembers which credential a value led to lately, for a quarter of
// what its digest costs. It keeps no value either: a value is known by SipHash
// of 128 bits, a pseudorandom function, under a secret of the process that
// nobody sees the output of. It is used without locks.
type recent struct {
	secret [2]uint64
	slots  [recentValues]remembered
}

// remembered is one value: what it says holds while nothing was changed in the
// registry, and where turn is even and did not move during the reading.
type remembered struct {
	turn, first, second, changes atomic.Uint64
	credential                   atomic.Pointer[credential]
}

func (m *remembered) get(tag [2]uint64, changes uint64) *credential {
	turn := m.turn.Load()
	different := m.first.Load() ^ tag[0] | m.second.Load() ^ tag[1] | m.changes.Load() ^ changes
	c := m.credential.Load()
	if different != 0 || turn&1 != 0 || m.turn.Load() != turn {
		return nil
	}
	return c
}

// put gives way to who is putting something there already.
func (m *remembered) put(tag [2]uint64, changes uint64, c *credential) {
	turn := m.turn.Load()
	if turn&1 != 0 || !m.turn.CompareAndSwap(turn, turn+1) {
		return
	}
	m.first.Store(tag[0])
	m.second.Store(tag[1])
	m.changes.Store(changes)
	m.credential.Store(c)
	m.turn.Store(turn + 2)
}

func (r *recent) init() {
	var random [16]byte
	rand.Read(random[:]) // which never fails
	r.secret = [2]uint64{binary.LittleEndian.Uint64(random[:8]), binary.LittleEndian.Uint64(random[8:])}
}

func (r *recent) tag(value []byte) (tag [2]uint64) {
	tag[0], tag[1] = siphash.Hash128(r.secret[0], r.secret[1], value)
	return tag
}

// credential finds the credential of a value, nil where there is none.
func (s *Store) credential(value []byte) *credential {
	changes := s.credentials.changes.Load() // before the look-up: what changes meanwhile is not remembered as known
	tag := s.recent.tag(value)
	slot := &s.recent.slots[tag[0]%recentValues]
	if c := slot.get(tag, changes); c != nil {
		return c
	}
	d := s.secret.digest(value)
	c := s.credentials.find(&d)
	if c != nil { // strangers must not push callers out
		slot.put(tag, changes, c)
	}
	return c
}

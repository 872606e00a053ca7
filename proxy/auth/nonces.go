package auth

import (
	"encoding/binary"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// Nonces remembers which nonces were used, each for at least the window it was
// made for. It is bounded: where it is full, further ones are refused. It may
// be used by many goroutines at once and outlives documents.
//
// It is no ratelimit.Table: a key that finds no room there shares a bucket and
// leaves no trace, so that its second use would pass as soon as there is room.
type Nonces struct {
	seed   maphash.Seed
	window time.Duration
	most   int // in each generation of each shard
	shards [nonceShards]nonceShard
	full   atomic.Uint64
}

const nonceShards = 16

// nonceShard holds two generations. A turn forgets the older one; no signature
// is accepted that could be one of those forgotten.
type nonceShard struct {
	mutex        sync.Mutex
	turned       time.Time
	fresh, stale generation
	floor        int64 // latest creation of what is forgotten, in Unix seconds
	any          bool  // something is forgotten
	_            [64]byte
}

type generation struct {
	used   map[uint64]struct{}
	latest int64 // creation, in Unix seconds
}

// NewNonces returns a memory for capacity nonces a window, which should be the
// longest Window of the rules that use it. A shorter one lets no replay through,
// but refuses some that are old and honest.
func NewNonces(capacity int, window time.Duration) (*Nonces, error) {
	if capacity < nonceShards || window <= 0 {
		return nil, errors.New("cannot remember nonces: the capacity is below 16 or the window is not above 0")
	}
	n := &Nonces{seed: maphash.MakeSeed(), window: window + time.Second, most: capacity / nonceShards}
	for i := range n.shards {
		s := &n.shards[i]
		s.fresh.used, s.stale.used = make(map[uint64]struct{}), make(map[uint64]struct{})
	}
	return n, nil
}

// appendIdentity appends what a nonce is remembered by: the key's id and itself.
func appendIdentity(dst, keyID, nonce []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(keyID)))
	return append(append(dst, keyID...), nonce...)
}

// use notes a nonce by its identity, once the signature holds, or tells why it
// may not be used. Created is the signature's, in Unix seconds.
func (n *Nonces) use(identity []byte, created int64, now time.Time) *Reason {
	key := maphash.Bytes(n.seed, identity)
	s := &n.shards[key%nonceShards]
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.turn(now, n.window)
	if s.fresh.has(key) || s.stale.has(key) {
		return replayed
	}
	if s.any && created <= s.floor {
		return expired // whether it was used is forgotten
	}
	if len(s.fresh.used) >= n.most {
		n.full.Add(1)
		return noncesFull
	}
	if len(s.fresh.used) == 0 || created > s.fresh.latest {
		s.fresh.latest = created
	}
	s.fresh.used[key] = struct{}{}
	return nil
}

func (g *generation) has(key uint64) bool {
	_, ok := g.used[key]
	return ok
}

// turn forgets the older generation once the newer one has lasted for window.
// The clock is the monotonic one: steps of the other forget nothing too early.
func (s *nonceShard) turn(now time.Time, window time.Duration) {
	if s.turned.IsZero() {
		s.turned = now
	}
	lasted := now.Sub(s.turned)
	if lasted < window {
		return
	}
	turns := 1
	if lasted >= 2*window {
		turns = 2
	}
	for range turns {
		if len(s.stale.used) > 0 && (!s.any || s.stale.latest > s.floor) {
			s.floor, s.any = s.stale.latest, true
		}
		clear(s.stale.used)
		s.fresh, s.stale = s.stale, s.fresh
	}
	s.turned = now
}

// NoncesStats is the state of a memory of nonces.
type NoncesStats struct {
	Capacity int    // nonces in a window that there is room for
	Held     int    // nonces that are remembered, of up to two windows
	Full     uint64 // signatures refused for want of room
}

// Stats counts what is remembered now.
func (n *Nonces) Stats() NoncesStats {
	out := NoncesStats{Capacity: n.most * nonceShards, Full: n.full.Load()}
	for i := range n.shards {
		s := &n.shards[i]
		s.mutex.Lock()
		out.Held += len(s.fresh.used) + len(s.stale.used)
		s.mutex.Unlock()
	}
	return out
}

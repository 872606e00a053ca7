// Package balance chooses the target of an upstream that a request goes to.
package balance

import (
	"sync/atomic"

	"weir/proxy/upstream"
)

// LeastLoaded chooses the target with the fewest requests in flight; every
// other policy takes the targets in turn.
const LeastLoaded = "leastLoaded"

// turns is how many counters share the shards: more than machines have cores
// that serve one listener each.
const turns = 64

// Balancer chooses among fixed targets. It is safe for concurrent use; shards
// do not touch each other's memory.
type Balancer struct {
	targets []*upstream.Target
	loaded  bool
	turns   [turns]turn
}

// turn counts the choices of one shard, alone in its cache line.
type turn struct {
	n atomic.Uint64
	_ [56]byte
}

// New returns a balancer over targets, of which there must be one at least.
func New(policy string, targets []*upstream.Target) *Balancer {
	if len(targets) == 0 {
		panic("BUG: an upstream without targets")
	}
	b := &Balancer{targets: targets, loaded: policy == LeastLoaded}
	for i := range b.turns {
		// Shards begin at different targets, so that a few requests on each do
		// not all meet the first.
		b.turns[i].n.Store(uint64(i))
	}
	return b
}

// Pick returns the target for the next request of a shard, but not tried,
// which has just failed; nil for none. It returns nil if no other is left.
func (b *Balancer) Pick(shard int, tried *upstream.Target) *upstream.Target {
	if len(b.targets) == 1 {
		if b.targets[0] == tried {
			return nil
		}
		return b.targets[0]
	}
	from := b.turns[uint(shard)%turns].n.Add(1) - 1
	if b.loaded {
		return b.idlest(from, tried)
	}
	return b.next(from, tried)
}

// next returns the target whose turn it is.
func (b *Balancer) next(from uint64, tried *upstream.Target) *upstream.Target {
	n := uint64(len(b.targets))
	for i := range n {
		if t := b.targets[(from+i)%n]; t != tried {
			return t
		}
	}
	return nil
}

// idlest returns the target with the fewest requests in flight. The search
// begins at another target each time, so that equals take turns.
func (b *Balancer) idlest(from uint64, tried *upstream.Target) *upstream.Target {
	n := uint64(len(b.targets))
	var best *upstream.Target
	least := int64(0)
	for i := range n {
		t := b.targets[(from+i)%n]
		if t == tried {
			continue
		}
		if load := t.InFlight(); best == nil || load < least {
			best, least = t, load
		}
	}
	return best
}

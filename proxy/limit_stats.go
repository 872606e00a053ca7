package proxy

import (
	"fmt"
	"sync/atomic"

	"weir/ratelimit"
	"weir/ratelimit/shared"
)

// outcome is what a limit has decided.
type outcome uint8

const (
	passed outcome = iota
	delayed
	refused
	wouldDelay
	wouldRefuse
	outcomes
)

func (o outcome) String() string {
	return [...]string{"allowed", "delayed", "refused", "would_delay", "would_refuse"}[o]
}

// limitStats counts the decisions of all limits of one name. It lives as long
// as documents name it; all methods may be called at once.
type limitStats struct {
	name  string
	cells []limitCell   // one a shard
	top   ratelimit.Top // keys that were refused most
}

// limitCell is one shard's part, alone in its cache lines.
type limitCell struct {
	counts [outcomes]atomic.Uint64
	shared [shared.Refused + 1]atomic.Uint64
	_      [64]byte
}

func newLimitStats(name string, shards int) *limitStats {
	return &limitStats{name: name, cells: make([]limitCell, shards)}
}

func (s *limitStats) count(shard int, o outcome) {
	if uint(shard) >= uint(len(s.cells)) {
		shard = 0
	}
	s.cells[shard].counts[o].Add(1)
}

func (s *limitStats) total(o outcome) (n uint64) {
	for i := range s.cells {
		n += s.cells[i].counts[o].Load()
	}
	return n
}

func (s *limitStats) countShared(shard int, by shared.Outcome) {
	if uint(shard) >= uint(len(s.cells)) {
		shard = 0
	}
	s.cells[shard].shared[by].Add(1)
}

// eachShared calls f with each way in which shared decisions were made.
func (s *limitStats) eachShared(f func(by shared.Outcome, n uint64)) {
	for by := range shared.Refused + 1 {
		var n uint64
		for i := range s.cells {
			n += s.cells[i].shared[by].Load()
		}
		if n > 0 {
			f(by, n)
		}
	}
}

// topShown is how many of the keys that were refused most are shown.
const topShown = 10

// eachTop calls f with the keys that were refused most, as explanations write
// them, and with how often at least.
func (s *limitStats) eachTop(f func(key string, n uint64)) {
	list := s.top.List()
	for _, e := range list[:min(len(list), topShown)] {
		f(keyText(e.Key), uint64(e.Count))
	}
}

// keyText writes a key of the table: a hash with a secret of the process.
func keyText(key uint64) string { return fmt.Sprintf("%016x", key) }

package ratelimit

import "sync"

// Gate counts, for each key, what is under way at once. It is bounded: where
// it is full, keys without room share one count. It may be used by many
// goroutines at once.
type Gate struct {
	mutex  sync.Mutex
	counts map[uint64]int64
}

// NewGate returns a gate for as many keys under way as capacity says.
func NewGate(capacity int) *Gate { return &Gate{counts: make(map[uint64]int64)} }

// Pass is what Enter gives and Leave takes.
type Pass struct{ key uint64 }

// Enter lets one more in under key, unless most are in already.
func (g *Gate) Enter(key uint64, most int64) (Pass, bool) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.counts[key] >= most {
		return Pass{}, false
	}
	g.counts[key]++
	return Pass{key}, true
}

// Leave ends what Enter has let in; each pass is good for one time.
func (g *Gate) Leave(p Pass) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.counts[p.key]--; g.counts[p.key] == 0 {
		delete(g.counts, p.key)
	}
}

package proxy

import (
	"sync"
	"sync/atomic"

	"weir/proxy/auth"
	"weir/ratelimit"
)

// limiters is what limits count in, which outlives documents: it is found by
// stable names, so that a reload resets nothing.
type limiters struct {
	clock *ratelimit.Clock
	wall  wall
	keys  int // that tables have room for
	shard int // how many there are

	nonceRoom int

	waiting   atomic.Int64 // requests that are held back
	waitLimit int64
	drained   chan struct{} // closed when the gateway drains

	mutex   sync.Mutex // guards what follows; requests take none of it
	table   *ratelimit.Table
	gate    *ratelimit.Gate
	buckets map[string]*ratelimit.Bucket
	stats   map[string]*limitStats
	nonces  *auth.Nonces
	redis   redis   // of the document that is served
	opened  []redis // of one that is being compiled
}

func newLimiters(options Options) *limiters {
	return &limiters{
		clock: ratelimit.NewClock(), keys: options.LimitKeys, shard: options.Shards, nonceRoom: options.LimitNonces,
		waitLimit: int64(options.LimitDelayed), drained: make(chan struct{}),
		buckets: make(map[string]*ratelimit.Bucket), stats: make(map[string]*limitStats),
	}
}

// tables returns what keys are found in, which is made when first needed.
func (l *limiters) tables() (*ratelimit.Table, *ratelimit.Gate) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.table == nil {
		l.table, l.gate = ratelimit.NewTable(l.keys), ratelimit.NewGate(l.keys)
	}
	return l.table, l.gate
}

// bucket finds or makes the bucket of that name.
func (l *limiters) bucket(name string) *ratelimit.Bucket {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.buckets[name] == nil {
		l.buckets[name] = new(ratelimit.Bucket)
	}
	return l.buckets[name]
}

// statsOf finds or makes the counters of that name.
func (l *limiters) statsOf(name string) *limitStats {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.stats[name] == nil {
		l.stats[name] = newLimitStats(name, l.shard)
	}
	return l.stats[name]
}

// retain forgets the buckets and counters that c does not name.
func (l *limiters) retain(c *compiled) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for name := range l.buckets {
		if !c.buckets[name] {
			delete(l.buckets, name)
		}
	}
	for name := range l.stats {
		if !c.limitStats[name] {
			delete(l.stats, name)
		}
	}
}

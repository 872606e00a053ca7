package observe

import "sync/atomic"

// RouteStats counts the requests of one route of one stage. It comes from
// [Metrics.Route]; all methods may be called at once.
type RouteStats struct {
	api, stage, route string
	cells             []atomic.Pointer[routeCell] // one a shard, nil until its first request
	calls             atomic.Pointer[[]callCell]  // one a shard, nil until the first gRPC call
	cached            atomic.Pointer[[]cacheCell] // one a shard, nil until a request meets a cache
}

// routeCell is one shard's part. It is an allocation of its own, padded, so that
// no two shards write to one cache line.
type routeCell struct {
	requests [methodCount][classCount]atomic.Uint64
	took     histogram
	bytesIn  atomic.Uint64
	bytesOut atomic.Uint64
	_        [64]byte
}

// Observe counts r. It allocates nothing but the shard's counters at the shard's
// first request.
func (s *RouteStats) Observe(r *Record) {
	c := s.cell(r.Shard)
	c.requests[methodOf(r.Method)][classOf(r.Status)].Add(1)
	c.took.observe(r.Took)
	if r.BytesIn > 0 {
		c.bytesIn.Add(uint64(r.BytesIn))
	}
	if r.BytesOut > 0 {
		c.bytesOut.Add(uint64(r.BytesOut))
	}
}

func (s *RouteStats) cell(shard int) *routeCell {
	if uint(shard) >= uint(len(s.cells)) {
		shard = 0
	}
	if c := s.cells[shard].Load(); c != nil {
		return c
	}
	s.cells[shard].CompareAndSwap(nil, new(routeCell))
	return s.cells[shard].Load()
}

type routeTotals struct {
	requests          [methodCount][classCount]uint64
	took              tally
	bytesIn, bytesOut uint64
}

// totals adds up the shards; it reports false for a route that nobody called.
func (s *RouteStats) totals(t *routeTotals) bool {
	*t = routeTotals{}
	used := false
	for i := range s.cells {
		c := s.cells[i].Load()
		if c == nil {
			continue
		}
		used = true
		for m := range c.requests {
			for k := range c.requests[m] {
				t.requests[m][k] += c.requests[m][k].Load()
			}
		}
		t.took.add(&c.took)
		t.bytesIn += c.bytesIn.Load()
		t.bytesOut += c.bytesOut.Load()
	}
	return used
}

package observe

import "sync/atomic"

// CacheResult is what the response cache did for a request. The zero value is
// a request that met no cache.
type CacheResult uint8

// The results.
const (
	NoCache          CacheResult = iota
	CacheHit                     // a stored answer, fresh
	CacheStale                   // a stored answer past its time, as the rules allow
	CacheRevalidated             // a stored answer, after the upstream said that it holds
	CacheCollapsed               // an answer that was fetched for another request
	CacheMiss                    // fetched
	CacheBypass                  // fetched past the cache
	CacheRefreshed               // stored, while a newer one is fetched in the background
	cacheResults
)

// String names the result as the log and the metrics do; "" without a cache.
func (c CacheResult) String() string {
	switch c {
	case CacheHit:
		return "hit"
	case CacheStale:
		return "stale"
	case CacheRevalidated:
		return "revalidated"
	case CacheCollapsed:
		return "collapsed"
	case CacheMiss:
		return "miss"
	case CacheBypass:
		return "bypass"
	case CacheRefreshed:
		return "refreshed_in_background"
	}
	return ""
}

// isStored tells whether the answer came out of the cache.
func (c CacheResult) isStored() bool {
	switch c {
	case CacheHit, CacheStale, CacheRevalidated, CacheRefreshed:
		return true
	}
	return false
}

// cacheCell is one shard's part of what the cache did in a stage.
type cacheCell struct {
	results [cacheResults]atomic.Uint64
	bytes   atomic.Uint64 // of bodies that came out of the cache
	_       [56]byte
}

// ObserveCache counts what the cache did for a request of a stage, whose own
// counters s are: those without a route. It allocates at the first one only.
func (s *RouteStats) ObserveCache(r *Record) {
	if r.CacheResult == NoCache || r.CacheResult >= cacheResults {
		return
	}
	cells := s.cached.Load()
	if cells == nil {
		made := make([]cacheCell, len(s.cells))
		s.cached.CompareAndSwap(nil, &made)
		cells = s.cached.Load()
	}
	shard := r.Shard
	if uint(shard) >= uint(len(*cells)) {
		shard = 0
	}
	c := &(*cells)[shard]
	c.results[r.CacheResult].Add(1)
	if r.BytesOut > 0 && r.CacheResult.isStored() {
		c.bytes.Add(uint64(r.BytesOut))
	}
}

// cacheTotals adds up the shards; it reports false for a stage without a cache.
func (s *RouteStats) cacheTotals(results *[cacheResults]uint64) (bytes uint64, used bool) {
	cells := s.cached.Load()
	if cells == nil {
		return 0, false
	}
	for i := range *cells {
		for result := range results {
			results[result] += (*cells)[i].results[result].Load()
		}
		bytes += (*cells)[i].bytes.Load()
	}
	return bytes, true
}

// cache sends what the cache did in a stage.
func (c *collector) cache(s *RouteStats) {
	var results [cacheResults]uint64
	bytes, used := s.cacheTotals(&results)
	if !used {
		return
	}
	for result, n := range results {
		c.count(c.families.cacheRequests, n, s.api, s.stage, CacheResult(result).String())
	}
	c.count(c.families.cacheBytes, bytes, s.api, s.stage)
}

// CacheResults returns how often the cache did what, by "api/stage".
func (m *Metrics) CacheResults() map[string]map[string]uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	out := make(map[string]map[string]uint64)
	for name, s := range m.routes {
		var results [cacheResults]uint64
		if _, used := s.cacheTotals(&results); !used {
			continue
		}
		counts := make(map[string]uint64)
		for result, n := range results {
			if n > 0 {
				counts[CacheResult(result).String()] = n
			}
		}
		out[name.api+"/"+name.stage] = counts
	}
	return out
}

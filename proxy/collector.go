package proxy

import (
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"time"
)

// Bounds of how far the heap may grow, in percent of what is alive, before it
// is collected again. The lower one is Go's own.
const (
	smallestGrowth = 100
	largestGrowth  = 400
)

// CacheMemory is the part of the heap that has a size of its own.
type CacheMemory struct {
	Size int64        // that it may have
	Used func() int64 // that it has
}

// TuneCollector lets a small heap grow further between two collections than Go
// does by itself, until floor bytes: a TLS handshake leaves much garbage and
// keeps little, and collecting at every few megabytes is 6 % of its cost. A cache
// may not double as other memory may: it has a limit. It is for the whole process;
// the function that it returns takes it back. A floor of 0, or GOGC in the
// environment, leaves the collector alone, and GOMEMLIMIT the limit.
func TuneCollector(floor int64, c CacheMemory) (stop func()) {
	if floor <= 0 || os.Getenv("GOGC") != "" {
		return func() {}
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		c.Size = 0
	}
	t := tuner{floor: floor, cache: c, growth: smallestGrowth, limit: math.MaxInt64}
	growth, limit := debug.SetGCPercent(smallestGrowth), debug.SetMemoryLimit(-1)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			t.tune()
			select {
			case <-quit:
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		close(quit)
		<-done
		debug.SetGCPercent(growth)
		debug.SetMemoryLimit(limit)
	}
}

// tuner is what TuneCollector has set.
type tuner struct {
	floor  int64
	cache  CacheMemory
	growth int
	limit  int64
	others [4]int64 // what there was beside the cache, in the last seconds
	at     int
}

// tune sets what is right now. A change stops the world for a moment, so there is
// none for a little.
func (t *tuner) tune() {
	sample := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"}, {Name: "/memory/classes/metadata/other:bytes"}, {Name: "/memory/classes/other:bytes"},
	}
	metrics.Read(sample)
	live, beside := int64(sample[0].Value.Uint64()), int64(0)
	for _, s := range sample[1:] {
		beside += int64(s.Value.Uint64())
	}
	if next := growthFor(live, t.floor); next > t.growth+20 || next < t.growth-20 || next == smallestGrowth && t.growth != next {
		debug.SetGCPercent(next)
		t.growth = next
	}
	if t.cache.Size <= 0 {
		return
	}
	// The least of them is nearest to the truth: what is made while garbage is
	// looked for counts as alive, and the more is made, the more that is.
	t.others[t.at%len(t.others)] = max(live-t.cache.Used(), 0) + beside
	t.at++
	next := limitFor(slices.Min(t.others[:min(t.at, len(t.others))]), t.floor, t.cache.Size)
	if next > t.limit+t.limit/64 || next < t.limit-t.limit/64 {
		debug.SetMemoryLimit(next)
		t.limit = next
	}
}

// growthFor returns by how many percent a heap with so much alive may grow.
func growthFor(live, floor int64) int {
	if live <= 0 {
		return largestGrowth
	}
	return int(min(max(floor*100/live, smallestGrowth), largestGrowth))
}

// limitFor returns how much memory there may be with a cache of that size and so
// much beside it. Of the cache's size an eighth, and a thirty-second above it, are
// for garbage, for gaps, and for what is beside it as long as that is little. What
// is more may double.
func limitFor(others, floor, size int64) int64 {
	return max(2*floor, size+size/32) + 2*max(others-max(floor/2, size/16), 0)
}

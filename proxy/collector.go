package proxy

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Bounds of how far the heap may grow, in percent of what is alive, before it
// is collected again. The lower one is Go's own.
const (
	smallestGrowth = 100
	largestGrowth  = 400
)

// TuneCollector lets a small heap grow further between two collections than Go
// does by itself, until floor bytes: a TLS handshake leaves much garbage and
// keeps little, and collecting at every few megabytes is 6 % of its cost. It is
// for the whole process; the function that it returns takes it back. A floor of
// 0, or GOGC in the environment, leaves the collector alone.
func TuneCollector(floor int64) (stop func()) {
	if floor <= 0 || os.Getenv("GOGC") != "" {
		return func() {}
	}
	quit, done := make(chan struct{}), make(chan struct{})
	before := debug.SetGCPercent(smallestGrowth)
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		now := smallestGrowth
		for {
			metrics.Read(sample)
			// A change stops the world for a moment: not for a little.
			if next := growthFor(sample[0].Value.Uint64(), floor); next > now+20 || next < now-20 || next == smallestGrowth && now != next {
				debug.SetGCPercent(next)
				now = next
			}
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
		debug.SetGCPercent(before)
	}
}

// growthFor returns by how many percent a heap with so much alive may grow.
func growthFor(live uint64, floor int64) int {
	if live == 0 {
		return largestGrowth
	}
	return int(min(max(uint64(floor)*100/live, smallestGrowth), largestGrowth))
}

package cache

import (
	"fmt"
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// Config tunes a cache.
type Config struct {
	Size int64 // bytes of memory that entries may take, as the process's RSS sees them
}

// smallestSize is what a cache takes at least: below it is little but tables.
const smallestSize = 1 << 20

// garbage is which part of the size is left to what the collector has not found
// yet: one of 8. A process that wants to keep to the size has to collect as often.
const garbage = 8

// Cache keeps answers. New makes it; everything but Close may be called at once.
type Cache struct {
	began  time.Time
	hash   func([]byte) uint64 // by a secret seed
	kept   *ristretto.Cache[uint64, *slot]
	recent recent
	purges *purges
	passes *passes
	fills  fills
	counts counts
	size   int64
	room   int64 // bytes of it for slots

	// moving is held while slots move between recent and kept: who holds it finds
	// all there are.
	moving   sync.Mutex
	sweeper  sweeper
	isClosed atomic.Bool
	ending   chan struct{}
	ended    sync.WaitGroup
}

// New makes a cache. Close ends its goroutines.
func New(config Config) (*Cache, error) {
	if config.Size < smallestSize {
		return nil, fmt.Errorf("cannot make cache of %d bytes: it takes %d at least", config.Size, smallestSize)
	}
	seed := maphash.MakeSeed()
	c := &Cache{
		began:   time.Now(),
		hash:    func(b []byte) uint64 { return maphash.Bytes(seed, b) },
		recent:  recent{signal: make(chan struct{}, 1)},
		purges:  newPurges(config.Size),
		passes:  new(passes),
		size:    config.Size,
		room:    config.Size - config.Size/garbage - fixedCost(config.Size),
		sweeper: newSweeper(),
		ending:  make(chan struct{}),
	}
	kept, err := ristretto.NewCache(&ristretto.Config[uint64, *slot]{
		NumCounters: counters(config.Size), MaxCost: c.room, BufferItems: 64, IgnoreInternalCost: true, OnEvict: c.evicted,
	})
	if err != nil {
		return nil, fmt.Errorf("cannot make cache: %w", err)
	}
	c.kept = kept
	c.ended.Add(2)
	go c.settle()
	go c.sweep()
	return c, nil
}

// Close ends the cache. Nothing else may be called at once with it or after it.
func (c *Cache) Close() {
	c.isClosed.Store(true)
	close(c.ending)
	c.ended.Wait()
	c.kept.Close()
}

// Now returns the time by the cache's clock, which no change of the wall clock
// moves: nanoseconds since New.
func (c *Cache) Now() int64 { return int64(time.Since(c.began)) }

// counts are what has been done.
type counts struct {
	entries                                    atomic.Int64
	stored, evicted, rejected, purged, expired atomic.Uint64
}

// Stats is what a cache holds and has done.
type Stats struct {
	Entries, Bytes int64
	// Stored are those that were put in, Evicted those that had to make room,
	// Rejected those that were not asked for often enough to be kept, Purged and
	// Expired those that were taken out because they were of no more use.
	Stored, Evicted, Rejected, Purged, Expired uint64

	Fills, Waiting int64 // under way, and who waits for those that others lead
}

// Stats returns the counts.
func (c *Cache) Stats() Stats {
	return Stats{
		Entries: c.counts.entries.Load(), Bytes: c.room - c.kept.RemainingCost(),
		Stored: c.counts.stored.Load(), Evicted: c.counts.evicted.Load(), Rejected: c.counts.rejected.Load(),
		Purged: c.counts.purged.Load(), Expired: c.counts.expired.Load(),
		Fills: c.fills.count(), Waiting: c.fills.waiting(),
	}
}

// counters returns of how many keys ristretto counts the uses: twenty for each that
// there would be room for at 4 KiB each.
func counters(size int64) int64 { return min(max(size/4096*20, 1<<14), 1<<28) }

// fixedCost returns the bytes of memory that a cache takes without any entry.
func fixedCost(size int64) int64 {
	sketch := powerOfTwo(counters(size)) * 2
	door := powerOfTwo(counters(size)*10) / 8
	marks := (uriMarks(size) + nameMarks(size)) * 16
	return sketch + door + marks + 2*notedBits(size)/8 + passCount*8
}

// powerOfTwo returns n rounded up to a power of two.
func powerOfTwo(n int64) int64 { return 1 << bits.Len64(uint64(max(n, 1)-1)) }

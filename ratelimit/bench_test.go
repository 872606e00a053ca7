package ratelimit

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	xrate "golang.org/x/time/rate"
)

// million is how many keys the benchmarks hold at once.
const million = 1_000_000

// keySet returns n keys in an order that no cache foresees.
func keySet(n int) []uint64 {
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = rand.Uint64()
	}
	return keys
}

// limiter is one way to keep a limit for each key.
type limiter interface {
	allow(key uint64, now int64) bool
}

type tableLimiter struct {
	table *Table
	rate  Rate
}

func (l tableLimiter) allow(key uint64, now int64) bool {
	return l.table.Take(key, now, l.rate, 0).Allowed
}

// mapLimiter is golang.org/x/time/rate in a map, as most programs have it.
type mapLimiter struct {
	mutex    sync.Mutex
	limiters map[uint64]*xrate.Limiter
	start    time.Time
}

func (l *mapLimiter) allow(key uint64, now int64) bool {
	l.mutex.Lock()
	one := l.limiters[key]
	if one == nil {
		one = xrate.NewLimiter(benchPerSecond, benchBurst)
		l.limiters[key] = one
	}
	l.mutex.Unlock()
	return one.AllowN(l.start.Add(time.Duration(now)), 1)
}

type syncMapLimiter struct {
	limiters sync.Map
	start    time.Time
}

func (l *syncMapLimiter) allow(key uint64, now int64) bool {
	one, ok := l.limiters.Load(key)
	if !ok {
		one, _ = l.limiters.LoadOrStore(key, xrate.NewLimiter(benchPerSecond, benchBurst))
	}
	return one.(*xrate.Limiter).AllowN(l.start.Add(time.Duration(now)), 1)
}

// The rate of the benchmarks: a bucket that was used once stays in use.
const (
	benchPerSecond = 1
	benchBurst     = MaxBurst
)

func newLimiters(b *testing.B) map[string]func() limiter {
	r := rate(b, benchPerSecond, benchBurst)
	start := time.Now()
	return map[string]func() limiter{
		"table":   func() limiter { return tableLimiter{NewTable(million), r} },
		"syncmap": func() limiter { return &syncMapLimiter{start: start} },
		"map":     func() limiter { return &mapLimiter{limiters: make(map[uint64]*xrate.Limiter), start: start} },
	}
}

// BenchmarkTake shows one check with the key and the time at hand: of one key,
// of 512 in a table that holds a million, and of all of the million, beside
// what the memory of a million slots costs by itself: memory/1M changes a word
// of each of as many cache lines, memory/1M/chained waits for one before the next.
func BenchmarkTake(b *testing.B) {
	keys := keySet(million)
	table := newLimiters(b)["table"]().(tableLimiter)
	for _, key := range keys {
		table.allow(key, 1)
	}
	for _, of := range []struct {
		name string
		n    int
	}{{"hot", 1}, {"512", 512}, {"1M", million}} {
		b.Run(of.name, func(b *testing.B) {
			b.ReportAllocs()
			now, i := int64(2), 0
			for b.Loop() {
				table.allow(keys[i], now)
				now++
				if i++; i == of.n {
					i = 0
				}
			}
		})
	}
	b.Run("alone", func(b *testing.B) {
		one := tableLimiter{NewTable(1), table.rate}
		now := int64(2)
		for b.Loop() {
			one.allow(keys[0], now)
			now++
		}
	})
	b.Run("refused", func(b *testing.B) {
		r, now := rate(b, 1, 1), int64(2)
		for b.Loop() {
			table.table.Take(keys[0], now, r, 0)
		}
	})
	b.Run("bucket", func(b *testing.B) {
		var one Bucket
		now := int64(2)
		for b.Loop() {
			one.Take(now, table.rate, 0)
			now++
		}
	})
	b.Run("memory/1M", func(b *testing.B) {
		words := make([]atomic.Int64, 1<<22)
		for i := range words {
			words[i].Store(1)
		}
		i := 0
		for b.Loop() {
			at := &words[keys[i]>>42]
			at.CompareAndSwap(at.Load(), int64(i))
			if i++; i == million {
				i = 0
			}
		}
	})
	b.Run("memory/1M/chained", func(b *testing.B) {
		words := make([]uint64, 1<<22)
		for i := range words {
			words[i] = rand.Uint64N(uint64(len(words)))
		}
		at := uint64(0)
		for i := uint64(0); b.Loop(); i++ {
			at = (words[at] + i) & (1<<22 - 1)
		}
		sink = at
	})
	b.Run("1M/chained", func(b *testing.B) {
		now, i := int64(2), 0
		for b.Loop() {
			d := table.table.Take(keys[i], now, table.rate, 0)
			now++
			// The next key is known only once this one is decided.
			if i += 1 + int(d.Remaining>>62); i == million {
				i = 0
			}
		}
	})
}

// BenchmarkOthers shows what counts beside the buckets: one in and out of a
// gate, one of a quota, one key refused.
func BenchmarkOthers(b *testing.B) {
	keys := keySet(million)
	b.Run("key", func(b *testing.B) {
		table, identity := NewTable(1), []byte("plan\x00203.0.113.7")
		for b.Loop() {
			sink = table.Key(identity)
		}
	})
	for _, of := range []struct {
		name string
		n    int
	}{{"gate/hot", 1}, {"gate/1M", million}} {
		b.Run(of.name, func(b *testing.B) {
			b.ReportAllocs()
			gate, i := NewGate(of.n), 0
			for b.Loop() {
				p, _ := gate.Enter(keys[i], 10)
				gate.Leave(p)
				if i++; i == of.n {
					i = 0
				}
			}
		})
	}
	for _, period := range []Period{Day, Week, Month} {
		b.Run("usage/"+period.String(), func(b *testing.B) {
			var u Usage
			now, q := time.Now(), Quota{Limit: mostUsed, Period: period}
			for b.Loop() {
				u.Take(now, q)
			}
		})
	}
	b.Run("top/hot", func(b *testing.B) {
		var top Top
		for b.Loop() {
			top.Observe(keys[0])
		}
	})
	b.Run("top/1M", func(b *testing.B) {
		var top Top
		i := 0
		for b.Loop() {
			top.Observe(keys[i])
			if i++; i == million {
				i = 0
			}
		}
	})
	b.Run("top/parallel", func(b *testing.B) {
		var top Top
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				top.Observe(keys[0])
			}
		})
	})
	b.Run("full", func(b *testing.B) {
		table, r := NewTable(1), rate(b, 1, 10)
		for i := range uint64(100) {
			table.Take(i, 1, r, 0)
		}
		for i := uint64(100); b.Loop(); i++ {
			table.Take(i, 1, r, 0)
		}
	})
}

// sink keeps what a benchmark has computed.
var sink uint64

// BenchmarkBeside shows a check of one among a million keys, by one goroutine
// and by all, and what a million keys take, beside golang.org/x/time/rate.
func BenchmarkBeside(b *testing.B) {
	keys := keySet(million)
	for _, name := range []string{"table", "syncmap", "map"} {
		before := heap()
		l := newLimiters(b)[name]()
		for _, key := range keys {
			l.allow(key, 1)
		}
		perKey := float64(heap()-before) / million
		// Not in the order in which the allocator has laid them out.
		rand.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			now, i := int64(2), 0
			for b.Loop() {
				l.allow(keys[i], now)
				now++
				if i++; i == million {
					i = 0
				}
			}
			b.ReportMetric(perKey, "bytes/key")
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				i, now := rand.IntN(million), int64(2)
				for pb.Next() {
					l.allow(keys[i], now)
					now++
					if i++; i == million {
						i = 0
					}
				}
			})
		})
		b.Run(name+"/parallel/hot", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for now := int64(2); pb.Next(); now++ {
					l.allow(keys[0], now)
				}
			})
		})
		runtime.KeepAlive(l)
	}
}

// heap returns the bytes that live on the heap.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

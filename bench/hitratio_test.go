package bench

import (
	"math/rand/v2"
	"sort"
	"strconv"
	"testing"
	"time"

	"github.com/dgraph-io/ristretto/v2"
	"github.com/maypok86/otter/v2"

	"weir/cache"
)

// zipf returns a trace of requests for keys, of which the n-th most wanted one is
// wanted 1/n times as often as the first. Which is which is not in order.
func zipf(keys, requests int, random *rand.Rand) []int {
	sums := make([]float64, keys)
	sum := 0.0
	for i := range sums {
		sum += 1 / float64(i+1)
		sums[i] = sum
	}
	names := random.Perm(keys)
	trace := make([]int, requests)
	for i := range trace {
		trace[i] = names[sort.SearchFloat64s(sums, random.Float64()*sum)]
	}
	return trace
}

// weirCache is weir's, used as the gateway does it.
type weirCache struct {
	*cache.Cache
	key cache.Key
}

func (w *weirCache) begin(key int) {
	w.key.Reset()
	w.key.AddString("GET")
	w.key.AddString(strconv.Itoa(key))
	w.key.Place = cache.Place{Stage: "site/prod", Host: []byte("example.org"), Path: []byte(strconv.Itoa(key))}
}

func (w *weirCache) hits(key int) bool {
	w.begin(key)
	return w.Lookup(&w.key, nil).Entry != nil
}

func (w *weirCache) put(key int) {
	f, leads := w.Begin(&w.key, nil, nil)
	defer f.Leave()
	if !leads {
		return
	}
	e := &cache.Entry{Status: 200, Lines: []byte("Content-Type: text/plain\r\n"), At: w.Now(), Body: cache.WholeBody(make([]byte, 1024))}
	e.Terms.Lifetime = time.Hour
	f.Answer(e, nil)
	f.Done(nil)
}

// capacity returns how many such entries a cache of that size holds.
func capacity(b *testing.B, size int64) int {
	w := newWeirCache(b, size)
	for key := range int(size / 1024) {
		w.hits(key)
		w.put(key)
	}
	// What is put in is taken in, or refused, some time later.
	for last := int64(0); ; time.Sleep(100 * time.Millisecond) {
		n := w.Stats().Entries
		if n == last {
			return int(n)
		}
		last = n
	}
}

func newWeirCache(b *testing.B, size int64) *weirCache {
	c, err := cache.New(cache.Config{Size: size})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return &weirCache{Cache: c}
}

// BenchmarkHitRatio replays one trace over ten times as many keys as there is
// room for through weir's cache, ristretto alone, and otter, and tells which part
// of the requests each could answer.
func BenchmarkHitRatio(b *testing.B) {
	const size = 32 << 20
	room := capacity(b, size)
	trace := zipf(10*room, 2_000_000, rand.New(rand.NewPCG(1, 2)))
	replay := func(name string, hits func(key int) bool, put func(key int)) {
		b.Run(name, func(b *testing.B) {
			n, seen := 0, 0
			for b.Loop() {
				for i, key := range trace {
					hit := hits(key)
					if !hit {
						put(key)
					}
					if i >= len(trace)/4 { // the first quarter warms it
						seen++
						if hit {
							n++
						}
					}
				}
			}
			b.ReportMetric(100*float64(n)/float64(seen), "%hits")
			b.ReportMetric(float64(room), "entries")
		})
	}
	w := newWeirCache(b, size)
	replay("weir", w.hits, w.put)

	r, err := ristretto.NewCache(&ristretto.Config[uint64, []byte]{
		NumCounters: 10 * int64(room), MaxCost: int64(room), BufferItems: 64, IgnoreInternalCost: true,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(r.Close)
	value := make([]byte, 1)
	replay("ristretto",
		func(key int) bool { _, ok := r.Get(uint64(key) * 0x9e3779b97f4a7c15); return ok },
		func(key int) { r.Set(uint64(key)*0x9e3779b97f4a7c15, value, 1) })

	o := otter.Must(&otter.Options[int, []byte]{MaximumSize: room})
	replay("otter",
		func(key int) bool { _, ok := o.GetIfPresent(key); return ok },
		func(key int) { o.Set(key, value) })
}

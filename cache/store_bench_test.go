package cache

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
)

// filled makes a cache with n entries of that size, and their keys.
func filled(b testing.TB, n, size int) (*Cache, []*Key) {
	b.Helper()
	c := newStore(b, int64(n)*int64(size+1800)+(64<<20))
	keys := make([]*Key, n)
	content := make([]byte, size)
	for i := range keys {
		keys[i] = keyOf("example.org", fmt.Sprintf("/path/of/%d", i), "")
		e := &Entry{Status: 200, Lines: []byte("Date: now\r\n"), At: c.Now(), Body: WholeBody(content)}
		e.Terms.Lifetime = time.Hour
		e.Tags = [][]byte{fmt.Appendf(nil, "tag-%d", i%1000)}
		c.locate(e, c.addressOf(keys[i]), nil, c.number())
		c.publish(e)
	}
	c.waitSettled(b)
	return c, keys
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{1, 1_000, 1_000_000} {
		c, keys := filled(b, n, 64)
		order := make([]int32, 1<<16)
		for i := range order {
			order[i] = int32(rand.IntN(n))
		}
		run := func(name string, lookup func(i int)) {
			b.Run(fmt.Sprintf("%s/keys=%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					lookup(i)
				}
			})
		}
		run("hit", func(i int) {
			k := keys[order[i&(1<<16-1)]]
			k.hashed = false
			if c.Lookup(k, nil).Entry == nil {
				b.Fatal("not there")
			}
		})
		missing := keyOf("example.org", "/nothing", "")
		run("miss", func(int) { missing.hashed = false; c.Lookup(missing, nil) })
		run("after-purge", func(i int) {
			if i&1023 == 0 {
				c.Purge(Purge{Tags: []string{"nobody's"}})
			}
			k := keys[order[i&(1<<16-1)]]
			k.hashed = false
			c.Lookup(k, nil)
		})
		b.Run(fmt.Sprintf("parallel/keys=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				var k Key
				for i := rand.IntN(1 << 16); pb.Next(); i++ {
					key := keys[order[i&(1<<16-1)]]
					k.full, k.hashed = append(k.full[:0], key.full...), false
					c.Lookup(&k, nil)
				}
			})
		})
	}
}

func BenchmarkPublish(b *testing.B) {
	c := newStore(b, 1<<30)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		k := keyOf("example.org", fmt.Sprintf("/%d", i), "")
		fill(c, k, nil, "x")
	}
}

// BenchmarkMillion measures what is done to a cache of a million entries.
func BenchmarkMillion(b *testing.B) {
	c, keys := filled(b, 1_000_000, 64)
	if n := c.Stats().Entries; n != 1_000_000 {
		b.Fatalf("entries: got %d", n)
	}
	b.Run("purge=tag", func(b *testing.B) {
		worst := time.Duration(0)
		for b.Loop() {
			began := time.Now()
			c.Purge(Purge{Tags: []string{"tag-7"}, Soft: true})
			worst = max(worst, time.Since(began))
		}
		b.ReportMetric(float64(worst.Nanoseconds()), "worst-ns")
	})
	b.Run("purge=prefix", func(b *testing.B) {
		for b.Loop() {
			c.Purge(Purge{Host: "example.org", Path: "/nothing", Prefix: true})
		}
	})
	b.Run("invalidate=unknown", func(b *testing.B) {
		host, path := []byte("example.org"), []byte("/posted")
		for b.Loop() {
			c.Invalidate(host, path, nil)
		}
	})
	b.Run("sweep", func(b *testing.B) {
		for b.Loop() {
			c.sweepOnce()
		}
	})
	runtime.KeepAlive(keys)
}

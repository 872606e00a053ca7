//go:build !race

package cache

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

func TestRoundUp(t *testing.T) {
	for size := uintptr(1); size < 100_000; size++ {
		if size > 40_000 && size%1000 != 0 {
			continue
		}
		if got, want := roundUp(size), int64(cap(append([]byte(nil), make([]byte, size)...))); got != want {
			t.Fatalf("roundUp(%d): got %d; the allocator gives %d", size, got, want)
		}
	}
}

// What entries are said to cost is what they take.
func TestCostIsMemory(t *testing.T) {
	f := func(n, size int) {
		t.Helper()
		live := func() int64 {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		c := newStore(t, 1<<30)
		before := live()
		for i := range n {
			k := keyOf("example.org", fmt.Sprintf("/some/path/of/%d", i), "")
			e := &Entry{Status: 200, Lines: make([]byte, 250), At: c.Now(), Body: WholeBody(make([]byte, size))}
			e.Terms.Lifetime, e.Terms.ETag = time.Hour, []byte(`"12345678"`)
			e.Tags = [][]byte{fmt.Appendf(nil, "tag-%d", i)}
			c.locate(e, c.addressOf(k), nil, c.number())
			c.publish(e)
		}
		c.waitSettled(t)
		took := live() - before
		s := c.Stats()
		if s.Entries != int64(n) {
			t.Fatalf("entries: got %d; want %d", s.Entries, n)
		}
		t.Logf("%d entries of %d bytes: %d bytes each, said to be %d", n, size, took/int64(n), s.Bytes/int64(n))
		if off := float64(s.Bytes) / float64(took); off < 0.95 || off > 1.1 {
			t.Errorf("%d entries of %d bytes take %d bytes, said to be %d", n, size, took, s.Bytes)
		}
	}
	f(20_000, 20)
	f(100_000, 20)
	f(150_000, 100)
	f(10_000, 20_000)
}

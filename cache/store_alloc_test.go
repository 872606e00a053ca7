//go:build !race

package cache

import "testing"

func TestAllocsOfLookup(t *testing.T) {
	c := newStore(t, 8<<20)
	h := headers{"Accept-Encoding": "gzip"}
	k := keyOf("example.org", "/", "q=1")
	fill(c, k, h, "x", varyBy("Accept-Encoding"), taggedAs("red"))
	c.waitSettled(t)
	f := func(what string, run func()) {
		t.Helper()
		if n := testing.AllocsPerRun(1000, run); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
	var s Selector = h
	f("a hit", func() {
		k.hashed = false
		if c.Lookup(k, s).Entry == nil {
			t.Fatal("not there")
		}
	})
	missing := keyOf("example.org", "/missing", "")
	f("a miss", func() { missing.hashed = false; c.Lookup(missing, s) })
	host, path, query := []byte("example.org"), []byte("/missing"), []byte("q")
	f("an invalidation of nothing", func() { c.Invalidate(host, path, query) })
	c.note(c.addressOf(k))
	query = []byte("q=1")
	f("an invalidation and a hit after it", func() {
		c.Invalidate(host, path[:1], query)
		if !c.Lookup(k, s).Validate {
			t.Fatal("it is not to be validated")
		}
	})
}

package cache

import (
	"fmt"
	"testing"
)

// Keys of the same hash must never be given one another's answers, wherever the
// slots are just then.
func TestCollisions(t *testing.T) {
	c := newStore(t, 8<<20)
	c.hash = func(b []byte) uint64 { return 7 + uint64(len(b)&1) }
	for round := range 200 {
		for i := range 10 {
			k := keyOf("a.example", fmt.Sprintf("/%d", i), "")
			want := fmt.Sprintf("%d of round %d", i, round)
			if got := body(c.Lookup(k, nil)); got != "" && got != fmt.Sprintf("%d of round %d", i, round-1) {
				t.Fatalf("round %d: lookup of %d: got %q", round, i, got)
			}
			e := fill(c, k, nil, want)
			if got := body(c.Lookup(k, nil)); got != want {
				t.Fatalf("round %d: lookup of %d after it was put: got %q", round, i, got)
			}
			if round%3 == 0 {
				c.waitSettled(t)
				if got := body(c.Lookup(k, nil)); got != want {
					t.Fatalf("round %d: lookup of %d once settled: got %q", round, i, got)
				}
			}
			if round%5 == 0 {
				next := *e
				c.Replace(e, &next)
			}
		}
	}
	c.waitSettled(t)
	if s := c.Stats(); s.Entries != 1 {
		t.Fatalf("stats: %+v", s)
	}
}

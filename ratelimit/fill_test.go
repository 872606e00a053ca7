package ratelimit

import (
	"math/rand/v2"
	"testing"
)

// TestTableHoldsItsCapacity fills tables to the capacity that they were asked for.
func TestTableHoldsItsCapacity(t *testing.T) {
	r := rate(t, 1, 10)
	f := func(capacity, mostOver int) {
		t.Helper()
		table := NewTable(capacity)
		for range capacity {
			table.Take(rand.Uint64(), 1, r, 0)
		}
		got := table.Stats(1)
		if got.Overflowed > uint64(mostOver) || got.Live != capacity-int(got.Overflowed) || got.Capacity != capacity {
			t.Errorf("a table for %d: got %+v; want %d live", capacity, got, capacity)
		}
		t.Logf("%d: %+v, %d slots", capacity, got, 4*len(table.own.groups))
	}
	f(1, 0)
	f(100, 0)
	f(10_000, 10)
	f(200_000, 10)
}

package ratelimit

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// TestGateCounts holds a gate with room against plain counts.
func TestGateCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gate := NewGate(rapid.IntRange(8, 100).Draw(t, "capacity"))
		var passes [8][]Pass
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			key := rapid.IntRange(0, len(passes)-1).Draw(t, "key")
			most := rapid.Int64Range(-1, 5).Draw(t, "most")
			if in := &passes[key]; rapid.Bool().Draw(t, "leave") && len(*in) > 0 {
				gate.Leave((*in)[0])
				*in = (*in)[1:]
			} else if p, got := gate.Enter(uint64(key), most); got != (int64(len(*in)) < most) {
				t.Fatalf("enter with %d of %d in: got %v", len(*in), most, got)
			} else if got {
				*in = append(*in, p)
			}
		}
		var want GateStats
		for _, in := range passes {
			if len(in) > 0 {
				want.Live++
				want.UnderWay += int64(len(in))
			}
		}
		if got := gate.Stats(); got.Live != want.Live || got.UnderWay != want.UnderWay || got.Overflowed != 0 {
			t.Fatalf("stats: got %+v; want %+v", got, want)
		}
	})
}

// TestGateHammer lets goroutines enter and leave under more keys than there
// is room for, in the same few slots.
func TestGateHammer(t *testing.T) {
	f := func(capacity, keys int, most, bound int64) {
		t.Helper()
		gate := NewGate(capacity)
		in := make([]atomic.Int64, keys)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				var passes [3]Pass
				for range 10_000 {
					i := rand.IntN(keys)
					n := 0
					for ; n < len(passes); n++ {
						p, ok := gate.Enter(uint64(i), most)
						if !ok {
							break
						}
						passes[n] = p
						if now := in[i].Add(1); now > bound {
							t.Errorf("key %d: got %d in at once; want at most %d", i, now, bound)
						}
					}
					for _, p := range passes[:n] {
						in[i].Add(-1)
						gate.Leave(p)
					}
				}
			})
		}
		all.Wait()
		got := gate.Stats()
		if got.Live != 0 || got.UnderWay != 0 {
			t.Errorf("got %+v when all have left; want nothing under way", got)
		}
		t.Logf("%d keys in a gate for %d: %+v", keys, capacity, got)
	}
	// With room for every goroutine nobody has to share, however many keys there are.
	f(8, 3, 4, 4)
	f(8, 100, 2, 2)
	f(8, 100_000, 1, 1)
	f(1, 6, 3, 6) // of its own, and of what it shares
}

// TestGateFull fills a gate: who comes then shares one count, and leaves it.
func TestGateFull(t *testing.T) {
	gate := NewGate(1)
	var passes []Pass
	for key := range uint64(len(gate.own.groups) * 4) {
		p, _ := gate.Enter(key, 1)
		passes = append(passes, p)
	}
	first, ok := gate.Enter(1000, 1)
	if _, second := gate.Enter(1001, 1); !ok || second {
		t.Fatalf("got %v and %v without room; want true and false", ok, second)
	}
	gate.Leave(first)
	gate.Leave(first)
	if p, ok := gate.Enter(1001, 1); !ok {
		t.Fatal("got nobody in after the other has left")
	} else {
		gate.Leave(p)
	}
	if got := gate.Stats(); got.Overflowed != 3 || got.Live != len(passes) {
		t.Fatalf("got %+v; want 3 overflowed and %d live", got, len(passes))
	}
	for _, p := range passes {
		gate.Leave(p)
	}
	last, _ := gate.Enter(1002, math.MaxInt64)
	gate.Leave(passes[0]) // it may be of the same slot
	gate.Leave(Pass{})
	if got := gate.Stats(); got.UnderWay != 1 {
		t.Fatalf("got %d under way; want 1", got.UnderWay)
	}
	gate.Leave(last)
}

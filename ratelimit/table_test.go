package ratelimit

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// used is what one key was allowed: for each token a moment before which it
// was not taken, and one after which it was not.
type used [][2]int64

// check fails if more passed between any two moments than the rate gives.
func (u used) check(t interface{ Fatalf(string, ...any) }, r Rate) {
	for i := range u {
		for j := range u {
			from, to, n := u[i][0], u[j][1], int64(0)
			for _, took := range u {
				if took[0] >= from && took[1] <= to {
					n++
				}
			}
			if most := r.Burst() + (to-from)/int64(r.Every()); to >= from && n > most {
				t.Fatalf("got %d admitted from %d to %d; want at most %d with %s", n, from, to, most, r)
			}
		}
	}
}

// TestTableIsBuckets holds a table against a bucket a key that nobody shares
// and nobody takes away.
func TestTableIsBuckets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := NewTable(rapid.IntRange(12, 100).Draw(t, "capacity"))
		keys := rapid.SliceOfNDistinct(rapid.Uint64(), 1, 12, rapid.ID).Draw(t, "keys")
		rates := []Rate{rate(t, 1e6, 1), rate(t, 5e5, 3), rate(t, 1e7, 20), {}}
		want := make([]Bucket, len(keys))
		now := rapid.Int64Range(0, 1e18).Draw(t, "start")
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now += rapid.Int64Range(0, 3000).Draw(t, "pause")
			i := rapid.IntRange(0, len(keys)-1).Draw(t, "key")
			r := rates[i%len(rates)]
			delay := time.Duration(i % 3 * 1000)
			if peek, was := table.Peek(keys[i], now, r, delay), want[i].Peek(now, r, delay); peek != was {
				t.Fatalf("peek at %d: got %+v; want %+v", now, peek, was)
			}
			got, was := table.Take(keys[i], now, r, delay), want[i].Take(now, r, delay)
			if got != was {
				t.Fatalf("take at %d: got %+v; want %+v", now, got, was)
			}
			if got.Allowed && rapid.Bool().Draw(t, "return") {
				table.Return(keys[i], r)
				want[i].Return(r)
			}
		}
		if n := table.Stats(now).Overflowed; n != 0 {
			t.Fatalf("got %d without room; want 0", n)
		}
	})
}

// TestTableNeverTooMany uses tables so small that keys lose their slots all
// the time, and share what is left.
func TestTableNeverTooMany(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := NewTable(rapid.IntRange(1, 8).Draw(t, "capacity"))
		rates := []Rate{rate(t, 1e6, 1), rate(t, 5e5, 3), rate(t, 2e5, 2)}
		passed := make([]used, 40)
		now := int64(1500)
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			now += rapid.Int64Range(0, 2000).Draw(t, "pause")
			i := rapid.IntRange(0, len(passed)-1).Draw(t, "key")
			r := rates[i%len(rates)]
			// Somebody who was stopped comes with a time of old.
			stale := rapid.SampledFrom([]int64{0, 0, 0, 1500}).Draw(t, "stale")
			if d := table.Take(uint64(i), now-stale, r, 0); d.Allowed && !rapid.Bool().Draw(t, "return") {
				passed[i] = append(passed[i], [2]int64{now - stale, now})
			} else if d.Allowed {
				table.Return(uint64(i), r)
			}
		}
		for i, u := range passed {
			u.check(t, rates[i%len(rates)])
		}
	})
}

// TestTableHammer lets goroutines fight for a handful of slots, by the real
// clock and by one that stands still often, so that times meet.
func TestTableHammer(t *testing.T) {
	clock := NewClock()
	var steps atomic.Int64
	f := func(name string, capacity, keys int, now func() int64, r Rate) {
		t.Run(fmt.Sprintf("%s/%d/%d", name, capacity, keys), func(t *testing.T) {
			table := NewTable(capacity)
			for range 20 {
				passed := make([]atomic.Int64, keys)
				from := now()
				var all sync.WaitGroup
				for range 8 {
					all.Go(func() {
						for range 2000 {
							i := rand.IntN(keys)
							if d := table.Take(uint64(i), now(), r, 0); !d.Allowed {
								continue
							}
							passed[i].Add(1)
							if rand.IntN(4) == 0 {
								table.Return(uint64(i), r)
								passed[i].Add(-1)
							}
						}
					})
				}
				all.Wait()
				most := r.Burst() + (now()-from)/int64(r.Every())
				for i := range passed {
					if n := passed[i].Load(); n > most {
						t.Fatalf("key %d: got %d admitted; want at most %d", i, n, most)
					}
				}
			}
		})
	}
	slow := func() int64 { return steps.Add(1) / 8 * 100 }
	for _, keys := range []int{5, 12, 50} {
		f("clock", 2, keys, clock.Now, rate(t, 2e5, 2))
		f("clock", 16, keys, clock.Now, rate(t, 1e6, 1))
		f("steps", 2, keys, slow, rate(t, 1e6, 3))
		f("steps", 16, keys, slow, rate(t, 1e7, 1))
	}
}

// TestTableNeverTooFew asks for two keys without a pause while others take and
// lose the slots beside theirs. Time passes by asking, so that no pause of the
// machine is one in demand.
func TestTableNeverTooFew(t *testing.T) {
	table := NewTable(2)
	steady, passing := rate(t, 1e5, 5), rate(t, 1e7, 1)
	var passed [2]atomic.Int64
	var now atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100_000 {
				at := now.Add(100)
				for key := range passed {
					if table.Take(uint64(key), at, steady, 0).Allowed {
						passed[key].Add(1)
					}
				}
				table.Take(rand.Uint64(), at, passing, 0)
			}
		})
	}
	all.Wait()
	most := steady.Burst() + now.Load()/int64(steady.Every())
	for key := range passed {
		if got := passed[key].Load(); got > most || got < most*99/100 {
			t.Errorf("got %d admitted; want at most %d and at least 99 %% of it", got, most)
		}
	}
}

// TestTableOneSlotEach has goroutines bring the same new keys at once, of
// which each is good for one token.
func TestTableOneSlotEach(t *testing.T) {
	const keys = 50_000
	table, r := NewTable(keys), rate(t, 1, 1)
	passed := make([]atomic.Int64, keys)
	var turn atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			// Two turns in a row are of one key, so that two goroutines meet there.
			for i := turn.Add(1) - 1; i < 2*keys; i = turn.Add(1) - 1 {
				if table.Take(uint64(i/2), 1, r, 0).Allowed {
					passed[i/2].Add(1)
				}
			}
		})
	}
	all.Wait()
	missed := int64(0) // by keys that found no room, and share one token
	for key := range passed {
		got := passed[key].Load()
		missed += 1 - got
		if got > 1 {
			t.Fatalf("key %d: got %d admitted; want 1", key, got)
		}
	}
	if over := int64(table.Stats(1).Overflowed); missed > over {
		t.Errorf("got %d keys without their token; want at most %d", missed, over)
	}
}

// TestTableSlotOfAnother has a slot taken away from a key that has found it.
func TestTableSlotOfAnother(t *testing.T) {
	table, r := NewTable(1), rate(t, 1e6, 2)
	table.Take(1, 1, r, 0)
	was := table.own.find(1)
	for key := uint64(2); was.key.Load() == 1; key++ {
		table.Take(key, 5000, r, 0)
	}
	tat := was.word.Load()
	if d, ok := was.takeToken(1, 5000, r, 0); ok {
		t.Errorf("got %+v from the slot of another; want none", d)
	}
	was.move(1, -1000)
	table.Return(1, r)
	if got := was.word.Load(); got != tat {
		t.Errorf("the other's time: got %d; want %d", got, tat)
	}
}

func rate(t interface{ Fatalf(string, ...any) }, perSecond float64, burst int) Rate {
	r, err := NewRate(perSecond, burst)
	if err != nil {
		t.Fatalf("%s", err)
	}
	return r
}

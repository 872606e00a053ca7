package ratelimit

import (
	"math/rand/v2"
	"sync"
	"testing"
)

func TestTopFindsTheFrequent(t *testing.T) {
	var top Top
	// Key 0 comes once in 10, key 1 once in 20, and so on, among keys that come once.
	const seen = 200_000
	want := map[uint64]uint64{}
	for i := range seen {
		key := rand.Uint64()
		for j := range uint64(8) {
			if i%int(10*(j+1)) == int(j) {
				key = j
				break
			}
		}
		want[key]++
		top.Observe(key)
	}
	list := top.List()
	if len(list) != topList {
		t.Fatalf("got %d keys; want %d", len(list), topList)
	}
	for i, got := range list[:8] {
		if got.Key >= 8 || got.Count > want[got.Key] || got.Count < want[got.Key]*8/10 {
			t.Errorf("place %d: got %x, %d times; it came %d times", i, got.Key, got.Count, want[got.Key])
		}
	}
}

func TestTopExactWhereFew(t *testing.T) {
	var top Top
	for i := range uint64(10) {
		for range i {
			top.Observe(i)
		}
	}
	list := top.List()
	for i, got := range list {
		if want := (TopEntry{uint64(9 - i), uint64(9 - i)}); got != want {
			t.Errorf("place %d: got %+v; want %+v", i, got, want)
		}
	}
	if len(list) != 9 {
		t.Errorf("got %d keys; want 9", len(list))
	}
}

func TestTopHammer(t *testing.T) {
	var top Top
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 20_000 {
				top.Observe(uint64(i % 3))
				if i%1000 == 0 {
					top.List()
				}
			}
		})
	}
	all.Wait()
	for _, got := range top.List() {
		if got.Key > 2 || got.Count > 4*20_000/3+4 {
			t.Errorf("got %+v; want keys of 0 to 2, none more often than seen", got)
		}
	}
}

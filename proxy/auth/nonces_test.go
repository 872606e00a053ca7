package auth

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func nonceAt(n *Nonces, nonce string, created int64, now time.Time) string {
	if r := n.use(appendIdentity(nil, []byte("key"), []byte(nonce)), created, now); r != nil {
		return r.Name
	}
	return ""
}

// TestNoncesFull holds that a full memory refuses what is new, and never
// forgets for it what was used.
func TestNoncesFull(t *testing.T) {
	n, err := NewNonces(64, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var used []string
	full := 0
	for i := range 1000 {
		nonce := fmt.Sprint("nonce ", i)
		switch got := nonceAt(n, nonce, testTime.Unix(), testTime); got {
		case "":
			used = append(used, nonce)
		case "nonces_full":
			full++
		default:
			t.Fatal(got)
		}
	}
	stats := n.Stats()
	if len(used) != 64 || stats != (NoncesStats{Capacity: 64, Held: 64, Full: uint64(full)}) {
		t.Fatalf("got %d used, %d refused, %+v; want 64 used", len(used), full, stats)
	}
	for _, at := range []time.Duration{0, time.Minute, time.Minute + 2*time.Second, 3 * time.Minute, time.Hour} {
		for _, nonce := range used {
			if got := nonceAt(n, nonce, testTime.Unix(), testTime.Add(at)); got == "" {
				t.Fatalf("%q passed again after %s", nonce, at)
			}
		}
		if got := nonceAt(n, fmt.Sprint("later ", at), testTime.Add(at).Unix(), testTime.Add(at)); at > time.Minute+time.Second && got != "" {
			t.Fatalf("after %s: got %q; want room", at, got)
		}
	}
}

// TestNoncesClock turns the system's clock back after the memory has forgotten:
// what could have been used is refused, what is newer is not.
func TestNoncesClock(t *testing.T) {
	n, _ := NewNonces(1<<10, time.Minute)
	nonceAt(n, "first", testTime.Unix(), testTime)
	for i := range 40 { // of all shards
		nonceAt(n, fmt.Sprint("x ", i), testTime.Unix(), testTime)
	}
	later := testTime.Add(time.Hour)
	if got := nonceAt(n, "first", testTime.Unix(), later); got != "expired" {
		t.Fatalf("got %q; want expired", got)
	}
	if got := nonceAt(n, "second", testTime.Unix()+1, later); got != "" {
		t.Fatalf("got %q; want none", got)
	}
	if got := nonceAt(n, "third", testTime.Unix()+1, later.Add(-2*time.Hour)); got != "" {
		t.Fatalf("an hour back: got %q; want none", got)
	}
}

// TestNoncesProperty uses nonces in any order, at any time, and with a clock
// that goes any way: none is good twice.
func TestNoncesProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, _ := NewNonces(rapid.IntRange(16, 100).Draw(t, "capacity"), time.Minute)
		now, used := testTime, make(map[string]bool)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(-30, 90).Draw(t, "seconds")) * time.Second)
			name := rapid.IntRange(0, 60).Draw(t, "nonce")
			nonce := fmt.Sprint(name)
			created := testTime.Unix() + int64(name)*7 // a replay brings the creation that was signed
			if nonceAt(n, nonce, created, now) != "" {
				continue
			}
			if used[nonce] {
				t.Fatalf("%q was good twice", nonce)
			}
			used[nonce] = true
		}
	})
}

// TestNoncesRace has many take the same nonces at once.
func TestNoncesRace(t *testing.T) {
	n, _ := NewNonces(1<<12, time.Minute)
	var passed atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 500 {
				if nonceAt(n, fmt.Sprint(i), testTime.Unix(), testTime) == "" {
					passed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if got := passed.Load(); got != 500 {
		t.Fatalf("got %d nonces used; want 500", got)
	}
}

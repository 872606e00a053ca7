package ratelimit

import (
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBucketDecisions(t *testing.T) {
	var b Bucket
	r := rate(t, 10, 3)
	f := func(at, delay time.Duration, want Decision) {
		t.Helper()
		if got := b.Peek(int64(at), r, delay); got != want {
			t.Errorf("peek at %s: got %+v; want %+v", at, got, want)
		}
		if got := b.Take(int64(at), r, delay); got != want {
			t.Errorf("take at %s: got %+v; want %+v", at, got, want)
		}
	}
	const ms = time.Millisecond
	f(0, 0, Decision{Allowed: true, Remaining: 2, Reset: 100 * ms})
	f(0, 0, Decision{Allowed: true, Remaining: 1, Reset: 200 * ms})
	f(0, 0, Decision{Allowed: true, Remaining: 0, Reset: 300 * ms})
	f(40*ms, 0, Decision{Wait: 60 * ms, Reset: 260 * ms})
	f(40*ms, 0, Decision{Wait: 60 * ms, Reset: 260 * ms}) // who is refused does not wait longer for it
	f(40*ms, -1, Decision{Wait: 60 * ms, Reset: 260 * ms})
	f(40*ms, 60*ms, Decision{Allowed: true, Wait: 60 * ms, Reset: 360 * ms})
	f(40*ms, 60*ms, Decision{Wait: 160 * ms, Reset: 360 * ms})
	f(150*ms, 0, Decision{Wait: 50 * ms, Reset: 250 * ms})
	b.Return(r)
	f(150*ms, 0, Decision{Allowed: true, Remaining: 0, Reset: 250 * ms})
	b.Return(r)
	b.Return(r)
	b.Return(r) // one of long ago: the bucket is not fuller than full
	f(time.Second, 0, Decision{Allowed: true, Remaining: 2, Reset: 100 * ms})
	r = Rate{}
	f(time.Second, time.Hour, Decision{})
}

// TestBucketExtremes goes to the bounds of rates, times and delays.
func TestBucketExtremes(t *testing.T) {
	for _, r := range []Rate{rate(t, MaxPerSecond, 1), rate(t, MaxPerSecond, MaxBurst), rate(t, MinPerSecond, 1), rate(t, MinPerSecond, 1177)} {
		for _, now := range []int64{math.MinInt64 / 4, -1, 0, 1, int64(maxSpan)} {
			var b Bucket
			for i := range int64(2000) {
				d := b.Take(now, r, math.MaxInt64)
				if d.Wait < 0 || d.Reset < 0 || d.Remaining < 0 || d.Remaining >= r.Burst() {
					t.Fatalf("%s at %d, attempt %d: got %+v", r, now, i, d)
				}
				if free := i < r.Burst(); now >= 0 && free != (d.Allowed && d.Wait == 0) || d.Wait > maxDelay && d.Allowed {
					t.Fatalf("%s at %d, attempt %d: got %+v", r, now, i, d)
				}
			}
		}
	}
}

// TestBucketRateReplaced empties a bucket at one rate and goes on with
// another: nobody waits for the old one, and the new one is not exceeded.
func TestBucketRateReplaced(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old := rate(t, rapid.Float64Range(MinPerSecond, 1e5).Draw(t, "old"), rapid.IntRange(1, 1000).Draw(t, "old burst"))
		r := rate(t, rapid.Float64Range(10, 1e5).Draw(t, "new"), rapid.IntRange(1, 1000).Draw(t, "new burst"))
		now := rapid.Int64Range(0, 1e18).Draw(t, "now")
		var b Bucket
		for b.Take(now, old, 0).Allowed {
		}
		span := int64(r.Every()) * r.Burst()
		passed, until := int64(0), now+span+2*int64(lag)
		for at := now; at < until; at += span/50 + 1 {
			for b.Take(at, r, 0).Allowed {
				passed++
			}
		}
		if most := r.Burst() + (until-now)/int64(r.Every()); passed > most {
			t.Fatalf("got %d admitted; want at most %d", passed, most)
		}
		if d := b.Peek(until, r, 0); time.Duration(span) < d.Reset || passed == 0 {
			t.Fatalf("got %d admitted and %+v; want the old rate forgotten", passed, d)
		}
	})
}

func TestBucketHammer(t *testing.T) {
	clock, r := NewClock(), rate(t, 1e5, 10)
	var b Bucket
	var passed atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20_000 {
				if b.Take(clock.Now(), r, 0).Allowed {
					passed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if most := r.Burst() + clock.Now()/int64(r.Every()); passed.Load() > most {
		t.Errorf("got %d admitted; want at most %d", passed.Load(), most)
	}
}

func TestRate(t *testing.T) {
	f := func(perSecond float64, burst int, want string) {
		t.Helper()
		r, err := NewRate(perSecond, burst)
		got := r.String()
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("rate of %g, %d: got %q; want %q", perSecond, burst, got, want)
		}
	}
	f(10, 20, "10/s, burst 20")
	f(3, 1, "3/s, burst 1")
	f(0.5, 1, "30/min, burst 1")
	f(1.0/60, 1, "1/min, burst 1")
	f(1.0/7200, 1, "12/day, burst 1")
	f(MinPerSecond, 1, "0.0322581/day, burst 1")
	f(MaxPerSecond, MaxBurst, "1e+07/s, burst 1000000000")
	f(0, 1, "too small")
	f(-1, 1, "too small")
	f(math.NaN(), 1, "too small")
	f(math.Inf(1), 1, "too large")
	f(1e18, 1, "too large")
	f(1, 0, "lets nothing pass")
	f(1, -1, "lets nothing pass")
	f(1, MaxBurst+1, "too large")
	f(MinPerSecond, 2000, "more than 100 years")
	if got := (Rate{}).String(); got != "nothing" {
		t.Errorf("the zero rate: got %q", got)
	}
}

func TestClock(t *testing.T) {
	c := NewClock()
	when := time.Now()
	if at, now := c.At(when), c.Now(); at < 0 || now < at {
		t.Errorf("got %d and then %d; want both from 0 on, in order", at, now)
	}
}

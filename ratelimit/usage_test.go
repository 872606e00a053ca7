package ratelimit

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	when, err := time.Parse(time.DateTime, text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func TestPeriodWindow(t *testing.T) {
	f := func(p Period, now, start, end string) {
		t.Helper()
		for _, zone := range []*time.Location{time.UTC, time.FixedZone("", 11*3600), time.FixedZone("", -11*3600)} {
			from, to := p.Window(at(t, now).In(zone))
			if got := from.Format(time.DateOnly) + " " + to.Format(time.DateOnly); got != start+" "+end {
				t.Errorf("%s of %s: got %s; want %s %s", p, now, got, start, end)
			}
		}
	}
	f(Day, "2026-11-24 00:00:00", "2026-11-24", "2026-11-25")
	f(Day, "2026-12-31 23:59:59", "2026-12-31", "2027-01-01")
	f(Week, "2026-11-22 00:00:00", "2026-11-22", "2026-11-29")
	f(Week, "2026-11-21 23:59:59", "2026-11-15", "2026-11-22")
	f(Month, "2028-02-29 12:00:00", "2028-02-01", "2028-03-01")
	f(Month, "2026-12-31 23:59:59", "2026-12-01", "2027-01-01")
	f(Day, "1969-12-31 23:59:59", "1969-12-31", "1970-01-01")
	f(Week, "1969-12-27 12:00:00", "1969-12-21", "1969-12-28")
	f(Month, "1969-12-27 12:00:00", "1969-12-01", "1970-01-01")
	for _, name := range []string{"DAY", "WEEK", "MONTH"} {
		if p, err := ParsePeriod(name); err != nil || p.String() != name {
			t.Errorf("period %q: got %v and %v", name, p, err)
		}
	}
	if _, err := ParsePeriod("day"); err == nil {
		t.Error(`period "day": got no error; want one`)
	}
}

// TestUsageIsTheCount holds the counter against a plain one, while the clock
// goes on.
func TestUsageIsTheCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(rapid.Int64Range(1e9, 5e9).Draw(t, "now"), 0)
		q := Quota{Limit: rapid.Int64Range(0, 20).Draw(t, "limit"), Period: Period(rapid.IntRange(0, 2).Draw(t, "period"))}
		if rapid.Bool().Draw(t, "first") {
			q.First, q.Offset = now, rapid.Int64Range(0, 25).Draw(t, "offset")
		}
		var u Usage
		used := map[time.Time]int64{}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 40*3600).Draw(t, "pause")) * time.Second)
			start, end := q.Period.Window(now)
			limit := q.Limit
			if from, _ := q.Period.Window(q.First); q.Offset > 0 && from.Equal(start) {
				limit = max(limit-q.Offset, 0)
			}
			want := Decision{Wait: end.Sub(now), Reset: end.Sub(now)}
			if used[start] < limit {
				want = Decision{Allowed: true, Remaining: limit - used[start] - 1, Reset: end.Sub(now)}
			}
			peek := u.Peek(now, q)
			if got := u.Take(now, q); got != want || peek != want {
				t.Fatalf("at %s: got %+v, and %+v before; want %+v", now.UTC(), got, peek, want)
			}
			if want.Allowed {
				used[start]++
				if rapid.Bool().Draw(t, "return") {
					u.Return(now, q)
					used[start]--
				}
			}
			if want.Allowed {
				var again Usage
				again.Restore(start, used[start], q.Period)
				if again.word.Load() != u.word.Load() {
					t.Fatalf("restored: got %x; want %x", again.word.Load(), u.word.Load())
				}
			}
		}
	})
}

// TestUsageClockSteps turns the clock by an hour over midnight, back and forth,
// and by years.
func TestUsageClockSteps(t *testing.T) {
	var u Usage
	q := Quota{Limit: 3, Period: Day}
	f := func(now string, want string) {
		t.Helper()
		d := u.Take(at(t, now), q)
		if got := fmt.Sprintf("%v %d %s", d.Allowed, d.Remaining, d.Reset); got != want {
			t.Errorf("at %s: got %s; want %s", now, got, want)
		}
	}
	f("2026-11-24 23:30:00", "true 2 30m0s")
	f("2026-11-25 00:10:00", "true 2 23h50m0s")
	f("2026-11-24 23:10:00", "true 1 24h50m0s") // back by an hour: the 25th goes on
	f("2026-11-25 00:10:00", "true 0 23h50m0s")
	f("2026-11-24 23:10:00", "false 0 24h50m0s")
	f("2026-11-25 00:30:00", "false 0 23h30m0s")
	f("2026-11-26 00:00:00", "true 2 24h0m0s")
	f("2036-11-26 00:00:00", "true 2 24h0m0s") // ten years ahead, by mistake
	f("2026-11-26 01:00:00", "true 1 23h0m0s") // and what it had counted stays
	f("2026-11-27 01:00:00", "true 2 23h0m0s")

	// What was taken before midnight does not come back behind it.
	u.Return(at(t, "2026-11-26 23:59:59"), q)
	f("2026-11-27 02:00:00", "true 1 22h0m0s")
	// A quota that becomes one of a month goes on with the day's count.
	q.Period = Month
	f("2026-11-27 03:00:00", "true 0 93h0m0s")
	f("2026-12-01 00:00:00", "true 2 744h0m0s")
}

func TestUsageAdjusted(t *testing.T) {
	var u Usage
	now := at(t, "2026-11-24 12:00:00")
	q := Quota{Limit: 10, Offset: 4, Period: Month, First: at(t, "2026-11-10 12:00:00")}
	f := func(wantRemaining, wantUsed int64) {
		t.Helper()
		d := u.Take(now, q)
		if _, used := u.Load(); d.Remaining != wantRemaining || used != wantUsed {
			t.Errorf("got %d remaining and %d used; want %d and %d", d.Remaining, used, wantRemaining, wantUsed)
		}
	}
	f(5, 1)
	u.SetRemaining(now, q, 100)
	f(99, -93)
	u.Return(now, q)
	f(99, -93)
	u.SetRemaining(now, q, 0)
	f(0, 6)
	u.SetRemaining(now, q, math.MaxInt64)
	if d := u.Take(now, q); !d.Allowed || d.Remaining < mostUsed-100 {
		t.Errorf("got %+v after a grant beyond all bounds", d)
	}
	now = now.AddDate(0, 1, 0)
	f(9, 1) // no grant and no offset any more
	u.Restore(now, math.MinInt64, Month)
	if start, used := u.Load(); used != -mostUsed || !start.Equal(at(t, "2026-12-01 00:00:00")) {
		t.Errorf("got %s and %d restored", start, used)
	}
	u.Restore(now, 0, Month)
	u.Return(now, q)
	if _, used := u.Load(); used != 0 {
		t.Errorf("got %d used after a return of nothing; want 0", used)
	}
}

// TestUsageRollover takes from many goroutines around each midnight, with
// times before and behind it: each day gives its limit, no more and no less.
func TestUsageRollover(t *testing.T) {
	const days, limit = 100, 200
	var u Usage
	var passed [days + 2]atomic.Int64
	first := at(t, "2026-02-01 00:00:00")
	q := Quota{Limit: limit, Period: Day}
	for day := range days {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				midnight := first.AddDate(0, 0, day)
				for i := range 2 * limit {
					now := midnight.Add(time.Duration(i%4-1) * time.Hour)
					d := u.Take(now, q)
					if !d.Allowed {
						continue
					}
					// Whoever is late counts for the day that has begun.
					counts := int(now.Add(d.Reset).Sub(first) / (24 * time.Hour))
					if i%4 != 0 && i%5 == 0 {
						u.Return(now, q)
					} else {
						passed[counts].Add(1)
					}
				}
			})
		}
		all.Wait()
	}
	for day := range days {
		if got := passed[day+1].Load(); got != limit {
			t.Errorf("day %d: got %d; want %d", day, got, limit)
		}
	}
}

func TestClockFarAheadForAWhile(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	q := Quota{Limit: 5, Period: Day}
	var u Usage
	f := func(at time.Time, want int) {
		t.Helper()
		got := 0
		for range 10 {
			if u.Take(at, q).Allowed {
				got++
			}
		}
		if got != want {
			t.Fatalf("at %s: got %d; want %d", at, got, want)
		}
	}
	f(now.AddDate(3, 0, 0), 5)
	f(now, 0)
	f(now.AddDate(0, 0, 1), 5)
}

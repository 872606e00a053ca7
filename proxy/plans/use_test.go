package plans

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"weir/ratelimit"
)

// TestClockSteps steps the clock by an hour to and fro over the end of a
// period: no request more than the quota passes, in whatever order.
func TestClockSteps(t *testing.T) {
	f := func(period ratelimit.Period, end time.Time) {
		t.Helper()
		clock := &hand{at: end.Add(-30 * time.Minute)}
		o := Options{Directory: t.TempDir(), Now: clock.now}
		s := openAt(t, o)
		_, k := gold(t, s, 5, period)
		take := func(at time.Time, want int) {
			t.Helper()
			clock.set(at)
			if got := takes(member(t, s, k.Value, "pets/prod"), at, 10); got != want {
				t.Fatalf("%s at %s: got %d; want %d", period, at, got, want)
			}
		}
		before, after := end.Add(-30*time.Minute), end.Add(30*time.Minute)
		take(before, 5)
		take(before.Add(-time.Hour), 0) // back within the period
		take(after, 5)
		take(before, 0) // back over its end
		take(after, 0)
		s = reopen(t, s, o)
		take(before, 0)
		take(after, 0)
		start, next := period.Window(after)
		take(start, 0)
		take(next, 5)
	}
	f(ratelimit.Day, time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC))
	f(ratelimit.Week, time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC))
	f(ratelimit.Month, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))
	f(ratelimit.Month, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
}

func TestQuotaTellsWhatIsLeft(t *testing.T) {
	now := time.Date(2026, 11, 24, 23, 0, 0, 0, time.UTC)
	clock := &hand{at: now}
	s := openAt(t, Options{Now: clock.now})
	p := must[Plan](t)(s.CreatePlan(Plan{Name: "p", Stages: stages("pets/prod"), Quota: &Quota{Limit: 5, Offset: 3, Period: ratelimit.Day}}))
	k := must[Issued](t)(s.CreateKey(NewKey{Name: "one", Enabled: true}))
	must[Key](t)(s.AddPlanKey(p.ID, k.Key.ID))
	m := member(t, s, k.Value, "pets/prod")
	f := func(want ratelimit.Decision) {
		t.Helper()
		if got, hasQuota := m.Take(clock.now()); got != want || !hasQuota {
			t.Fatalf("got %+v; want %+v", got, want)
		}
	}
	f(ratelimit.Decision{Allowed: true, Remaining: 1, Reset: time.Hour})
	f(ratelimit.Decision{Allowed: true, Remaining: 0, Reset: time.Hour})
	f(ratelimit.Decision{Remaining: 0, Reset: time.Hour, Wait: time.Hour}) // the offset
	clock.set(now.Add(90 * time.Minute))
	f(ratelimit.Decision{Allowed: true, Remaining: 4, Reset: 23*time.Hour + 30*time.Minute})
	m.Return(clock.now())
	f(ratelimit.Decision{Allowed: true, Remaining: 4, Reset: 23*time.Hour + 30*time.Minute})
	if err := s.SetRemaining(p.ID, k.Key.ID, 7); err != nil {
		t.Fatal(err)
	}
	f(ratelimit.Decision{Allowed: true, Remaining: 6, Reset: 23*time.Hour + 30*time.Minute})
	must[Plan](t)(s.UpdatePlan(p.ID, func(p *Plan) error { p.Quota.Limit = 6; return nil }))
	m = member(t, s, k.Value, "pets/prod")
	f(ratelimit.Decision{Allowed: true, Remaining: 6, Reset: 23*time.Hour + 30*time.Minute})
	if err := s.RemovePlanKey(p.ID, k.Key.ID); err != nil {
		t.Fatal(err)
	}
	must[Key](t)(s.AddPlanKey(p.ID, k.Key.ID))
	m = member(t, s, k.Value, "pets/prod")
	f(ratelimit.Decision{Allowed: true, Remaining: 5, Reset: 23*time.Hour + 30*time.Minute})
}

func TestUsageByDay(t *testing.T) {
	f := func(o Options) {
		t.Helper()
		clock := &hand{at: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
		o.Now = clock.now
		s := openAt(t, o)
		plan, k := gold(t, s, 100, ratelimit.Month)
		free := must[Plan](t)(s.CreatePlan(Plan{Name: "free", Stages: stages("shop/prod")}))
		must[Key](t)(s.AddPlanKey(free.ID, k.Key.ID))
		second := must[Issued](t)(s.CreateKey(NewKey{Name: "two", Enabled: true}))
		must[Key](t)(s.AddPlanKey(plan.ID, second.Key.ID))
		day := func(n int) time.Time { return time.Date(2026, 11, n, 13, 0, 0, 0, time.UTC) }
		for _, use := range []struct{ day, requests int }{{21, 3}, {22, 4}, {24, 5}, {31, 2}} {
			clock.set(day(use.day))
			takes(member(t, s, k.Value, "pets/prod"), clock.now(), use.requests)
			takes(member(t, s, k.Value, "shop/prod"), clock.now(), 1)
			if o.Directory != "" {
				s = reopen(t, s, o)
			}
		}
		check := func(plan, key string, from, to int, want ...[2]int64) {
			t.Helper()
			u := must[Usage](t)(s.Usage(plan, key, day(from), day(to), Page{}))
			if len(u.Keys) != 1 || u.Keys[0].Key != k.Key.ID && key == "" || len(u.Keys[0].Days) != len(want) {
				t.Fatalf("got %+v; want %v", u, want)
			}
			for n, got := range u.Keys[0].Days {
				if got != want[n] {
					t.Fatalf("day %d: got %v; want %v", from+n, got, want[n])
				}
			}
		}
		check(plan.ID, "", 20, 25, [2]int64{0, 100}, [2]int64{3, 97}, [2]int64{4, 93}, [2]int64{0, 93}, [2]int64{5, 88}, [2]int64{0, 88})
		check(plan.ID, "", 22, 22, [2]int64{4, 93})
		check(plan.ID, k.Key.ID, 23, 23, [2]int64{0, 93})
		check(plan.ID, "", 30, 32, [2]int64{0, 88}, [2]int64{2, 98}, [2]int64{0, 98})
		check(plan.ID, second.Key.ID, 31, 31, [2]int64{0, 100})
		check(free.ID, "", 21, 22, [2]int64{1, -1}, [2]int64{1, -1})
		if err := s.SetRemaining(plan.ID, k.Key.ID, 1000); err != nil {
			t.Fatal(err)
		}
		check(plan.ID, "", 30, 31, [2]int64{0, 88}, [2]int64{2, 1000})
		if _, err := s.Usage(plan.ID, "", day(1), day(91), Page{}); err == nil {
			t.Fatal("got the usage of 91 days")
		}
		if err := s.DeleteKey(k.Key.ID); err != nil {
			t.Fatal(err)
		}
		check(plan.ID, "", 22, 22, [2]int64{4, 93}) // a deleted key has to be paid as well
		var out bytes.Buffer
		if err := s.UsageCSV(&out, plan.ID, day(1), day(30)); err != nil {
			t.Fatal(err)
		}
		want := "UsagePlanId,KeyId,Date,Used,Remaining\n"
		for _, line := range []string{"2026-11-21,3,97", "2026-11-22,4,93", "2026-11-24,5,88"} {
			want += plan.ID + "," + k.Key.ID + "," + line + "\n"
		}
		if out.String() != want {
			t.Fatalf("got %q; want %q", out.String(), want)
		}
		clock.set(day(31).AddDate(0, 0, DaysKept+1))
		if o.Directory == "" {
			return
		}
		s = reopen(t, s, o)
		s.housekeep()
		if u := must[Usage](t)(s.Usage(plan.ID, "", day(10), day(40), Page{})); len(u.Keys) != 0 {
			t.Fatalf("got %v after more than %d days; want none", u, DaysKept)
		}
	}
	f(Options{})
	f(Options{Directory: t.TempDir()})
}

func TestUsagePages(t *testing.T) {
	s := open(t)
	plan := must[Plan](t)(s.CreatePlan(Plan{Name: "p", Stages: stages("pets/prod")}))
	now := time.Now()
	for n := range 60 {
		must[Imported](t)(s.ImportCSV(strings.NewReader("name,key,usageplanids\na,"+valueOf(n)+","+plan.ID), true))
		if n%2 == 0 {
			takes(member(t, s, valueOf(n), "pets/prod"), now, 1)
		}
	}
	seen := 0
	for page := (Page{Limit: 7}); ; {
		u := must[Usage](t)(s.Usage(plan.ID, "", now, now, page))
		seen += len(u.Keys)
		if page.Position = u.Next; u.Next == "" {
			break
		}
	}
	if seen != 30 {
		t.Fatalf("got %d keys; want the 30 that were used", seen)
	}
}

// TestClockFarAhead has a clock that was years ahead for a while: what was used
// by it stays used in the present period, and the next one begins.
func TestClockFarAhead(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	clock := &hand{at: now}
	s := openAt(t, Options{Now: clock.now})
	plan, k := gold(t, s, 5, ratelimit.Day)
	m := member(t, s, k.Value, "pets/prod")
	take := func(at time.Time, want int) {
		t.Helper()
		clock.set(at)
		if got := takes(m, at, 10); got != want {
			t.Fatalf("at %s: got %d; want %d", at, got, want)
		}
	}
	take(now, 5)
	take(now.AddDate(3, 0, 0), 5)
	take(now, 0)
	take(now.AddDate(0, 0, 1), 5)
	take(now.AddDate(0, 0, 2), 5)
	u := must[Usage](t)(s.Usage(plan.ID, "", now, now.AddDate(0, 0, 2), Page{}))
	if days := u.Keys[0].Days; days[1][0] != 5 || days[2][0] != 5 {
		t.Fatalf("got %v; want 5 requests on each of the last days", days)
	}
}

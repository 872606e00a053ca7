package shared

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/ratelimit"
	"weir/ratelimit/shared/redistest"
)

// noon is in the middle of a week and of a month, so that no test runs over an end.
func noon() time.Time { return time.Date(2040, 2, 15, 12, 0, 0, 0, time.UTC) }

func TestExactQuota(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := client(t, patient(server.Address)), client(t, patient(server.Address))
	var admitted atomic.Int64
	var group sync.WaitGroup
	for _, c := range []*Client{a, b} {
		q := c.Quota("daily", Allowance{Limit: 500}, Exact, Closed)
		for range 4 {
			group.Go(func() {
				for range 100 {
					if d, _ := q.Take([]byte("one"), noon()); d.Allowed {
						admitted.Add(1)
					}
				}
			})
		}
	}
	group.Wait()
	if got := admitted.Load(); got != 500 {
		t.Errorf("admitted %d; want 500", got)
	}
	q := a.Quota("daily", Allowance{Limit: 500}, Exact, Closed)
	used := func(want int64) {
		t.Helper()
		if got, err := q.Used([]byte("one"), noon()); err != nil || got != want {
			t.Errorf("used: got %d, %v; want %d", got, err, want)
		}
	}
	allowed := func(now time.Time, want bool, remaining int64, reset time.Duration) {
		t.Helper()
		d, outcome := q.Take([]byte("one"), now)
		if outcome != Decided || d.Allowed != want || d.Remaining != remaining || d.Reset != reset || !want && d.Wait != reset {
			t.Errorf("got %+v, %s; want %t, %d remaining, reset in %s", d, outcome, want, remaining, reset)
		}
	}
	used(500)
	allowed(noon(), false, 0, 12*time.Hour)
	used(500) // what is refused does not count
	q.Return([]byte("one"), noon(), Decided)
	redistest.Await(t, 5*time.Second, "one request comes back", func() bool { n, _ := q.Used([]byte("one"), noon()); return n == 499 })
	allowed(noon(), true, 0, 12*time.Hour)
	if n, err := q.Adjust([]byte("one"), noon(), -100); err != nil || n != 400 {
		t.Errorf("adjusted: got %d, %v; want 400", n, err)
	}
	allowed(noon(), true, 99, 12*time.Hour)
	if n, err := q.Adjust([]byte("one"), noon(), -1000); err != nil || n != 0 {
		t.Errorf("adjusted below nothing: got %d, %v; want 0", n, err)
	}
	allowed(noon().Add(12*time.Hour), true, 499, 24*time.Hour) // the next day
	used(0)

	// What is taken off is so in the first period only.
	q = a.Quota("weekly", Allowance{Limit: 10, Offset: 7, Period: ratelimit.Week, First: noon()}, Exact, Closed)
	allowed(noon(), true, 2, 3*24*time.Hour+12*time.Hour)
	allowed(noon().AddDate(0, 0, 7), true, 9, 3*24*time.Hour+12*time.Hour)
	q = a.Quota("none", Allowance{Limit: 10, Offset: 10, Period: ratelimit.Month, First: noon()}, Exact, Closed)
	allowed(noon(), false, 0, 14*24*time.Hour+12*time.Hour)

	key, _ := a.key("q", []byte("one"), "daily:20400216")
	if ttl := server.Must("PEXPIRETIME", key); ttl != "2213053200000" {
		t.Errorf("the counter ends at %s; want an hour after the day", ttl)
	}
}

func TestFastQuota(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	config := patient(server.Address)
	config.Nodes, config.Interval = 3, 5*time.Millisecond
	const limit = 300
	var quotas []*Quota
	for range config.Nodes {
		quotas = append(quotas, client(t, config).Quota("daily", Allowance{Limit: limit}, Fast, Closed))
	}
	most := limit + quotas[0].Overshoot(config.Nodes)
	if most != limit+30 {
		t.Fatalf("bound: got %d; want %d", most, limit+30)
	}
	var admitted atomic.Int64
	var group sync.WaitGroup
	until := time.Now().Add(500 * time.Millisecond)
	for _, q := range quotas {
		group.Go(func() {
			for time.Now().Before(until) {
				if d, outcome := q.Take([]byte("one"), noon()); outcome != Decided {
					t.Errorf("outcome: got %s; want %s", outcome, Decided)
				} else if d.Allowed {
					admitted.Add(1)
				}
				time.Sleep(50 * time.Microsecond)
			}
		})
	}
	group.Wait()
	t.Logf("admitted %d, limit %d, bound %d", admitted.Load(), limit, most)
	if got := admitted.Load(); got < limit || got > most {
		t.Errorf("admitted %d; want from %d to %d", got, limit, most)
	}
	redistest.Await(t, 5*time.Second, "Redis has counted what was admitted", func() bool {
		used, err := quotas[0].Used([]byte("one"), noon())
		return err == nil && used == admitted.Load()
	})
	// More is found out about by every node.
	if _, err := quotas[0].Adjust([]byte("one"), noon(), -100); err != nil {
		t.Fatal(err)
	}
	for _, q := range quotas {
		redistest.Await(t, 5*time.Second, "a request passes again", func() bool {
			d, _ := q.Take([]byte("one"), noon())
			return d.Allowed
		})
	}
}

// What passes while Redis is away is counted when it is back.
func TestQuotaWithoutRedis(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Exact, Fast} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			c := client(t, Config{Addresses: []string{server.Address}, Nodes: 2, Interval: 5 * time.Millisecond})
			local := c.Quota("local", Allowance{Limit: 100}, mode, Local)
			open := c.Quota("open", Allowance{Limit: 100}, mode, Open)
			closed := c.Quota("closed", Allowance{Limit: 100}, mode, Closed)
			server.Freeze()
			redistest.Await(t, 5*time.Second, "away", func() bool { closed.Take([]byte("other"), noon()); return isAway(c) })
			count := func(q *Quota, outcome Outcome) (allowed int64) {
				t.Helper()
				for range 200 {
					d, got := q.Take([]byte("one"), noon())
					if got != outcome {
						t.Fatalf("outcome: got %s; want %s", got, outcome)
					}
					if d.Allowed {
						allowed++
					}
				}
				return allowed
			}
			if n := count(local, DecidedLocally); n != 50 {
				t.Errorf("local: %d are allowed; want 50, half of the limit", n)
			}
			if n := count(open, Opened); n != 200 {
				t.Errorf("open: %d are allowed; want all 200", n)
			}
			if n := count(closed, Refused); n != 0 {
				t.Errorf("closed: %d are allowed; want none", n)
			}
			open.Return([]byte("one"), noon(), Opened)
			if _, err := local.Used([]byte("one"), noon()); err == nil {
				t.Error("what was used can be told without Redis")
			}
			server.Thaw()
			for q, want := range map[*Quota]int64{local: 50, open: 199, closed: 0} {
				redistest.Await(t, 5*time.Second, "what has passed is counted", func() bool {
					used, err := q.Used([]byte("one"), noon())
					return err == nil && used == want
				})
			}
		})
	}
}

package plans

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/ratelimit"
)

// TestTogether counts requests of one key from many goroutines while it is
// rotated, its plan is changed, and the counts are written: not one more than
// the quota passes, none is lost, and every value is good as long as it should.
func TestTogether(t *testing.T) {
	o := Options{Directory: t.TempDir(), Flush: time.Millisecond}
	s := openAt(t, o)
	const limit = 20_000
	plan, k := gold(t, s, limit, ratelimit.Month)
	var value atomic.Pointer[string]
	value.Store(&k.Value)
	var allowed atomic.Int64
	var requests, changes sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		requests.Go(func() {
			for range limit/4 + 1000 {
				i, reason := s.Identify([]byte(*value.Load()))
				if i == nil {
					t.Errorf("the key is %s", reason)
					return
				}
				m, ok := i.Member("pets/prod")
				if !ok {
					t.Error("the key has left its plan")
					return
				}
				now := time.Now()
				if d, _ := m.Take(now); d.Allowed {
					allowed.Add(1)
					if d.Remaining%10 == 0 {
						m.Return(now)
						allowed.Add(-1)
					}
				}
				if b, r, ok := m.Method("/a/GET"); ok {
					b.Take(1, r, 0)
				}
			}
		})
	}
	change := func(do func() error) {
		changes.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := do(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	change(func() error {
		next, err := s.Rotate(k.Key.ID, time.Hour, "")
		if err == nil {
			value.Store(&next.Value)
			// Who has read the value before must have asked by now, for the rotation
			// after the next ends it.
			time.Sleep(20 * time.Millisecond)
		}
		return err
	})
	change(func() error {
		_, err := s.UpdatePlan(plan.ID, func(p *Plan) error {
			if p.Stages[0].Throttle == nil {
				p.Stages[0].Throttle = map[string]Throttle{"/a/GET": {1, 1}}
			} else {
				p.Stages[0].Throttle = nil
			}
			return nil
		})
		return err
	})
	change(func() error {
		if _, _, err := s.Keys(KeyFilter{}, Page{}); err != nil {
			return err
		}
		_, err := s.Usage(plan.ID, "", time.Now(), time.Now(), Page{})
		return err
	})
	change(func() error {
		d := Static{Keys: []StaticKey{{Name: "fix", Value: valueOf(1), Plans: []string{plan.ID}}}}
		if err := s.Publish(d); err != nil {
			return err
		}
		return s.Publish(Static{})
	})
	requests.Wait()
	close(done)
	changes.Wait()
	now := time.Now()
	left := takes(member(t, s, *value.Load(), "pets/prod"), now, limit)
	if total := allowed.Load() + int64(left); total != limit {
		t.Fatalf("got %d requests through a quota of %d", total, limit)
	}
	s = reopen(t, s, o)
	if got := member(t, s, *value.Load(), "pets/prod").Used(now); got != limit {
		t.Fatalf("used after a restart: got %d; want %d", got, limit)
	}
}

func TestDayTurnsOnce(t *testing.T) {
	clock := &hand{at: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	s := openAt(t, Options{Now: clock.now})
	plan, k := gold(t, s, MaxQuota, ratelimit.Month)
	m := member(t, s, k.Value, "pets/prod")
	const days, each = 20, 500
	for day := range days {
		at := clock.at.AddDate(0, 0, day-day%2) // two goroutines of a day before
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { takes(m, at, each/4) })
		}
		all.Wait()
	}
	u := must[Usage](t)(s.Usage(plan.ID, "", clock.at, clock.at.AddDate(0, 0, days), Page{}))
	sum := int64(0)
	for _, day := range u.Keys[0].Days {
		sum += day[0]
	}
	if sum != days*each {
		t.Fatalf("got %d requests on all days; want %d", sum, days*each)
	}
}

//go:build !race

package plans

import (
	"testing"
	"time"

	"weir/ratelimit"
)

func TestAllocNothing(t *testing.T) {
	s := openAt(t, Options{Directory: t.TempDir(), Flush: time.Hour})
	p := must[Plan](t)(s.CreatePlan(Plan{
		Name: "p", Quota: &Quota{Limit: MaxQuota, Offset: 1, Period: ratelimit.Month}, Throttle: &Throttle{1, 1},
		Stages: []Stage{{API: "pets", Stage: "prod", Throttle: map[string]Throttle{"/pets/GET": {1, 1}}}},
	}))
	k := must[Issued](t)(s.CreateKey(NewKey{Name: "one", Enabled: true}))
	must[Key](t)(s.AddPlanKey(p.ID, k.Key.ID))
	k = must[Issued](t)(s.Rotate(k.Key.ID, time.Hour, ""))
	value, unknown, id, now := []byte(k.Value), []byte(valueOf(1)), []byte(k.Key.ID), time.Now()
	f := func(what string, do func()) {
		t.Helper()
		if n := testing.AllocsPerRun(1000, do); n != 0 {
			t.Fatalf("%s: got %g allocations; want none", what, n)
		}
	}
	m := member(t, s, k.Value, "pets/prod")
	f("Identify", func() { s.Identify(value) })
	f("Identify, unknown", func() { s.Identify(unknown) })
	f("IdentifyID", func() { s.IdentifyID(id) })
	i, _ := s.Identify(value)
	f("Member", func() { i.Member("pets/prod") })
	f("Throttle and Method", func() { m.Throttle(); m.Method("/pets/GET") })
	f("Take, Used and Return", func() { m.Take(now); m.Used(now); m.Return(now) })
}

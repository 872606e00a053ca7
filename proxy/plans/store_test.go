package plans

import (
	"strings"
	"testing"
	"time"

	"weir/ratelimit"
)

func open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestKeyInPlan(t *testing.T) {
	s := open(t)
	plan, err := s.CreatePlan(Plan{Name: "gold", Stages: []Stage{{API: "pets", Stage: "prod", Throttle: map[string]Throttle{"/pets/GET": {1, 2}}}}, Quota: &Quota{Limit: 2, Period: ratelimit.Day}})
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.ImportCSV(strings.NewReader("key,NAME,usageplanids\n"+strings.Repeat("a", 30)+",one,"+plan.ID+"\n"), true)
	if err != nil {
		t.Fatal(err)
	}
	i, reason := s.Identify([]byte(strings.Repeat("a", 30)))
	if i == nil || i.KeyID() != in.IDs[0] {
		t.Fatalf("got %v, %s; want key %v", i, reason, in)
	}
	m, ok := i.Member("pets/prod")
	if !ok || m.Plan() != plan.ID {
		t.Fatalf("got %v, %v; want a member of %s", m, ok, plan.ID)
	}
	for n := range 3 {
		if d, _ := m.Take(time.Now()); d.Allowed != (n < 2) {
			t.Fatalf("request %d: got %v", n, d)
		}
	}
	m.Return(time.Now())
	if got := m.Used(time.Now()); got != 1 {
		t.Fatalf("used: got %d; want 1", got)
	}
	if _, _, ok := m.Method("/pets/GET"); !ok {
		t.Fatal("got no limit for the method")
	}
}

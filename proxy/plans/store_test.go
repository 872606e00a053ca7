package plans

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/ratelimit"
)

func TestKeyInPlan(t *testing.T) {
	s := open(t)
	plan := must[Plan](t)(s.CreatePlan(Plan{
		Name: "gold", Quota: &Quota{Limit: 2, Period: ratelimit.Day}, Throttle: &Throttle{5, 6},
		Stages: []Stage{{API: "pets", Stage: "prod", Throttle: map[string]Throttle{"/pets/GET": {1, 2}}}},
	}))
	k := must[Issued](t)(s.CreateKey(NewKey{Name: "one", Enabled: true}))
	must[Key](t)(s.AddPlanKey(plan.ID, k.Key.ID))
	m := member(t, s, k.Value, "pets/prod")
	if m.Plan() != plan.ID || m.Key() != k.Key.ID {
		t.Fatalf("got plan %q, key %q; want %q, %q", m.Plan(), m.Key(), plan.ID, k.Key.ID)
	}
	now := time.Now()
	if got := takes(m, now, 3); got != 2 {
		t.Fatalf("got %d of 3 through a quota of 2", got)
	}
	m.Return(now)
	if got := m.Used(now); got != 1 {
		t.Fatalf("used: got %d; want 1", got)
	}
	if b, r, ok := m.Throttle(); !ok || b == nil || r.Burst() != 6 {
		t.Fatalf("throttle: got %v, %v", r, ok)
	}
	b, r, ok := m.Method("/pets/GET")
	if !ok || r.Burst() != 2 {
		t.Fatalf("method: got %v, %v", r, ok)
	}
	if again, _, _ := m.Method("/pets/GET"); again != b {
		t.Fatal("the bucket of a method is another at each time")
	}
	if _, _, ok := m.Method("/pets/POST"); ok {
		t.Fatal("got a limit for a method that has none")
	}
	if i, _ := s.Identify([]byte(k.Value)); i != nil {
		if _, ok := i.Member("pets/test"); ok {
			t.Fatal("got a plan for another stage")
		}
	}
}

func TestIdentifyTellsWhyNot(t *testing.T) {
	clock := &hand{at: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	s := openAt(t, Options{Now: clock.now})
	k := must[Issued](t)(s.CreateKey(NewKey{Name: "one", Enabled: true}))
	f := func(value string, want Reason) {
		t.Helper()
		if i, got := s.Identify([]byte(value)); got != want || (i != nil) != (want == Known) {
			t.Fatalf("got %v, %s; want %s", i, got, want)
		}
	}
	f(k.Value, Known)
	f("", Malformed)
	f(strings.Repeat("a", MinValue-1), Malformed)
	f(strings.Repeat("a", MaxValue+1), Malformed)
	f(strings.Repeat("ä", MinValue), Malformed)
	f(strings.Repeat("a", MinValue), Unknown)
	f(k.Value+"a", Unknown)

	second := must[Issued](t)(s.Rotate(k.Key.ID, time.Hour, ""))
	f(k.Value, Known)
	f(second.Value, Known)
	if secrets, _ := s.SigningSecrets(k.Key.ID); len(secrets) != 2 || showSecret(secrets[0]) != second.SigningSecret || showSecret(secrets[1]) != k.SigningSecret {
		t.Fatalf("got %d signing secrets that are not the two that were shown", len(secrets))
	}
	third := must[Issued](t)(s.Rotate(k.Key.ID, time.Hour, strings.Repeat("b", 20)))
	f(k.Value, Unknown)
	f(second.Value, Known)
	clock.set(clock.now().Add(time.Hour))
	f(second.Value, Expired)
	f(third.Value, Known)
	if secrets, _ := s.SigningSecrets(k.Key.ID); len(secrets) != 1 || showSecret(secrets[0]) != third.SigningSecret {
		t.Fatalf("got %d signing secrets; want the newest", len(secrets))
	}

	must[Key](t)(s.UpdateKey(k.Key.ID, func(k *Key) error { k.Enabled = false; return nil }))
	f(third.Value, Disabled)
	if err := s.DeleteKey(k.Key.ID); err != nil {
		t.Fatal(err)
	}
	f(third.Value, Unknown)
}

func TestRefusals(t *testing.T) {
	s := open(t)
	s.SetStages(func(api, stage string) bool { return api != "absent" })
	key := must[Issued](t)(s.CreateKey(NewKey{Name: "one", Value: valueOf(1)})).Key.ID
	plan := must[Plan](t)(s.CreatePlan(Plan{Name: "a", Stages: stages("pets/prod", "shop/prod")})).ID
	other := must[Plan](t)(s.CreatePlan(Plan{Name: "b", Stages: stages("shop/prod")})).ID
	must[Key](t)(s.AddPlanKey(plan, key))
	if err := s.Publish(Static{
		Plans: []Plan{{ID: "fixed", Stages: stages("site/prod")}},
		Keys:  []StaticKey{{Name: "fix", Value: valueOf(2), Plans: []string{"fixed"}}},
	}); err != nil {
		t.Fatal(err)
	}
	fixed := must[Key](t)(s.FindKey(valueOf(2))).ID

	f := func(err, kind error, text string) {
		t.Helper()
		if !errors.Is(err, kind) || !strings.Contains(err.Error(), text) {
			t.Fatalf("got %v; want one that is %q and says %q", err, kind, text)
		}
	}
	create := func(n NewKey) error { _, err := s.CreateKey(n); return err }
	f(create(NewKey{Value: strings.Repeat("a", 19)}), ErrInvalid, "19 characters")
	f(create(NewKey{Value: strings.Repeat("a", 129)}), ErrInvalid, "129 characters")
	f(create(NewKey{Value: strings.Repeat("a", 20) + "!"}), ErrInvalid, "character 21")
	f(create(NewKey{Value: valueOf(1)}), ErrConflict, key)
	f(create(NewKey{Name: strings.Repeat("n", 1025)}), ErrInvalid, "name")

	plans := func(p Plan) error { _, err := s.CreatePlan(p); return err }
	limit := func(rate float64, burst int) Plan { return Plan{Name: "p", Throttle: &Throttle{rate, burst}} }
	f(plans(Plan{}), ErrInvalid, "name")
	f(plans(limit(0, 1)), ErrInvalid, "too small")
	f(plans(limit(-1, 1)), ErrInvalid, "too small")
	f(plans(limit(1e18, 1)), ErrInvalid, "too large")
	f(plans(limit(1, 0)), ErrInvalid, "burst of 0")
	f(plans(Plan{Name: "p", Quota: &Quota{Limit: 0}}), ErrInvalid, "limit of 0")
	f(plans(Plan{Name: "p", Quota: &Quota{Limit: 1, Offset: 2}}), ErrInvalid, "offset of 2")
	f(plans(Plan{Name: "p", Stages: stages("pets")}), ErrInvalid, "no name of an API")
	f(plans(Plan{Name: "p", Stages: stages("pets/prod", "pets/prod")}), ErrInvalid, "twice")
	f(plans(Plan{Name: "p", Stages: stages("absent/prod")}), ErrNotFound, `"absent/prod"`)
	methods := func(throttle map[string]Throttle) Plan {
		return Plan{Name: "p", Stages: []Stage{{API: "pets", Stage: "prod", Throttle: throttle}}}
	}
	f(plans(methods(map[string]Throttle{"pets/GET": {1, 1}})), ErrInvalid, "no path and method")
	f(plans(methods(map[string]Throttle{"/pets/": {1, 1}})), ErrInvalid, "no path and method")
	many := make(map[string]Throttle)
	for n := range 21 {
		many["/"+valueOf(n)+"/GET"] = Throttle{1, 1}
	}
	f(plans(methods(many)), ErrInvalid, "21 methods")

	add := func(plan, key string) error { _, err := s.AddPlanKey(plan, key); return err }
	f(add(plan, key), ErrConflict, "already")
	f(add(other, key), ErrConflict, plan)
	f(add("none", key), ErrNotFound, "none")
	f(add(plan, "none"), ErrNotFound, "none")
	_, err := s.UpdatePlan(plan, func(p *Plan) error { p.Stages = append(p.Stages, stages("site/prod")...); return nil })
	if err != nil {
		t.Fatal(err) // key is not in fixed
	}
	f(add("fixed", key), ErrConflict, "fixed")
	f(s.DeletePlan(plan), ErrConflict, "3 stages")

	f(s.DeleteKey(fixed), ErrStatic, "document")
	f(s.DeletePlan("fixed"), ErrStatic, "document")
	f(s.RemovePlanKey("fixed", fixed), ErrStatic, "document")
	f(s.RemovePlanKey("fixed", key), ErrNotFound, key)
	_, err = s.Rotate(fixed, 0, "")
	f(err, ErrStatic, "document")
	_, err = s.Rotate(key, -1, "")
	f(err, ErrInvalid, "overlap")
	_, _, err = s.Keys(KeyFilter{}, Page{Limit: 501})
	f(err, ErrInvalid, "501")
	f(s.SetRemaining(plan, key, 1), ErrConflict, "no quota")

	for n := range MaxPlansOfKey - 1 {
		must[Key](t)(s.AddPlanKey(must[Plan](t)(s.CreatePlan(Plan{Name: valueOf(n)})).ID, key))
	}
	f(add(must[Plan](t)(s.CreatePlan(Plan{Name: "eleventh"})).ID, key), ErrConflict, "at most 10")
}

func TestPages(t *testing.T) {
	s := open(t)
	for n := range 60 {
		must[Issued](t)(s.CreateKey(NewKey{Name: valueOf(n), CustomerID: []string{"a", "b"}[n%2]}))
	}
	f := func(filter KeyFilter, limit, want, wantPages int) {
		t.Helper()
		seen, pages, page := make(map[string]bool), 0, Page{Limit: limit}
		for {
			keys, next, err := s.Keys(filter, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range keys {
				seen[k.ID] = true
			}
			pages++
			if page.Position = next; next == "" {
				break
			}
		}
		if len(seen) != want || pages != wantPages {
			t.Fatalf("got %d keys on %d pages; want %d on %d", len(seen), pages, want, wantPages)
		}
	}
	f(KeyFilter{}, 0, 60, 3)
	f(KeyFilter{}, 60, 60, 1)
	f(KeyFilter{}, 59, 60, 2)
	f(KeyFilter{CustomerID: "a"}, 0, 30, 2)
	f(KeyFilter{NamePrefix: valueOf(1)[:39]}, 0, 10, 1)
	f(KeyFilter{NamePrefix: "none"}, 0, 0, 1)
}

func TestNothingIsWrittenWithoutNeed(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "data")
	s := openAt(t, Options{Directory: directory})
	if err := s.Publish(Static{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(directory); err == nil {
		t.Fatalf("got %v in the directory of a store with nothing to keep", entries)
	}
}

func TestMemoryOnlyWarnsOnce(t *testing.T) {
	log := newLines()
	s := openAt(t, Options{Log: logTo(log)})
	if n := log.count("memory only"); n != 0 {
		t.Fatalf("got %d warnings before there is anything to keep", n)
	}
	gold(t, s, 1, ratelimit.Day)
	if n := log.count("memory only"); n != 1 {
		t.Fatalf("got %d warnings; want 1", n)
	}
}

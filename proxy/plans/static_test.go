package plans

import (
	"errors"
	"strings"
	"testing"
	"time"

	"weir/ratelimit"
)

func TestPublish(t *testing.T) {
	s := open(t)
	now := time.Now()
	document := func(limit int64, names ...string) Static {
		d := Static{Plans: []Plan{{
			ID: "gold", Quota: &Quota{Limit: limit, Period: ratelimit.Month},
			Stages: []Stage{{API: "pets", Stage: "prod", Throttle: map[string]Throttle{"/a/GET": {1, 1}, "/b/GET": {1, 1}}}},
		}}}
		for n, name := range names {
			d.Keys = append(d.Keys, StaticKey{Name: name, Value: valueOf(n), Plans: []string{"gold"}})
		}
		return d
	}
	publish := func(d Static) {
		t.Helper()
		if err := errors.Join(s.Check(d), s.Publish(d)); err != nil {
			t.Fatal(err)
		}
	}
	publish(document(5, "one", "two"))
	run := must[Issued](t)(s.CreateKey(NewKey{Name: "run", Enabled: true}))
	must[Key](t)(s.AddPlanKey("gold", run.Key.ID))
	i, _ := s.Identify([]byte(valueOf(0)))
	m, _ := i.Member("pets/prod")
	bucket, _, _ := m.Method("/b/GET")
	takes(m, now, 3)
	takes(member(t, s, run.Value, "pets/prod"), now, 2)

	publish(document(6, "uno", "two")) // another name, the same value
	again, _ := s.Identify([]byte(valueOf(0)))
	m, _ = again.Member("pets/prod")
	if b, _, _ := m.Method("/b/GET"); again != i || b != bucket || m.Used(now) != 3 {
		t.Fatal("a reload has reset a key, a bucket or a count")
	}
	if k := must[Key](t)(s.Key(i.KeyID())); k.Name != "uno" || !k.Static {
		t.Fatalf("got %+v; want the new name", k)
	}
	if got := takes(m, now, 9); got != 3 {
		t.Fatalf("got %d more of 6 of which 3 were used", got)
	}

	publish(Static{})
	if _, reason := s.Identify([]byte(valueOf(0))); reason != Unknown {
		t.Fatalf("a key that is out of the document is %s", reason)
	}
	if r, _ := s.Identify([]byte(run.Value)); r == nil {
		t.Fatal("a key that was made at run time went with the document")
	} else if _, ok := r.Member("pets/prod"); ok {
		t.Fatal("a plan that is out of the document still is")
	}
	publish(document(6, "one"))
	if got := takes(member(t, s, run.Value, "pets/prod"), now, 9); got != 4 {
		t.Fatalf("got %d more of 6 of which 2 were used before the plan was away", got)
	}
	if got := takes(member(t, s, valueOf(0), "pets/prod"), now, 9); got != 0 {
		t.Fatalf("got %d more of 6 of which all were used before the key was away", got)
	}
}

func TestPublishRefusals(t *testing.T) {
	s := open(t)
	run := must[Issued](t)(s.CreateKey(NewKey{Name: "run", Value: valueOf(9), Enabled: true}))
	made := must[Plan](t)(s.CreatePlan(Plan{Name: "made", Stages: stages("shop/prod")}))
	good := Static{Plans: []Plan{{ID: "gold", Stages: stages("pets/prod")}}}
	if err := s.Publish(good); err != nil {
		t.Fatal(err)
	}
	must[Key](t)(s.AddPlanKey("gold", run.Key.ID))
	must[Key](t)(s.AddPlanKey(made.ID, run.Key.ID))

	f := func(d Static, kind error, texts ...string) {
		t.Helper()
		for _, err := range []error{s.Check(d), s.Publish(d)} {
			if !errors.Is(err, kind) {
				t.Fatalf("got %v; want one that is %q", err, kind)
			}
			for _, text := range texts {
				if !strings.Contains(err.Error(), text) {
					t.Fatalf("got %v; want one that says %q", err, text)
				}
			}
		}
		if i, _ := s.Identify([]byte(valueOf(9))); i == nil {
			t.Fatal("a bad document took a key away")
		} else if _, ok := i.Member("pets/prod"); !ok {
			t.Fatal("a bad document took a plan away")
		}
	}
	keys := func(keys ...StaticKey) Static { return Static{Keys: keys} }
	f(keys(StaticKey{Name: "a", Value: valueOf(1)}, StaticKey{Name: "a", Value: valueOf(2)}), ErrConflict, `two API keys "a"`)
	f(keys(StaticKey{Name: "a", Value: valueOf(1)}, StaticKey{Name: "b", Value: valueOf(1)}), ErrConflict, `"a" and "b"`)
	f(keys(StaticKey{Name: "a", Value: valueOf(9)}), ErrConflict, `"a"`, run.Key.ID)
	f(keys(StaticKey{Name: "a", Value: "short"}), ErrInvalid, `"a"`, "5 characters")
	f(keys(StaticKey{Name: "a", Value: valueOf(1), Plans: []string{"none"}}), ErrNotFound, `"a"`, `"none"`)
	f(Static{Plans: []Plan{{ID: "a"}, {ID: "a"}}}, ErrConflict, `two usage plans "a"`)
	f(Static{Plans: []Plan{{ID: made.ID}}}, ErrConflict, made.ID)
	f(Static{Plans: []Plan{{ID: "a", Throttle: &Throttle{}}}}, ErrInvalid, `"a"`, "too small")
	f(Static{Plans: []Plan{{ID: ""}}}, ErrInvalid)
	f(Static{
		Plans: []Plan{{ID: "a", Stages: stages("pets/prod")}, {ID: "b", Stages: stages("pets/prod")}},
		Keys:  []StaticKey{{Name: "a", Value: valueOf(1), Plans: []string{"a", "b"}}},
	}, ErrConflict, `"a" and "b"`, `"pets/prod"`)
	// A key of run time is in a plan of the document that would take a stage of
	// its other one.
	f(Static{Plans: []Plan{{ID: "gold", Stages: stages("pets/prod", "shop/prod")}}}, ErrConflict, run.Key.ID, "gold", made.ID)
}

package plans

import (
	"errors"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// model is what a store should be, in the simplest words.
type model struct {
	stages map[string][]string        // of each plan
	fixed  map[string]bool            // plans of the document
	keys   map[string]map[string]bool // values that are good, of each key
	in     map[string]map[string]bool // plans of each key, though they be away
}

func (m *model) plansOf(key string) (plans []string) {
	for plan := range m.in[key] {
		if _, ok := m.stages[plan]; ok {
			plans = append(plans, plan)
		}
	}
	return plans
}

// clash tells whether the key would have a stage twice, or too many plans.
func (m *model) clash(key string, stages map[string][]string, more ...string) bool {
	seen, plans := make(map[string]bool), 0
	for plan := range stages {
		if !m.in[key][plan] && !slices.Contains(more, plan) {
			continue
		}
		plans++
		for _, stage := range stages[plan] {
			if seen[stage] {
				return true
			}
			seen[stage] = true
		}
	}
	return plans > MaxPlansOfKey
}

func (m *model) with(plan string, stages []string) map[string][]string {
	next := make(map[string][]string)
	for id, s := range m.stages {
		next[id] = s
	}
	next[plan] = stages
	return next
}

// TestModel changes a store in random ways, over restarts, and holds it against
// the model after each: each key has each stage by the one plan it should.
func TestModel(t *testing.T) {
	names := []string{"a/x", "b/x", "c/x", "d/x"}
	rapid.Check(t, func(t *rapid.T) {
		directory, err := os.MkdirTemp("", "weir-plans")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(directory)
		o := Options{Directory: directory}
		s, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { s.Close() }()
		m := &model{make(map[string][]string), make(map[string]bool), make(map[string]map[string]bool), make(map[string]map[string]bool)}
		some := func(label string, of []string) string {
			return rapid.SampledFrom(append(slices.Sorted(slices.Values(of)), "none")).Draw(t, label)
		}
		keys := func() (ids []string) {
			for id := range m.keys {
				ids = append(ids, id)
			}
			return ids
		}
		plans := func() (ids []string) {
			for id := range m.stages {
				ids = append(ids, id)
			}
			return ids
		}
		want := func(err error, kinds ...error) bool {
			for _, kind := range kinds {
				if kind != nil {
					if !errors.Is(err, kind) {
						t.Fatalf("got %v; want %v", err, kind)
					}
					return false
				}
			}
			if err != nil {
				t.Fatalf("got %v; want none", err)
			}
			return true
		}
		when := func(is bool, kind error) error {
			if is {
				return kind
			}
			return nil
		}
		draw := func() []string {
			return rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 3, rapid.ID).Draw(t, "stages")
		}
		t.Repeat(map[string]func(*rapid.T){
			"create key": func(t *rapid.T) {
				k, err := s.CreateKey(NewKey{Name: "k", Enabled: true})
				want(err)
				m.keys[k.Key.ID], m.in[k.Key.ID] = map[string]bool{k.Value: true}, make(map[string]bool)
			},
			"rotate": func(t *rapid.T) {
				key := some("key", keys())
				k, err := s.Rotate(key, 0, "")
				if want(err, when(m.keys[key] == nil, ErrNotFound)) {
					m.keys[key] = map[string]bool{k.Value: true}
				}
			},
			"delete key": func(t *rapid.T) {
				key := some("key", keys())
				if want(s.DeleteKey(key), when(m.keys[key] == nil, ErrNotFound)) {
					delete(m.keys, key)
					delete(m.in, key)
				}
			},
			"create plan": func(t *rapid.T) {
				has := draw()
				p, err := s.CreatePlan(Plan{Name: "p", Stages: stages(has...)})
				want(err)
				m.stages[p.ID] = has
			},
			"update plan": func(t *rapid.T) {
				plan, has := some("plan", plans()), draw()
				_, err := s.UpdatePlan(plan, func(p *Plan) error { p.Stages = stages(has...); return nil })
				clash := slices.ContainsFunc(keys(), func(key string) bool { return m.in[key][plan] && m.clash(key, m.with(plan, has)) })
				if want(err, when(m.stages[plan] == nil && !slices.Contains(plans(), plan), ErrNotFound), when(m.fixed[plan], ErrStatic), when(clash, ErrConflict)) {
					m.stages[plan] = has
				}
			},
			"delete plan": func(t *rapid.T) {
				plan := some("plan", plans())
				if want(s.DeletePlan(plan), when(!slices.Contains(plans(), plan), ErrNotFound), when(m.fixed[plan], ErrStatic), when(len(m.stages[plan]) > 0, ErrConflict)) {
					delete(m.stages, plan)
					for _, in := range m.in {
						delete(in, plan)
					}
				}
			},
			"add": func(t *rapid.T) {
				plan, key := some("plan", plans()), some("key", keys())
				_, err := s.AddPlanKey(plan, key)
				absent := !slices.Contains(plans(), plan) || m.keys[key] == nil
				if want(err, when(absent, ErrNotFound), when(m.in[key][plan] || m.clash(key, m.stages, plan), ErrConflict)) {
					m.in[key][plan] = true
				}
			},
			"remove": func(t *rapid.T) {
				plan, key := some("plan", plans()), some("key", keys())
				if want(s.RemovePlanKey(plan, key), when(!slices.Contains(plans(), plan) || !m.in[key][plan], ErrNotFound)) {
					delete(m.in[key], plan)
				}
			},
			"publish": func(t *rapid.T) {
				next, fixed := make(map[string][]string), make(map[string]bool)
				for id, has := range m.stages {
					if !m.fixed[id] {
						next[id] = has
					}
				}
				var d Static
				for _, id := range []string{"gold", "iron"} {
					if rapid.Bool().Draw(t, id) {
						next[id], fixed[id] = draw(), true
						d.Plans = append(d.Plans, Plan{ID: id, Stages: stages(next[id]...)})
					}
				}
				clash := slices.ContainsFunc(keys(), func(key string) bool { return m.clash(key, next) })
				if want(s.Publish(d), when(clash, ErrConflict)) {
					m.stages, m.fixed = next, fixed
				}
			},
			"restart": func(t *rapid.T) {
				var d Static
				for id := range m.fixed {
					d.Plans = append(d.Plans, Plan{ID: id, Stages: stages(m.stages[id]...)})
				}
				want(s.Close())
				s, err = Open(o)
				want(err)
				want(s.Publish(d))
			},
			"": func(t *rapid.T) {
				for key, values := range m.keys {
					for value := range values {
						i, reason := s.Identify([]byte(value))
						if i == nil || i.KeyID() != key {
							t.Fatalf("key %s is %s", key, reason)
						}
						for _, stage := range names {
							var by string
							for _, plan := range m.plansOf(key) {
								if slices.Contains(m.stages[plan], stage) {
									by = plan
								}
							}
							got, ok := i.Member(stage)
							if ok != (by != "") || ok && got.Plan() != by {
								t.Fatalf("key %s has stage %s by plan %v, %v; want %q", key, stage, got, ok, by)
							}
						}
					}
				}
			},
		})
	})
}

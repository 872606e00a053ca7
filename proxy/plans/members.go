package plans

import (
	"maps"
	"slices"
)

// AddPlanKey puts a key into a plan. Either may stand in the document.
func (s *Store) AddPlanKey(plan, key string) (Key, error) {
	s.change.Lock()
	defer s.change.Unlock()
	i, err := s.mayJoin(plan, key)
	if err != nil {
		return Key{}, err
	}
	if err := s.file.commit([]put{putMember(plan, key)}); err != nil {
		return Key{}, err
	}
	s.state.Lock()
	defer s.state.Unlock()
	s.joined.add(plan, key)
	s.enrol(i)
	return s.shown(i), nil
}

// mayJoin returns the key, if it may come to the plan. The caller holds change.
func (s *Store) mayJoin(plan, key string) (*Identity, error) {
	i, live := s.keys[key], s.plans[plan]
	switch {
	case live == nil:
		return nil, noPlan(plan)
	case i == nil:
		return nil, noKey(key)
	case live.members[key]:
		return nil, refuse(ErrConflict, "API key %q is in usage plan %q already", key, plan)
	}
	return i, checkKeyInPlans(key, append(s.plansOf(key, nil), &live.plan))
}

// plansOf returns the plans that the key is in, one of them replaced if it has
// the id of instead.
func (s *Store) plansOf(key string, instead *Plan) []*Plan {
	var plans []*Plan
	for id, p := range s.plans {
		switch {
		case !p.members[key]:
		case instead != nil && instead.ID == id:
			plans = append(plans, instead)
		default:
			plans = append(plans, &p.plan)
		}
	}
	return plans
}

// checkKeyInPlans tells what a key's plans may not be together: more than
// MaxPlansOfKey, or two for one stage.
func checkKeyInPlans(key string, plans []*Plan) error {
	if len(plans) > MaxPlansOfKey {
		return refuse(ErrConflict, "API key %q would be in %d usage plans; at most %d are allowed", key, len(plans), MaxPlansOfKey)
	}
	by := make(map[string]string)
	for _, p := range plans {
		for _, stage := range p.Stages {
			name := stage.Name()
			if other, ok := by[name]; ok {
				return refuse(ErrConflict, "API key %q would have stage %q by two usage plans, %q and %q", key, name, min(other, p.ID), max(other, p.ID))
			}
			by[name] = p.ID
		}
	}
	return nil
}

// enrol gives the key its memberships anew. The caller holds change and state.
func (s *Store) enrol(i *Identity) {
	var in *membership
	for _, id := range slices.Sorted(maps.Keys(s.plans)) {
		live := s.plans[id]
		if s.joined.has(id, i.id) || s.stands.has(id, i.id) {
			live.members[i.id] = true
			in = &membership{s.use(id, i.id), live, in}
		} else {
			delete(live.members, i.id)
		}
	}
	i.plans.Store(in)
}

// PlanKeys returns a page of the keys in a plan, by their ids, and the position
// of the next one. With a name prefix only those.
func (s *Store) PlanKeys(plan, namePrefix string, page Page) (keys []Key, next string, err error) {
	s.state.RLock()
	defer s.state.RUnlock()
	live := s.plans[plan]
	if live == nil {
		return nil, "", noPlan(plan)
	}
	var ids []string
	for id := range live.members {
		if f := (KeyFilter{NamePrefix: namePrefix}); f.wants(&s.keys[id].key) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	ids, next, err = page.slice(ids)
	for _, id := range ids {
		keys = append(keys, s.shown(s.keys[id]))
	}
	return keys, next, err
}

// PlanKey returns a key of a plan.
func (s *Store) PlanKey(plan, key string) (Key, error) {
	s.state.RLock()
	defer s.state.RUnlock()
	if _, err := s.planWith(plan, key); err != nil {
		return Key{}, err
	}
	return s.shown(s.keys[key]), nil
}

// planWith returns the plan, if the key is in it. The caller holds change or state.
func (s *Store) planWith(plan, key string) (*livePlan, error) {
	live := s.plans[plan]
	switch {
	case live == nil:
		return nil, noPlan(plan)
	case !live.members[key]:
		return nil, notInPlan(plan, key)
	}
	return live, nil
}

// RemovePlanKey takes a key out of a plan. What it used is kept, and counts when
// it comes back.
func (s *Store) RemovePlanKey(plan, key string) error {
	s.change.Lock()
	defer s.change.Unlock()
	if _, err := s.planWith(plan, key); err != nil {
		return err
	}
	if s.stands.has(plan, key) {
		return refuse(ErrStatic, "the document puts API key %q into usage plan %q, and is where to take it out", key, plan)
	}
	if err := s.file.commit([]put{{inMembers, memberKey(plan, key), nil}}); err != nil {
		return err
	}
	s.state.Lock()
	defer s.state.Unlock()
	s.joined.remove(plan, key)
	s.enrol(s.keys[key])
	return nil
}

func notInPlan(plan, key string) error {
	return refuse(ErrNotFound, "API key %q is not in usage plan %q", key, plan)
}

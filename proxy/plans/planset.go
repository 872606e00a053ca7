package plans

import (
	"slices"
)

// CreatePlan makes a plan; its id is given.
func (s *Store) CreatePlan(p Plan) (Plan, error) {
	s.change.Lock()
	defer s.change.Unlock()
	p = p.clone()
	p.Static = false
	for p.ID = ""; p.ID == "" || s.plans[p.ID] != nil; {
		p.ID = random(lower, idLength)
	}
	live := newLivePlan()
	t, err := p.compile(live.slots)
	if err != nil {
		return Plan{}, err
	}
	if err := s.checkStages(p, Plan{}); err != nil {
		return Plan{}, err
	}
	if err := s.file.commit([]put{putPlan(p)}); err != nil {
		return Plan{}, err
	}
	live.plan = p
	live.terms.Store(t)
	s.state.Lock()
	defer s.state.Unlock()
	s.plans[p.ID] = live
	return p.clone(), nil
}

func newLivePlan() *livePlan {
	return &livePlan{slots: make(map[string]int), members: make(map[string]bool)}
}

// checkStages tells whether the stages that p has and before had not exist.
func (s *Store) checkStages(p, before Plan) error {
	s.state.RLock()
	exists := s.stages
	s.state.RUnlock()
	if exists == nil {
		return nil
	}
	for _, stage := range p.Stages {
		had := slices.ContainsFunc(before.Stages, func(b Stage) bool { return b.Name() == stage.Name() })
		if !had && !exists(stage.API, stage.Stage) {
			return refuse(ErrNotFound, "there is no stage %q", stage.Name())
		}
	}
	return nil
}

// Plan returns the plan with this id.
func (s *Store) Plan(id string) (Plan, error) {
	s.state.RLock()
	defer s.state.RUnlock()
	p := s.plans[id]
	if p == nil {
		return Plan{}, noPlan(id)
	}
	return p.plan.clone(), nil
}

// Plans returns a page of the plans, by their ids, and the position of the next
// one. With a key only those that it is in.
func (s *Store) Plans(key string, page Page) (plans []Plan, next string, err error) {
	s.state.RLock()
	defer s.state.RUnlock()
	if key != "" && s.keys[key] == nil {
		return nil, "", noKey(key)
	}
	var ids []string
	for id, p := range s.plans {
		if key == "" || p.members[key] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	ids, next, err = page.slice(ids)
	for _, id := range ids {
		plans = append(plans, s.plans[id].plan.clone())
	}
	return plans, next, err
}

// UpdatePlan changes a plan by a function that gets a copy. Requests have the
// new terms at once; counts and buckets go on.
func (s *Store) UpdatePlan(id string, change func(*Plan) error) (Plan, error) {
	s.change.Lock()
	defer s.change.Unlock()
	live, err := s.changeablePlan(id)
	if err != nil {
		return Plan{}, err
	}
	next := live.plan.clone()
	if err := change(&next); err != nil {
		return Plan{}, err
	}
	next = next.clone()
	next.ID, next.Static = id, false
	t, err := next.compile(live.slots)
	if err != nil {
		return Plan{}, err
	}
	if err := s.checkStages(next, live.plan); err != nil {
		return Plan{}, err
	}
	for key := range live.members {
		if err := checkKeyInPlans(key, s.plansOf(key, &next)); err != nil {
			return Plan{}, err
		}
	}
	if err := s.file.commit([]put{putPlan(next)}); err != nil {
		return Plan{}, err
	}
	s.state.Lock()
	defer s.state.Unlock()
	live.plan = next
	live.terms.Store(t)
	return next.clone(), nil
}

func (s *Store) changeablePlan(id string) (*livePlan, error) {
	p := s.plans[id]
	switch {
	case p == nil:
		return nil, noPlan(id)
	case p.plan.Static:
		return nil, refuse(ErrStatic, "usage plan %q stands in the document, and is changed there", id)
	}
	return p, nil
}

// DeletePlan ends a plan. As in AWS it must have no stages any more.
func (s *Store) DeletePlan(id string) error {
	s.change.Lock()
	defer s.change.Unlock()
	live, err := s.changeablePlan(id)
	if err != nil {
		return err
	}
	if n := len(live.plan.Stages); n > 0 {
		return refuse(ErrConflict, "usage plan %q has %d stages, of which %q is one: take them out first", id, n, live.plan.Stages[0].Name())
	}
	puts := []put{{inPlans, id, nil}}
	for key := range s.joined[id] {
		puts = append(puts, put{inMembers, memberKey(id, key), nil})
	}
	if err := s.file.commit(puts); err != nil {
		return err
	}
	s.state.Lock()
	defer s.state.Unlock()
	delete(s.plans, id)
	delete(s.joined, id)
	for key := range live.members {
		s.enrol(s.keys[key])
	}
	return nil
}

package plans

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Check tells what Publish would fail with, and changes nothing.
func (s *Store) Check(d Static) error {
	s.change.Lock()
	defer s.change.Unlock()
	_, err := s.prepare(d)
	return err
}

// Publish replaces what the document said before of plans and keys by what it
// says now. What is kept, and what was added to plans of the document at run
// time, stays; so do counts and buckets of what has the name of before. An
// error changes nothing.
func (s *Store) Publish(d Static) error {
	s.change.Lock()
	defer s.change.Unlock()
	next, err := s.prepare(d)
	if err != nil {
		return err
	}
	s.state.Lock()
	s.apply(next)
	s.state.Unlock()
	if len(d.Keys)+len(d.Plans) > 0 {
		s.file.begin() // ids and signing secrets must outlive the process; without it there is an alarm
	}
	return nil
}

// edition is a document, checked.
type edition struct {
	plans  map[string]*staticPlan
	keys   map[string]*Identity // new, for each key of the document
	stands roll
}

type staticPlan struct {
	plan  Plan
	terms *terms
	slots map[string]int
}

// prepare checks d against itself and against what is kept. The caller holds
// change.
func (s *Store) prepare(d Static) (*edition, error) {
	e := &edition{plans: make(map[string]*staticPlan), keys: make(map[string]*Identity), stands: make(roll)}
	for _, p := range d.Plans {
		if err := s.preparePlan(e, p.clone()); err != nil {
			return nil, err
		}
	}
	names, values := make(map[string]bool), make(map[digest]string)
	for _, k := range d.Keys {
		if names[k.Name] {
			return nil, refuse(ErrConflict, "there are two API keys %q", k.Name)
		}
		names[k.Name] = true
		if err := s.prepareKey(e, k, values); err != nil {
			return nil, err
		}
	}
	return e, s.checkEdition(e)
}

func (s *Store) preparePlan(e *edition, p Plan) error {
	if p.Name == "" {
		p.Name = p.ID
	}
	p.Static = true
	if p.ID == "" || strings.ContainsRune(p.ID, 0) {
		return invalid("id", "%q is no name of a usage plan", p.ID)
	}
	if e.plans[p.ID] != nil {
		return refuse(ErrConflict, "there are two usage plans %q", p.ID)
	}
	slots := make(map[string]int)
	if live := s.plans[p.ID]; live != nil && !live.plan.Static {
		return refuse(ErrConflict, "usage plan %q of the document has the id of the one named %q, which was made at run time", p.ID, live.plan.Name)
	} else if live != nil {
		slots = maps.Clone(live.slots)
	}
	t, err := p.compile(slots)
	if err != nil {
		return refuse(ErrInvalid, "usage plan %q: %s", p.ID, err)
	}
	e.plans[p.ID] = &staticPlan{p, t, slots}
	return nil
}

func (s *Store) prepareKey(e *edition, k StaticKey, values map[digest]string) error {
	if err := checkValue(k.Value, MinValue); err != nil {
		return refuse(ErrInvalid, "API key %q: %s", k.Name, err)
	}
	now := s.now().UTC().Truncate(time.Second)
	i := &Identity{key: Key{
		Name: k.Name, Description: k.Description, CustomerID: k.CustomerID,
		Enabled: !k.Disabled, Created: now, Updated: now, Tags: maps.Clone(k.Tags), Static: true,
	}}
	if err := i.key.check(); err != nil {
		return refuse(ErrInvalid, "API key %q: %s", k.Name, err)
	}
	d := s.secret.digest([]byte(k.Value))
	if other, ok := values[d]; ok {
		return refuse(ErrConflict, "API keys %q and %q have the same value", other, k.Name)
	}
	values[d] = k.Name
	if c := s.credentials.find(&d); c != nil && !c.identity.key.Static {
		return refuse(ErrConflict, "API key %q of the document has the value of API key %q (%s), which was made at run time", k.Name, c.identity.id, c.identity.key.Name)
	}
	i.id = s.secret.staticID(d)
	i.key.ID = i.id
	i.setCredentials(&credential{digest: d, identity: i, version: 1})
	if other := s.keys[i.id]; other != nil && !other.key.Static {
		return refuse(ErrConflict, "API key %q of the document would have the id %q of the one named %q", k.Name, i.id, other.key.Name)
	} else if other := e.keys[i.id]; other != nil {
		return refuse(ErrConflict, "API keys %q and %q would have the same id %q", other.key.Name, k.Name, i.id)
	}
	e.keys[i.id] = i
	for _, plan := range k.Plans {
		if live := s.plans[plan]; e.plans[plan] == nil && (live == nil || live.plan.Static) {
			return refuse(ErrNotFound, "API key %q: there is no usage plan %q", k.Name, plan)
		}
		e.stands.add(plan, i.id)
	}
	return nil
}

// checkEdition tells whether each key's plans may be together.
func (s *Store) checkEdition(e *edition) error {
	plansOf := make(map[string][]*Plan)
	for _, from := range []roll{e.stands, s.joined} {
		for id, keys := range from {
			p := s.planOf(e, id)
			if p == nil {
				continue
			}
			for key := range keys {
				if s.keyIn(e, key) && !slices.Contains(plansOf[key], p) {
					plansOf[key] = append(plansOf[key], p)
				}
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(plansOf)) {
		if err := checkKeyInPlans(key, plansOf[key]); err != nil {
			return err
		}
	}
	return nil
}

// planOf returns the plan that would have this id.
func (s *Store) planOf(e *edition, id string) *Plan {
	if p := e.plans[id]; p != nil {
		return &p.plan
	} else if live := s.plans[id]; live != nil && !live.plan.Static {
		return &live.plan
	}
	return nil
}

func (s *Store) keyIn(e *edition, id string) bool {
	i := s.keys[id]
	return e.keys[id] != nil || i != nil && !i.key.Static
}

// apply makes e what is live. The caller holds change and state.
func (s *Store) apply(e *edition) {
	for id, live := range s.plans {
		if live.plan.Static && e.plans[id] == nil {
			delete(s.plans, id)
		}
	}
	for id, p := range e.plans {
		live := s.plans[id]
		if live == nil {
			live = newLivePlan()
			s.plans[id] = live
		}
		live.plan, live.slots = p.plan, p.slots
		live.terms.Store(p.terms)
	}
	var gone, came []*Identity
	for id, i := range s.keys {
		if i.key.Static && e.keys[id] == nil {
			gone = append(gone, i)
			i.enabled.Store(false)
			i.plans.Store(nil)
			delete(s.keys, id)
		}
	}
	for id, next := range e.keys {
		i := s.keys[id]
		if i == nil {
			i = next
			s.keys[id] = i
			came = append(came, i)
		} else {
			next.key.Created = i.key.Created
			i.key = next.key
		}
		i.enabled.Store(i.key.Enabled)
	}
	s.stands = e.stands
	s.enrolAll()
	s.index(gone, came)
}

// enrolAll gives all keys their memberships. The caller holds change and state.
func (s *Store) enrolAll() {
	in := make(map[*Identity]*membership, len(s.keys))
	for _, id := range slices.Sorted(maps.Keys(s.plans)) {
		live := s.plans[id]
		clear(live.members)
		for _, keys := range []map[string]bool{s.joined[id], s.stands[id]} {
			for key := range keys {
				if i := s.keys[key]; i != nil && !live.members[key] {
					live.members[key] = true
					in[i] = &membership{s.use(id, key), live, in[i]}
				}
			}
		}
	}
	for _, i := range s.keys {
		i.plans.Store(in[i])
	}
}

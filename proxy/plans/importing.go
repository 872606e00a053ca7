package plans

import "io"

// Imported is what ImportCSV has made, and what it has not.
type Imported struct {
	IDs      []string
	Warnings []Warning
}

// arrival is a key that is being imported, and the plans it comes to.
type arrival struct {
	identity *Identity
	plans    []*Plan
}

// ImportCSV makes the keys of a CSV file (ReadKeys) and puts them into their
// plans, all at once. Lines that are bad are left out and named, or make the
// whole fail with failOnWarnings.
func (s *Store) ImportCSV(r io.Reader, failOnWarnings bool) (Imported, error) {
	lines, warnings, err := readLines(r)
	if err != nil {
		return Imported{}, err
	}
	s.change.Lock()
	defer s.change.Unlock()
	out := Imported{Warnings: warnings}
	var arrivals []arrival
	var puts []put
	ids := make(map[string]bool)
	for _, line := range lines {
		a, bad := s.arrive(line.key, ids)
		for _, err := range bad {
			out.Warnings = append(out.Warnings, Warning{line.line, err.Error()})
		}
		if a.identity == nil {
			continue
		}
		arrivals = append(arrivals, a)
		puts = append(puts, putKey(a.identity.key, a.identity.credentials()))
		for _, plan := range a.plans {
			puts = append(puts, putMember(plan.ID, a.identity.id))
		}
	}
	if failOnWarnings && len(out.Warnings) > 0 {
		return Imported{Warnings: out.Warnings}, refuse(ErrInvalid, "nothing is imported: %s", out.Warnings[0])
	}
	if err := s.file.commit(puts); err != nil {
		return Imported{}, err
	}
	s.state.Lock()
	defer s.state.Unlock()
	made := make([]*Identity, len(arrivals))
	for n, a := range arrivals {
		made[n] = a.identity
		out.IDs = append(out.IDs, a.identity.id)
		s.keys[a.identity.id] = a.identity
		for _, plan := range a.plans {
			s.joined.add(plan.ID, a.identity.id)
		}
		s.enrol(a.identity)
	}
	s.index(nil, made)
	return out, nil
}

// arrive makes a key of a line, with an id that is none of ids and becomes one,
// and tells what of the line is bad. The caller holds change.
func (s *Store) arrive(k StaticKey, ids map[string]bool) (a arrival, bad []error) {
	i, _, err := s.newIdentity(NewKey{Name: k.Name, Description: k.Description, Value: k.Value, Enabled: !k.Disabled}, MinImportedValue)
	if err != nil {
		return arrival{}, []error{err}
	}
	for ids[i.id] {
		i.id = random(lower, idLength)
		i.key.ID = i.id
	}
	ids[i.id] = true
	a.identity = i
	for _, id := range k.Plans {
		live := s.plans[id]
		err := noPlan(id)
		if live != nil {
			err = checkKeyInPlans(i.id, append(a.plans, &live.plan))
		}
		if err != nil {
			bad = append(bad, err)
			continue
		}
		a.plans = append(a.plans, &live.plan)
	}
	return a, bad
}

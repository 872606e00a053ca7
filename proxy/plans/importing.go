package plans

import "io"

// Imported is what ImportCSV has made, and what it has not.
type Imported struct {
	IDs      []string
	Warnings []Warning
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
	var (
		puts  []put
		made  []*Identity
		joins [][]string
		ids   = make(map[string]bool)
	)
	for _, line := range lines {
		k := line.key
		i, _, err := s.newIdentity(NewKey{Name: k.Name, Description: k.Description, Value: k.Value, Enabled: !k.Disabled}, MinImportedValue)
		if err != nil {
			out.Warnings = append(out.Warnings, Warning{line.line, err.Error()})
			continue
		}
		for ids[i.id] { // as likely as a meteorite, and as welcome
			i.id = random(lower, idLength)
			i.key.ID = i.id
		}
		ids[i.id] = true
		puts = append(puts, putKey(i.key, i.credentials()))
		var in []*Plan
		var plans []string
		for _, plan := range k.Plans {
			live := s.plans[plan]
			err := noPlan(plan)
			if live != nil {
				err = checkKeyInPlans(i.id, append(in, &live.plan))
			}
			if err != nil {
				out.Warnings = append(out.Warnings, Warning{line.line, err.Error()})
				continue
			}
			in, plans = append(in, &live.plan), append(plans, plan)
			puts = append(puts, putMember(plan, i.id))
		}
		made, joins = append(made, i), append(joins, plans)
	}
	if failOnWarnings && len(out.Warnings) > 0 {
		return Imported{Warnings: out.Warnings}, refuse(ErrInvalid, "nothing is imported: %s", out.Warnings[0])
	}
	if err := s.file.commit(puts); err != nil {
		return Imported{}, err
	}
	s.state.Lock()
	defer s.state.Unlock()
	for n, i := range made {
		s.keys[i.id] = i
		for _, plan := range joins[n] {
			s.joined.add(plan, i.id)
		}
		s.enrol(i)
		out.IDs = append(out.IDs, i.id)
	}
	s.index(nil, made)
	return out, nil
}

package plans

import (
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"time"
)

// DaysKept is how long usage is kept by day.
const DaysKept = 90

// Usage is what keys used of a plan on each day from From to To, both included.
type Usage struct {
	Plan     string
	From, To time.Time // midnights in UTC
	Keys     []KeyUsage
	Next     string // position of the next page
}

// KeyUsage is what one key used, by day: how much, and how much remained at the
// end, which is -1 where the plan had no quota.
type KeyUsage struct {
	Key  string
	Days [][2]int64
}

// Usage returns what the keys of a plan used, by their ids: those with any use
// in the time, or only the key that is named. Of what is longer ago than
// DaysKept nothing is known.
func (s *Store) Usage(plan, key string, from, to time.Time, page Page) (Usage, error) {
	s.state.RLock()
	defer s.state.RUnlock()
	live := s.plans[plan]
	first, last := dayOf(from), dayOf(to)
	switch {
	case live == nil:
		return Usage{}, noPlan(plan)
	case last < first:
		return Usage{}, invalid("endDate", "it is before startDate")
	case last-first >= DaysKept:
		return Usage{}, invalid("endDate", "%d days are asked for; at most %d are allowed", last-first+1, DaysKept)
	}
	out := Usage{Plan: plan, From: midnight(first), To: midnight(last)}
	var ids []string
	for id := range live.members {
		if key == "" || key == id {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	ids, next, err := page.slice(ids)
	if err != nil {
		return Usage{}, err
	}
	out.Next = next
	for _, id := range ids {
		out.Keys = append(out.Keys, KeyUsage{id, make([][2]int64, last-first+1)})
	}
	return out, nil
}

// SetRemaining gives a key what remains of its quota in the period that is now.
func (s *Store) SetRemaining(plan, key string, remaining int64) error {
	s.state.RLock()
	defer s.state.RUnlock()
	live := s.plans[plan]
	switch {
	case live == nil:
		return noPlan(plan)
	case !live.members[key]:
		return notInPlan(plan, key)
	case live.plan.Quota == nil:
		return refuse(ErrConflict, "usage plan %q has no quota", plan)
	case remaining < 0 || remaining > maxCount:
		return invalid("remaining", "%d is not in 0 to %d", remaining, int64(maxCount))
	}
	return nil
}

// UsageCSV writes what the keys of a plan used: a line for each key and day
// with any use.
func (s *Store) UsageCSV(w io.Writer, plan string, from, to time.Time) error {
	out := csv.NewWriter(w)
	out.Write([]string{"UsagePlanId", "KeyId", "Date", "Used", "Remaining"})
	for page := (Page{Limit: MaxPage}); ; {
		u, err := s.Usage(plan, "", from, to, page)
		if err != nil {
			return err
		}
		for _, k := range u.Keys {
			for i, day := range k.Days {
				if day[0] > 0 {
					out.Write([]string{plan, k.Key, u.From.AddDate(0, 0, i).Format(time.DateOnly), strconv.FormatInt(day[0], 10), strconv.FormatInt(day[1], 10)})
				}
			}
		}
		if page.Position = u.Next; page.Position == "" {
			break
		}
	}
	out.Flush()
	return out.Error()
}

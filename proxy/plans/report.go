package plans

import (
	"cmp"
	"encoding/csv"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"weir/ratelimit"
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
// in the time, deleted ones as well, or only the key that is named. Of what is
// longer ago than DaysKept nothing is known.
func (s *Store) Usage(plan, key string, from, to time.Time, page Page) (Usage, error) {
	first, last := dayOf(from), dayOf(to)
	if last < first {
		return Usage{}, invalid("endDate", "it is before startDate")
	} else if last-first >= DaysKept {
		return Usage{}, invalid("endDate", "%d days are asked for; at most %d are allowed", last-first+1, DaysKept)
	}
	uses, t, err := s.usesOf(plan, key)
	if err != nil {
		return Usage{}, err
	}
	ids := slices.Sorted(maps.Keys(uses))
	if _, _, err := page.slice(ids); err != nil {
		return Usage{}, err
	}
	out := Usage{Plan: plan, From: midnight(first), To: midnight(last)}
	limit := cmp.Or(page.Limit, DefaultPage)
	for _, id := range ids {
		if id <= page.Position {
			continue
		}
		days, any, err := s.days(uses[id], t, first, last)
		if err != nil {
			return Usage{}, err
		}
		if !any && key == "" {
			continue
		}
		if len(out.Keys) == limit {
			out.Next = out.Keys[limit-1].Key
			break
		}
		out.Keys = append(out.Keys, KeyUsage{id, days})
	}
	return out, nil
}

// usesOf returns what the keys of a plan have used, or one of them.
func (s *Store) usesOf(plan, key string) (map[string]*use, *terms, error) {
	s.state.RLock()
	defer s.state.RUnlock()
	live := s.plans[plan]
	switch {
	case live == nil:
		return nil, nil, noPlan(plan)
	case key == "":
		return maps.Clone(s.uses[plan]), live.terms.Load(), nil
	case s.uses[plan][key] == nil:
		return nil, nil, notInPlan(plan, key)
	}
	return map[string]*use{key: s.uses[plan][key]}, live.terms.Load(), nil
}

// days returns what a key used on each day from first to last, and whether it
// was anything. On a day without use there remains what did before.
func (s *Store) days(u *use, t *terms, first, last uint16) (days [][2]int64, any bool, err error) {
	known := make(map[uint16]dayUse)
	from, before := first, dayUse{remaining: noQuota}
	if t.quota != nil { // what remains on the first day comes from the days before
		start, _ := t.quota.Period.Window(midnight(first))
		from = dayOf(start)
	}
	r := u.snapshot() // before the file: what is forgotten here later, is there by then
	err = s.file.view(func(tx *bolt.Tx) error {
		prefix := memberKey(u.plan, u.key) + "\x00"
		at := tx.Bucket([]byte(inDays)).Cursor()
		for k, v := at.Seek([]byte(dayKey(u.plan, u.key, from))); k != nil && strings.HasPrefix(string(k), prefix); k, v = at.Next() {
			_, day := splitDay(k)
			value, _ := unseal(inDays, string(k), v)
			d, ok := decodeDay(day, value)
			if !ok {
				return refuse(ErrCorrupt, "the usage of API key %q on %s is damaged", u.key, midnight(day).Format(time.DateOnly))
			}
			if day > last {
				return nil
			}
			known[day] = d
		}
		return nil
	})
	for _, d := range r.ended {
		known[d.day] = d
	}
	if day, count := unpack(r.today); count > 0 {
		known[day] = dayUse{day, count, u.remaining(t, day)}
	}
	for day := from; day <= last; day++ {
		d, ok := known[day]
		if !ok {
			d = dayUse{day, 0, t.unused(u, dayOf(s.now()), day, before)}
		}
		if before = d; day >= first {
			any = any || d.used > 0
			days = append(days, [2]int64{d.used, d.remaining})
		}
	}
	return days, any, err
}

// unused returns what remains on a day without use, after the day before.
func (t *terms) unused(u *use, today, day uint16, before dayUse) int64 {
	if t.quota == nil {
		return noQuota
	}
	start, _ := t.quota.Period.Window(midnight(day))
	switch {
	case day == today: // SetRemaining counts
		return u.remaining(t, day)
	case before.remaining != noQuota && before.day >= dayOf(start):
		return before.remaining
	}
	return left(new(ratelimit.Usage), midnight(day), t.quotaOf(u))
}

// SetRemaining gives a key what remains of its quota in the period that is now,
// which may be more than its plan gives.
func (s *Store) SetRemaining(plan, key string, remaining int64) error {
	s.change.Lock()
	defer s.change.Unlock()
	live, err := s.planWith(plan, key)
	switch {
	case err != nil:
		return err
	case live.plan.Quota == nil:
		return refuse(ErrConflict, "usage plan %q has no quota", plan)
	case remaining < 0 || remaining > MaxQuota:
		return invalid("remaining", "%d is not in 0 to %d", remaining, int64(MaxQuota))
	}
	now, t, u := s.now(), live.terms.Load(), s.uses[plan][key]
	u.turn(t, dayOf(now))
	var next ratelimit.Usage
	start, used := u.quota.Load()
	next.Restore(start, used, ratelimit.Day)
	next.SetRemaining(now, t.quotaOf(u), remaining)
	r := u.snapshot()
	start, r.used = next.Load()
	r.start = dayOf(start)
	if err := s.file.commit(u.puts(nil, r)); err != nil {
		return err
	}
	u.quota.SetRemaining(now, t.quotaOf(u), remaining)
	u.mark() // a batch that was begun before may write the count before
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

package ratelimit

import (
	"fmt"
	"time"
)

// Period is how long a quota lasts, in UTC: a day, a week from Sunday, or a
// calendar month.
type Period uint8

// The periods, by their names in AWS's documents.
const (
	Day Period = iota
	Week
	Month
)

// ParsePeriod reads DAY, WEEK or MONTH.
func ParsePeriod(text string) (Period, error) {
	switch text {
	case "DAY":
		return Day, nil
	case "WEEK":
		return Week, nil
	case "MONTH":
		return Month, nil
	}
	return 0, fmt.Errorf("%q is no period: it is DAY, WEEK or MONTH", text)
}

func (p Period) String() string { return [...]string{"DAY", "WEEK", "MONTH"}[p] }

// Window returns the period that t is in: from start up to end, both midnights
// in UTC.
func (p Period) Window(t time.Time) (start, end time.Time) {
	from, to := p.days(t)
	return midnight(from), midnight(to)
}

const ofDay = 24 * 60 * 60

// days returns the days, counted from 1970, on which the period of t begins
// and ends, without what lies half a million days off.
func (p Period) days(t time.Time) (start, end int64) {
	seconds := min(max(t.Unix(), -mostDays*ofDay), mostDays*ofDay)
	day := seconds / ofDay
	if seconds%ofDay < 0 {
		day--
	}
	switch p {
	case Week:
		start = day - (((day+4)%7 + 7) % 7) // day 0 was a Thursday
		return start, start + 7
	case Month:
		y, m, d := time.Unix(seconds, 0).UTC().Date()
		start = day - int64(d-1)
		return start, start + int64(time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day())
	}
	return day, day + 1
}

// midnight returns when the day begins.
func midnight(day int64) time.Time { return time.Unix(day*ofDay, 0).UTC() }

// Quota is how much may be used in each period. Like in AWS, Offset is
// subtracted from Limit in the first period, which is the one that First is in;
// with the zero First there is none.
type Quota struct {
	Limit, Offset int64
	Period        Period
	First         time.Time
}

// limit returns how much may be used in the period that begins on the day start.
func (q Quota) limit(start int64) int64 {
	limit := q.Limit
	if q.Offset != 0 && !q.First.IsZero() {
		// A counter that was kept by another period begins within this one.
		if first, end := q.Period.days(q.First); first <= start && start < end {
			limit -= q.Offset
		}
	}
	return min(max(limit, 0), mostUsed)
}

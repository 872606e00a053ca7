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
	y, m, d := t.UTC().Date()
	switch p {
	case Week:
		start = time.Date(y, m, d-int(t.UTC().Weekday()), 0, 0, 0, 0, time.UTC)
		return start, start.AddDate(0, 0, 7)
	case Month:
		start = time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
		return start, start.AddDate(0, 1, 0)
	}
	start = time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	return start, start.AddDate(0, 0, 1)
}

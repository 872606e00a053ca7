package policy

import "time"

// dateOf reads an HTTP-date in all three forms (RFC 9110 §5.6.7), without regard
// to case (RFC 9111 §4.2), as Unix seconds. now, in Unix seconds, tells the
// century of a year of two digits.
func dateOf(value []byte, now int64) (int64, bool) {
	s := dateScanner{rest: trim(value), ok: true}
	switch day := s.letters(); {
	case !s.ok || !isWeekday(day):
		return 0, false
	case len(s.rest) > 0 && s.rest[0] == ' ':
		return s.asctime()
	case len(day) == 3:
		return s.fixdate()
	default:
		return s.rfc850(now)
	}
}

// dateScanner takes the parts of a date one by one. ok stays false after the
// first that is not there.
type dateScanner struct {
	rest []byte
	ok   bool
}

// fixdate reads ", 06 Nov 1994 08:49:37 GMT".
func (s *dateScanner) fixdate() (int64, bool) {
	s.text(", ")
	day := s.number(2)
	s.text(" ")
	month := s.month()
	s.text(" ")
	year := s.number(4)
	s.text(" ")
	clock := s.clock()
	s.text(" gmt")
	return s.unix(year, month, day, clock)
}

// rfc850 reads ", 06-Nov-94 08:49:37 GMT". A year that seems to be more than 50
// years ahead is the latest past one that ends so.
func (s *dateScanner) rfc850(now int64) (int64, bool) {
	s.text(", ")
	day := s.number(2)
	s.text("-")
	month := s.month()
	s.text("-")
	year := s.number(2)
	s.text(" ")
	clock := s.clock()
	s.text(" gmt")
	today := time.Unix(now, 0).UTC()
	year += today.Year() / 100 * 100
	unix, ok := s.unix(year, month, day, clock)
	if unix > today.AddDate(50, 0, 0).Unix() {
		return s.unix(year-100, month, day, clock)
	}
	return unix, ok
}

// asctime reads " Nov  6 08:49:37 1994".
func (s *dateScanner) asctime() (int64, bool) {
	s.text(" ")
	month := s.month()
	s.text(" ")
	day := 0
	if s.ok && len(s.rest) > 0 && s.rest[0] == ' ' {
		s.text(" ")
		day = s.number(1)
	} else {
		day = s.number(2)
	}
	s.text(" ")
	clock := s.clock()
	s.text(" ")
	return s.unix(s.number(4), month, day, clock)
}

func (s *dateScanner) unix(year int, month time.Month, day, clock int) (int64, bool) {
	if !s.ok || len(s.rest) > 0 || year < 1 || day < 1 {
		return 0, false
	}
	date := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	if date.Day() != day {
		return 0, false
	}
	return date.Unix() + int64(clock), true
}

// clock reads hh:mm:ss, the 60th second included, as seconds of the day.
func (s *dateScanner) clock() int {
	hour := s.number(2)
	s.text(":")
	minute := s.number(2)
	s.text(":")
	second := s.number(2)
	s.ok = s.ok && hour < 24 && minute < 60 && second <= 60
	return hour*3600 + minute*60 + second
}

func (s *dateScanner) month() time.Month {
	name := s.letters()
	for i, month := range [...]string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"} {
		if isFold(name, month) {
			return time.Month(i + 1)
		}
	}
	s.ok = false
	return 0
}

func (s *dateScanner) letters() []byte {
	n := 0
	for n < len(s.rest) && lowered(s.rest[n]) >= 'a' && lowered(s.rest[n]) <= 'z' {
		n++
	}
	taken := s.rest[:n]
	s.rest = s.rest[n:]
	return taken
}

func (s *dateScanner) number(size int) int {
	if len(s.rest) < size {
		s.ok = false
		return 0
	}
	n := 0
	for _, c := range s.rest[:size] {
		if c < '0' || c > '9' {
			s.ok = false
			return 0
		}
		n = n*10 + int(c-'0')
	}
	s.rest = s.rest[size:]
	return n
}

func (s *dateScanner) text(lower string) {
	if len(s.rest) < len(lower) || !isFold(s.rest[:len(lower)], lower) {
		s.ok = false
		return
	}
	s.rest = s.rest[len(lower):]
}

// isWeekday knows the names; that they fit the date is not asked for, as nothing
// depends on them.
func isWeekday(name []byte) bool {
	for _, day := range [...]string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"} {
		if isFold(name, day) || isFold(name, day[:3]) {
			return true
		}
	}
	return false
}

package snapshot

import "time"

// moment is an instant by two clocks.
type moment struct {
	wall    int64  // Unix nanoseconds
	running int64  // nanoseconds since the system began, suspended or not
	boot    string // which run of the system, "" if it is not known
}

// since returns how much time has passed since before: never less than has, as
// long as one of the clocks is right. It is not known if the wall clock stands
// before where it stood, and the system was started anew.
func (m moment) since(before moment) (passed time.Duration, known bool) {
	passed = time.Duration(m.wall - before.wall)
	if m.boot != "" && m.boot == before.boot && m.running >= before.running {
		return max(passed, time.Duration(m.running-before.running)), true
	}
	return passed, passed >= 0
}

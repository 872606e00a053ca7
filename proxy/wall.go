package proxy

import (
	"sync/atomic"
	"time"
)

// wall tells the time of the system's clock, for what goes by the calendar. It
// reads that clock ten times a second and counts on between, which is cheaper.
// The start of an exchange would not do: its clock does not follow when the
// system's is set. It may be used by many goroutines at once.
type wall struct{ read atomic.Pointer[time.Time] }

// wallAge is how long a reading is good.
const wallAge = 100 * time.Millisecond

// at returns what the clock shows at a moment of now or not long ago, which
// carries monotonic time.
func (w *wall) at(moment time.Time) time.Time {
	if read := w.read.Load(); read != nil {
		if age := moment.Sub(*read); age >= 0 && age < wallAge {
			return read.Add(age)
		}
	}
	now := time.Now()
	w.read.Store(&now)
	return now
}

package wire

import "time"

var epoch = time.Now()

// Now returns nanoseconds of monotonic time since the process began. All
// limits of a Sock are on this clock. Safe for concurrent use.
func Now() int64 { return int64(time.Since(epoch)) }

// Time turns a reading of Now into wall-clock time.
func Time(now int64) time.Time { return epoch.Add(time.Duration(now)) }

// At turns t into a reading of Now. It is never 0, which limits read as none.
func At(t time.Time) int64 { return max(int64(t.Sub(epoch)), 1) }

// After returns the limit that is d after a reading of Now; 0, which is none,
// for a d of 0 or less.
func After(from int64, d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return from + int64(d)
}

package ratelimit

import "time"

// Clock counts nanoseconds from a fixed moment and never goes back, whatever
// is done to the clock of the system. It may be read by many goroutines.
type Clock struct{ start time.Time }

// NewClock returns a clock that begins now.
func NewClock() *Clock { return &Clock{start: time.Now()} }

// Now reads the clock.
func (c *Clock) Now() int64 { return int64(time.Since(c.start)) }

// At returns what the clock showed at t, which must carry monotonic time.
func (c *Clock) At(t time.Time) int64 { return int64(t.Sub(c.start)) }

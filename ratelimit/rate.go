package ratelimit

import (
	"fmt"
	"math"
	"math/bits"
	"time"
)

// Bounds of what NewRate takes. Within them no sum of a bucket overflows, and
// whole nanoseconds are off by less than one percent.
const (
	MaxPerSecond = 10_000_000
	MinPerSecond = 1.0 / (31 * 24 * 3600)
	MaxBurst     = 1_000_000_000
)

// maxSpan is the longest that a bucket may take to fill up.
const maxSpan = 100 * 365 * 24 * time.Hour

// Rate is how fast tokens come and how many are kept. The zero value lets
// nothing pass; NewRate makes one. It is immutable.
type Rate struct {
	every int64 // nanoseconds between two tokens, rounded up: never too many pass
	burst int64
}

// NewRate returns the rate of perSecond tokens, of which up to burst are kept
// for later. The error says what is out of bounds.
func NewRate(perSecond float64, burst int) (Rate, error) {
	switch {
	case math.IsNaN(perSecond) || perSecond < MinPerSecond:
		return Rate{}, fmt.Errorf("a rate of %g a second is too small: the least is one in 31 days", perSecond)
	case perSecond > MaxPerSecond:
		return Rate{}, fmt.Errorf("a rate of %g a second is too large: the most is %d", perSecond, MaxPerSecond)
	case burst < 1:
		return Rate{}, fmt.Errorf("a burst of %d lets nothing pass: the least is 1", burst)
	case burst > MaxBurst:
		return Rate{}, fmt.Errorf("a burst of %d is too large: the most is %d", burst, MaxBurst)
	}
	r := Rate{every: int64(math.Ceil(1e9 / perSecond)), burst: int64(burst)}
	if float64(r.every)*float64(r.burst) > float64(maxSpan) {
		return Rate{}, fmt.Errorf("a burst of %d at %g a second takes more than 100 years to come back", burst, perSecond)
	}
	return r, nil
}

// Every returns the time between two tokens.
func (r Rate) Every() time.Duration { return time.Duration(r.every) }

// Burst returns how many tokens are kept.
func (r Rate) Burst() int64 { return r.burst }

// String returns the rate as in "10/s, burst 20", by the largest unit in which
// it is at least one.
func (r Rate) String() string {
	if r.burst == 0 {
		return "nothing"
	}
	unit, name := time.Second, "s"
	if r.every > int64(time.Hour) {
		unit, name = 24*time.Hour, "day"
	} else if r.every > int64(time.Minute) {
		unit, name = time.Hour, "h"
	} else if r.every > int64(time.Second) {
		unit, name = time.Minute, "min"
	}
	return fmt.Sprintf("%.6g/%s, burst %d", float64(unit)/float64(r.every), name, r.burst)
}

// key tells rates apart in a table.
func (r Rate) key() uint64 {
	return proper(bits.RotateLeft64(uint64(r.every)*golden, 32) ^ uint64(r.burst))
}

// Decision is what became of one attempt. With the zero Rate nothing is ever
// allowed, and all of it is zero.
type Decision struct {
	// Allowed tells whether the attempt may go on, after Wait.
	Allowed bool
	// Wait is how long an allowed attempt has to be held back, which is 0 without
	// delay, or after how long a refused one would be allowed if nobody came before.
	Wait time.Duration
	// Remaining is how many tokens are left now.
	Remaining int64
	// Reset is how long the bucket takes to be full again.
	Reset time.Duration
}

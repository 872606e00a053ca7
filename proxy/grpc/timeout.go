package grpc

import (
	"math"
	"strconv"
	"time"
)

// timeoutDigits is how many digits grpc-timeout has at most.
const timeoutDigits = 8

// units from the finest on: AppendTimeout takes the first that fits.
var units = [...]struct {
	name byte
	is   time.Duration
}{
	{'n', time.Nanosecond}, {'u', time.Microsecond}, {'m', time.Millisecond},
	{'S', time.Second}, {'M', time.Minute}, {'H', time.Hour},
}

// ParseTimeout reads the value of grpc-timeout: one to eight digits and a unit.
// What is longer than a Duration can be becomes the longest.
func ParseTimeout(b []byte) (time.Duration, bool) {
	if len(b) < 2 || len(b) > timeoutDigits+1 {
		return 0, false
	}
	n := int64(0)
	for _, c := range b[:len(b)-1] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	for _, u := range units {
		if b[len(b)-1] != u.name {
			continue
		}
		if n > math.MaxInt64/int64(u.is) {
			return math.MaxInt64, true
		}
		return time.Duration(n) * u.is, true
	}
	return 0, false
}

// AppendTimeout appends d as a value of grpc-timeout, cut to what eight digits
// can say. No time left is "0n".
func AppendTimeout(dst []byte, d time.Duration) []byte {
	const most = 99_999_999
	d = max(d, 0)
	for _, u := range units {
		if n := int64(d / u.is); n <= most {
			return append(strconv.AppendInt(dst, n, 10), u.name)
		}
	}
	panic("BUG: a duration longer than 99999999 hours")
}

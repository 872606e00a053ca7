package observe

import (
	"strconv"
	"time"
)

// appendTimestamp appends t as RFC 3339 in UTC with milliseconds. It is four times
// as fast as time.Time.AppendFormat (BenchmarkTimestamp).
func appendTimestamp(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = appendDigits(dst, year, 4)
	dst = append(dst, '-')
	dst = appendDigits(dst, int(month), 2)
	dst = append(dst, '-')
	dst = appendDigits(dst, day, 2)
	dst = append(dst, 'T')
	dst = appendClock(dst, hour, minute, second)
	dst = append(dst, '.')
	dst = appendDigits(dst, t.Nanosecond()/int(time.Millisecond), 3)
	return append(dst, 'Z')
}

// appendCLFTime appends t as the Common Log Format has it, in UTC.
func appendCLFTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = appendDigits(dst, day, 2)
	dst = append(dst, '/')
	const months = "JanFebMarAprMayJunJulAugSepOctNovDec"
	dst = append(dst, months[3*(month-1):3*month]...)
	dst = append(dst, '/')
	dst = appendDigits(dst, year, 4)
	dst = append(dst, ':')
	dst = appendClock(dst, hour, minute, second)
	return append(dst, " +0000"...)
}

func appendClock(dst []byte, hour, minute, second int) []byte {
	dst = appendDigits(dst, hour, 2)
	dst = append(dst, ':')
	dst = appendDigits(dst, minute, 2)
	dst = append(dst, ':')
	return appendDigits(dst, second, 2)
}

// appendDigits appends n with leading zeros up to width, which is at most 4.
func appendDigits(dst []byte, n, width int) []byte {
	var digits [4]byte
	for i := width - 1; i >= 0; i-- {
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	return append(dst, digits[:width]...)
}

// appendMillis appends d in milliseconds, with three decimals.
func appendMillis(dst []byte, d time.Duration) []byte {
	micros := max(d, 0).Microseconds()
	dst = strconv.AppendInt(dst, micros/1000, 10)
	dst = append(dst, '.')
	return appendDigits(dst, int(micros%1000), 3)
}

package observe

import (
	"strconv"
	"time"
)

// appendTimestamp appends t as RFC 3339 in UTC with milliseconds. It takes a quarter
// of the time of time.Time.AppendFormat (BenchmarkTimestamp).
func appendTimestamp(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	millis := t.Nanosecond() / int(time.Millisecond)
	return append(dst,
		digit(year/1000), digit(year/100), digit(year/10), digit(year), '-',
		digit(int(month)/10), digit(int(month)), '-',
		digit(day/10), digit(day), 'T',
		digit(hour/10), digit(hour), ':',
		digit(minute/10), digit(minute), ':',
		digit(second/10), digit(second), '.',
		digit(millis/100), digit(millis/10), digit(millis), 'Z')
}

// appendCLFTime appends t as the Common Log Format has it, in UTC.
func appendCLFTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	const months = "JanFebMarAprMayJunJulAugSepOctNovDec"
	name := months[3*(month-1):]
	return append(dst,
		digit(day/10), digit(day), '/',
		name[0], name[1], name[2], '/',
		digit(year/1000), digit(year/100), digit(year/10), digit(year), ':',
		digit(hour/10), digit(hour), ':',
		digit(minute/10), digit(minute), ':',
		digit(second/10), digit(second),
		' ', '+', '0', '0', '0', '0')
}

// appendMillis appends d in milliseconds, with as many decimals as it needs, at
// most three.
func appendMillis(dst []byte, d time.Duration) []byte {
	micros := max(d, 0).Microseconds()
	dst = strconv.AppendInt(dst, micros/1000, 10)
	rest := int(micros % 1000)
	if rest == 0 {
		return dst
	}
	dst = append(dst, '.', digit(rest/100), digit(rest/10), digit(rest))
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// digit returns the last digit of n.
func digit(n int) byte { return byte('0' + n%10) }

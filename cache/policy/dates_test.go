package policy

import (
	"testing"
	"time"
)

func TestDates(t *testing.T) {
	f := func(value, want string) {
		t.Helper()
		got := "none"
		if unix, ok := dateOf([]byte(value), then.Unix()); ok {
			got = time.Unix(unix, 0).UTC().Format("2006-01-02 15:04:05")
		}
		if got != want {
			t.Errorf("%q: got %s; want %s", value, got, want)
		}
	}
	f("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06 08:49:37")
	f("Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06 08:49:37")
	f("Sun Nov  6 08:49:37 1994", "1994-11-06 08:49:37")
	f("Sun Nov 16 08:49:37 1994", "1994-11-16 08:49:37")
	f(" sUN, 06 nOV 1994 08:49:37 gmt\t", "1994-11-06 08:49:37")
	f("Mon, 06 Nov 1994 08:49:37 GMT", "1994-11-06 08:49:37")
	f("Thursday, 18-Aug-50 02:01:18 GMT", "2050-08-18 02:01:18")
	f("Thursday, 18-Aug-76 02:01:18 GMT", "2076-08-18 02:01:18")
	f("Thursday, 18-Aug-77 02:01:18 GMT", "1977-08-18 02:01:18")
	f("Thursday, 24-Nov-76 12:00:00 GMT", "2076-11-24 12:00:00")
	f("Thursday, 24-Nov-76 12:00:01 GMT", "1976-11-24 12:00:01")
	f("Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31 23:59:59")
	f("Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01 00:00:00")
	f("Mon, 01 Jan 0001 00:00:00 GMT", "0001-01-01 00:00:00")
	f("Sat, 31 Dec 2016 23:59:60 GMT", "2017-01-01 00:00:00")
	f("Thu, 29 Feb 2024 00:00:00 GMT", "2024-02-29 00:00:00")
	for _, broken := range []string{
		"", "0", "-1", "foo", "Sun", "Sun,", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 AEST",
		"Sun, 06 Nov 94 08:49:37 GMT", "Sun 06 Nov 1994 08:49:37 GMT", "Sun, 06  Nov  1994 08:49:37 GMT", "Sun, 06-Nov-1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08.49.37 GMT", "Sun, 06 Nov 1994 8:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT",
		"Thu, 29 Feb 2023 00:00:00 GMT", "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 0000 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
		"Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 1994 08:49:37 GMT x", "Sun, 06 Nov 1994 08:49:37 GMT+1",
		"Sun, 06 Nvo 1994 08:49:37 GMT", "Xyz, 06 Nov 1994 08:49:37 GMT", "Sunday, 06 Nov 1994 08:49:37 GMT", "Sun Nov 6 08:49:37 1994",
		"Sun Nov  6 08:49:37 1994 GMT", "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
	} {
		f(broken, "none")
	}
}

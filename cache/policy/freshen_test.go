package policy

import (
	"strings"
	"testing"
	"time"
)

func TestFreshen(t *testing.T) {
	later := then.Add(100 * time.Second)
	f := func(rules Rules, stored, status, came, want string) {
		t.Helper()
		var a, b Answer
		a.Begin(200, then, then)
		gather(&a, stored)
		first := rules.Judge(&Request{}, &a)
		if !first.Store {
			t.Fatalf("%s: not stored: %s", stored, first.Why)
		}
		b.Begin(304, later, later)
		if status == "head" {
			b.Begin(200, later, later)
		}
		gather(&b, came)
		v := rules.Freshen(&Request{}, &first.Terms, &b)
		got := describe(&v, " age ")
		if v.Terms.NoCache {
			got += " no-cache"
		}
		if v.Terms.MustRevalidate {
			got += " must"
		}
		if v.Store && string(v.Terms.ETag) != `"a"` {
			got += " etag " + string(v.Terms.ETag)
		}
		if got != want {
			t.Errorf("%s, then %s: got %q; want %q", stored, came, got, want)
		}
	}
	const base = `ETag: "a"`
	// What is not said stays; the age begins anew.
	f(Rules{}, base+"|Cache-Control: max-age=60, must-revalidate|Age: 50", "304", "", "stored max-age 60s age 0s must")
	f(Rules{}, base+"|Cache-Control: max-age=60", "304", "Age: 7|Date: {+100}", "stored max-age 60s age 7s")
	f(Rules{}, base+"|Cache-Control: max-age=60", "304", "Cache-Control: max-age=5", "stored max-age 5s age 0s")
	f(Rules{}, base+"|Cache-Control: max-age=60, must-revalidate", "304", "Cache-Control: max-age=5", "stored max-age 5s age 0s")
	f(Rules{}, base+"|Cache-Control: max-age=60", "304", "Cache-Control: no-cache", "stored nothing 0s age 0s no-cache")
	f(Rules{}, base+"|Cache-Control: max-age=60", "304", "Expires: {+9000}", "stored max-age 60s age 0s")
	f(Rules{}, base+"|Cache-Control: max-age=60", "304", "Cache-Control: no-store", "not holds no longer: no-store, private or Vary: *")
	f(Rules{}, base+"|Cache-Control: max-age=60", "304", "Cache-Control: private", "not holds no longer: no-store, private or Vary: *")
	f(Rules{}, base+"|Cache-Control: s-maxage=60", "304", "Cache-Control: max-age=5", "stored max-age 5s age 0s")
	// Expires is a time.
	f(Rules{}, base+"|Expires: {+600}", "304", "", "stored Expires 500s age 0s")
	f(Rules{}, base+"|Expires: {+600}", "304", "Expires: {+800}", "stored Expires 700s age 0s")
	f(Rules{}, base+"|Expires: {+600}", "304", "Cache-Control: public", "stored Expires 500s age 0s")
	f(Rules{}, base+"|Expires: {+600}", "304", "Cache-Control: max-age=1", "stored max-age 1s age 0s")
	f(Rules{}, base+"|Expires: {+60}", "304", "", "stored Expires 0s age 0s")
	// Heuristics begin anew.
	f(Rules{Heuristic: 0.1}, base+"|Last-Modified: {-900}", "304", "", "stored heuristic 100s age 0s")
	f(Rules{Heuristic: 0.1}, base+"|Last-Modified: {-900}", "304", "Last-Modified: {+0}", "stored heuristic 10s age 0s")
	f(Rules{TTL: time.Minute}, base, "304", "", "stored rules 60s age 0s")
	f(Rules{TTL: time.Minute}, base, "304", "Cache-Control: max-age=5", "stored max-age 5s age 0s")
	// Targeted fields stay before Cache-Control.
	f(Rules{}, base+"|CDN-Cache-Control: max-age=60", "304", "Cache-Control: no-store", "stored max-age 60s age 0s")
	f(Rules{}, base+"|CDN-Cache-Control: max-age=60", "304", "CDN-Cache-Control: max-age=5", "stored max-age 5s age 0s")
	f(Rules{}, base+"|Cache-Control: max-age=60", "304", "CDN-Cache-Control: max-age=5", "stored max-age 5s age 0s")
	f(Rules{MaxTTL: time.Second}, base+"|Cache-Control: max-age=60", "304", "Cache-Control: max-age=5", "stored max-age 1s age 0s")
	// Validators.
	f(Rules{}, base+"|Cache-Control: max-age=60", "304", `ETag: "b"|Cache-Control: max-age=5`, "stored max-age 5s age 0s")
	f(Rules{}, "Last-Modified: {-900}|Cache-Control: max-age=60", "304", `ETag: "b"`, `stored max-age 60s age 0s etag "b"`)
	f(Rules{}, base+"|Cache-Control: max-age=60", "304", "Set-Cookie: a=b|Weir-Cache-Control: max-age=3", "stored max-age 3s age 0s drop Weir-Cache-Control Set-Cookie Set-Cookie2")
	// An answer to HEAD.
	f(Rules{}, base+"|Cache-Control: max-age=60", "head", `ETag: "a"|Cache-Control: max-age=5`, "stored max-age 5s age 0s")
	f(Rules{}, base+"|Cache-Control: max-age=60", "head", `ETag: W/"a"`, "stored max-age 60s age 0s")
	f(Rules{}, base+"|Cache-Control: max-age=60", "head", `ETag: "b"`, "not another representation")
	f(Rules{}, "Last-Modified: {-9}|Cache-Control: max-age=60", "head", `Last-Modified: {-8}`, "not another representation")
	f(Rules{Fixed: true, TTL: time.Minute}, base, "304", "Cache-Control: no-store|Age: 9", "stored rules 60s age 0s")
}

func gather(a *Answer, fields string) {
	for field := range strings.SplitSeq(fields, "|") {
		if name, value, ok := strings.Cut(field, ":"); ok {
			a.Add([]byte(name), []byte(withDates(strings.TrimSpace(value))))
		}
	}
}

func TestWhy(t *testing.T) {
	f := func(rules Rules, answer string, resident time.Duration, request, want string) {
		t.Helper()
		var a Answer
		a.Begin(200, then, then)
		gather(&a, answer)
		v := rules.Judge(&Request{}, &a)
		var q Request
		if request != "" {
			addRequest(&q, request)
		}
		if got := string(rules.AppendWhy(nil, &v.Terms, &q, resident)); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	f(Rules{}, "Cache-Control: max-age=60", 12*time.Second, "", "fresh: age 12s of 60s (max-age)")
	f(Rules{}, "Cache-Control: max-age=60|Age: 50", 15*time.Second, "", "stale for 5s: age 65s (50s when it came) of 60s (max-age); to be validated")
	f(Rules{}, "Cache-Control: max-age=60, stale-while-revalidate=30", 65*time.Second, "",
		"stale for 5s: age 65s of 60s (max-age), stale-while-revalidate 30s; served while it is fetched anew")
	f(Rules{}, "Cache-Control: s-maxage=60, stale-while-revalidate=30, immutable", time.Second, "Cache-Control: only-if-cached, min-fresh=60, max-stale=5",
		"fresh: age 1s of 60s (s-maxage), must-revalidate, immutable, asked for min-fresh 60s, asked for max-stale 5s, asked for only-if-cached; may not be fetched")
	f(Rules{Fixed: true, TTL: time.Minute}, "", time.Second, "Cache-Control: max-age=0", "fresh: age 1s of 60s (rules), asked for max-age 0s; to be replaced")
	f(Rules{Unheeded: true}, "Cache-Control: max-age=60", time.Second, "Cache-Control: no-cache", "fresh: age 1s of 60s (max-age)")
	f(Rules{StaleIfError: time.Minute}, `Cache-Control: no-cache|ETag: "a"`, time.Second, "Cache-Control: max-stale, no-cache",
		"stale for 1s: age 1s of 0s (nothing), no-cache, asked for no-cache, asked for max-stale; to be validated")
	f(Rules{StaleIfError: time.Minute}, "Expires: {+60}", time.Second, "Pragma: no-cache",
		"fresh: age 1s of 60s (Expires), stale-if-error 60s, asked for no-cache; to be validated")
}

// TestClockThatSteps: no time of an exchange and no resident makes an age
// negative or a sum overflow.
func TestClockThatSteps(t *testing.T) {
	times := []time.Time{{}, time.Unix(-1<<40, 0), time.Unix(0, 0), then.Add(-time.Hour), then, then.Add(time.Hour), time.Unix(1<<40, 0)}
	dates := []string{"", "Date: {+0}", "Date: Mon, 01 Jan 0001 00:00:00 GMT", "Date: Fri, 31 Dec 9999 23:59:59 GMT", "Date: x"}
	residents := []time.Duration{-1 << 63, -time.Hour, 0, time.Hour, 1<<63 - 1}
	for _, requested := range times {
		for _, received := range times {
			for _, date := range dates {
				var a Answer
				a.Begin(200, requested, received)
				gather(&a, date+"|Expires: {+60}|Last-Modified: {-60}")
				v := (&Rules{Heuristic: 1}).Judge(&Request{}, &a)
				if v.Terms.InitialAge < 0 || v.Terms.Lifetime < 0 {
					t.Fatalf("%s %s %s: got %+v", requested, received, date, v.Terms)
				}
				for _, resident := range residents {
					if age := v.Terms.Age(resident); age < 0 || age < v.Terms.InitialAge {
						t.Fatalf("%s %s %s %s: got age %s", requested, received, date, resident, age)
					}
				}
			}
		}
	}
}

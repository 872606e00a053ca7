package policy

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
)

// FuzzDirectives: no value panics or makes a number that is out of bounds, and
// what forbids still does behind anything that was read to its end.
func FuzzDirectives(f *testing.F) {
	for _, seed := range []string{
		"max-age=60, s-maxage=\"10\", no-cache=\"a, b\", private=\"\", max-stale", `a="\"`, `a="b, no-store`, ",,=,=x,max-age", "max-age=99999999999999999999",
		"no-cache=a, private=b c", "\x00", `stale-if-error=1, stale-while-revalidate="2", min-fresh=-1`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		var d, more Directives
		d.Add(value)
		for _, n := range []int64{d.MaxAge, d.SMaxAge, d.MaxStale, d.MinFresh, d.StaleWhileRevalidate, d.StaleIfError} {
			if n < 0 || n > maxSeconds {
				t.Fatalf("got %d seconds", n)
			}
		}
		for _, name := range slices.Concat(d.NoCacheFields, d.PrivateFields) {
			if !isToken(name) {
				t.Fatalf("got the name %q", name)
			}
		}
		// An escape at the end takes what follows into its string, or the comma.
		more.Add(append(slices.Clone(value), ", no-store"...))
		if more.Has&NoStore == 0 {
			t.Fatalf("no-store is not seen behind %q", value)
		}
		if more.Has&^NoStore != d.Has&^NoStore && d.Has&restrictive&^more.Has != 0 {
			t.Fatalf("%q forbids less with no-store: %b and %b", value, d.Has, more.Has)
		}
	})
}

// FuzzTargeted holds the dictionary against httpsfv: valid for one is valid for
// the other, and the numbers are the same.
func FuzzTargeted(f *testing.F) {
	for _, seed := range []string{
		"max-age=60, no-store;a=1", `private="a\"b"`, "a=(1 2;b=?0 \"x\");c, max-age=1.5", "max-age=-1", "a=:aGk=:, b=@1, c=%\"x%c3%bc\"", "max-age=10,,", "A=1",
		"max-age=10 , ", "a=?2", "a=1234567890123456", "*a=tok/en:x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var mine targeted
		mine.add([]byte(value))
		dict, err := httpsfv.UnmarshalDictionary([]string{value})
		if strings.ContainsAny(value, ":%@") {
			// Binary and display strings are passed over without a look inside.
			return
		}
		if mine.isBroken != (err != nil) {
			t.Fatalf("%q: got broken %t; want %v", value, mine.isBroken, err)
		}
		if err != nil {
			return
		}
		member, ok := dict.Get("max-age")
		if ok != (mine.Has&MaxAge != 0) {
			t.Fatalf("%q: got max-age %t", value, !ok)
		}
		if item, isItem := member.(httpsfv.Item); ok && isItem {
			n, _ := item.Value.(int64)
			if want := min(max(n, 0), maxSeconds); mine.Directives.MaxAge != want {
				t.Fatalf("%q: got %d; want %d", value, mine.Directives.MaxAge, want)
			}
		}
		if member, ok = dict.Get("private"); ok {
			if item, isItem := member.(httpsfv.Item); isItem && item.Value != false && mine.Has&Private == 0 && len(mine.PrivateFields) == 0 {
				t.Fatalf("%q: private is not seen", value)
			}
		}
	})
}

// FuzzGroups holds lists of strings against httpsfv.
func FuzzGroups(f *testing.F) {
	for _, seed := range []string{`"a", "b"`, `"a\"\\";x=1, tok`, `"a",`, `("a" "b"), "c"`, `"a`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := appendGroups(nil, []byte(value))
		list, err := httpsfv.UnmarshalList([]string{value})
		if strings.ContainsAny(value, ":%@") {
			return
		}
		var want [][]byte
		for _, member := range list {
			if item, ok := member.(httpsfv.Item); ok && err == nil {
				if s, ok := item.Value.(string); ok {
					want = append(want, []byte(s))
				}
			}
		}
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("%q: got %q; want %q (%v)", value, got, want, err)
		}
	})
}

// FuzzDates: what net/http reads is read alike, but for what the century of a
// short year and the zone are, and every date is what it was written from.
func FuzzDates(f *testing.F) {
	for _, seed := range []string{"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "0", "Thu, 29 Feb 2023 00:00:00 GMT"} {
		f.Add([]byte(seed), int64(784111777))
	}
	f.Fuzz(func(t *testing.T, value []byte, unix int64) {
		dateOf(value, unix)
		got, ok := dateOf(value, then.Unix())
		if want, err := time.Parse(http.TimeFormat, string(value)); err == nil && want.Year() > 0 && ok && got != want.Unix() {
			t.Fatalf("%q: got %d; want %d", value, got, want.Unix())
		}
		at := time.Unix(unix%(1<<37), 0).UTC()
		if at.Year() < 1 || at.Year() > 9999 {
			return
		}
		for _, layout := range []string{http.TimeFormat, time.ANSIC} {
			if got, ok := dateOf([]byte(at.Format(layout)), then.Unix()); !ok || got != at.Unix() {
				t.Fatalf("%s: got %d, %t; want %d", at.Format(layout), got, ok, at.Unix())
			}
		}
	})
}

// FuzzAnswer gives any field any value: nothing panics, no age or lifetime is
// negative, and nothing is both private and stored.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "Cache-Control", "max-age=60", "Age", "2147483648", "Vary", "a, *")
	f.Add(200, "Cache-Control", "private", "Age", "-1", "Expires", "0")
	f.Add(404, "CDN-Cache-Control", "max-age=1", "Date", "x", "ETag", "abc")
	f.Fuzz(func(t *testing.T, status int, n1, v1, n2, v2, n3, v3 string) {
		var a Answer
		a.Begin(status, then, then)
		for _, field := range [][2]string{{n1, v1}, {n2, v2}, {n3, v3}} {
			a.Add([]byte(field[0]), []byte(field[1]))
		}
		rules := Rules{Heuristic: 0.1, StaleIfError: time.Hour}
		v := rules.Judge(&Request{}, &a)
		if v.Terms.Lifetime < 0 || v.Terms.InitialAge < 0 || v.Why == "" {
			t.Fatalf("got %+v", v)
		}
		if v.Store && (a.control().Has&Private != 0 || a.VaryAll || a.SetCookie && !a.drops("Set-Cookie")) {
			t.Fatalf("stored: %+v", a)
		}
		fresh := rules.Freshen(&Request{}, &v.Terms, &a)
		if fresh.Terms.Lifetime < 0 || fresh.Terms.InitialAge < 0 {
			t.Fatalf("got %+v", fresh)
		}
	})
}

// FuzzConditions: nothing panics; spans lie within the content and apart, and a
// tag matches itself.
func FuzzConditions(f *testing.F) {
	f.Add([]byte("bytes=0-1,4-,-3"), []byte(`"a", W/"b"`), []byte(`W/"b"`), int64(10))
	f.Add([]byte("bytes=-99999999999999999999"), []byte("*"), []byte("a,b"), int64(0))
	f.Add([]byte("bytes=1-0"), []byte(`"a`), []byte(`"a"`), int64(-1))
	f.Fuzz(func(t *testing.T, value, list, tag []byte, length int64) {
		q := Request{Range: value, IfNoneMatch: list, IfRange: tag, IfModifiedSince: tag}
		terms := Terms{ETag: tag, Date: then.Unix()}
		NotModified(&q, &terms)
		q.IfRange = nil
		spans, outcome := Ranges(nil, &q, &terms, length)
		if (outcome == PartialAnswer) != (len(spans) > 0) || len(spans) > MaxSpans {
			t.Fatalf("got %v, %d", spans, outcome)
		}
		for i, s := range spans {
			if s.First < 0 || s.First > s.Last || s.Last >= length || overlaps(spans[:i], s) {
				t.Fatalf("got %v of %d", spans, length)
			}
		}
		if isStrong(tag) && bytes.Count(tag, []byte(`"`)) == 2 {
			q.IfNoneMatch = slices.Concat([]byte(`"other", `), tag)
			if !NotModified(&q, &terms) {
				t.Fatalf("%s does not match itself", tag)
			}
		}
	})
}

// FuzzSelected: nothing panics, the form tells its length, whitespace around
// commas and the split into lines mean nothing, and the normal form is its own.
func FuzzSelected(f *testing.F) {
	for _, name := range []string{"Accept-Encoding", "Accept-Language", "Accept", "Foo", "Cookie"} {
		f.Add(name, []byte("gzip;q=0.5, BR ,*;q=0"), []byte("en-GB, de;q=0.1"))
	}
	f.Fuzz(func(t *testing.T, name string, one, other []byte) {
		lines := [][]byte{one, other}
		AppendSelected(nil, name, lines, &Normal{Values: []string{"gzip", "br", "en", "text/html"}})
		form := AppendSelected(nil, name, lines, nil)
		if n := len(form) - 5; n < 0 || form[0] != 1 || int(form[3])<<8|int(form[4]) != n&0xffff {
			t.Fatalf("got %q", form)
		}
		if again := AppendSelected(nil, name, [][]byte{form[5:]}, nil); !bytes.Equal(again, form) && selectKindOf(name) != text {
			t.Fatalf("%q, then %q", form, again)
		}
	})
}

// FuzzRequest: no field panics, whatever stands in it.
func FuzzRequest(f *testing.F) {
	f.Add("Cache-Control", "max-age=1", "Pragma", "no-cache")
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2 string) {
		var q Request
		q.Add([]byte(n1), []byte(v1))
		q.Add([]byte(n2), []byte(v2))
		rules := Rules{}
		terms := Terms{Lifetime: time.Minute, NoCache: true, ETag: []byte(`"a"`)}
		if use := rules.Use(&terms, &q, time.Second); use != Validate && use != GatewayTimeout {
			t.Fatalf("no-cache, and got %s", useName(use))
		}
		rules.AppendWhy(nil, &terms, &q, time.Second)
		rules.Bypasses(&q)
	})
}

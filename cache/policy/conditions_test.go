package policy

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestNotModified(t *testing.T) {
	f := func(etag string, modified int64, want bool, fields ...string) {
		t.Helper()
		terms := Terms{Date: then.Unix(), LastModified: modified}
		if etag != "" {
			terms.ETag = []byte(etag)
		}
		var q Request
		for _, field := range fields {
			addRequest(&q, field)
		}
		if got := NotModified(&q, &terms); got != want {
			t.Errorf("ETag %s, Last-Modified %d, %q: got %t", etag, modified, fields, got)
		}
	}
	modified := then.Unix() - 3000
	f(`"a"`, 0, false)
	f(`"a"`, 0, true, `If-None-Match: "a"`)
	f(`"a"`, 0, true, `If-None-Match: W/"a"`)
	f(`W/"a"`, 0, true, `If-None-Match: "a"`)
	f(`"a"`, 0, false, `If-None-Match: "b"`)
	f(`"a"`, 0, false, `If-None-Match: "A"`)
	f(`"a"`, 0, true, `If-None-Match: "b", "c" ,W/"a"`)
	f(`"a"`, 0, true, `If-None-Match: "b"`, `If-None-Match: "a"`)
	f(`"a,b"`, 0, true, `If-None-Match: "x","a,b"`)
	f(`"b"`, 0, false, `If-None-Match: "a,b"`)
	f(`"a\"`, 0, true, `If-None-Match: "a\"`)
	f(`"a"`, 0, true, `If-None-Match: *`)
	f(``, 0, true, `If-None-Match: *`)
	f(`"a"`, 0, false, `If-None-Match: "*"`)
	f(`"a"`, 0, false, `If-None-Match: "b", *`)
	f(``, 0, false, `If-None-Match: "a"`)
	f(`"a"`, 0, false, `If-None-Match: `)
	f(`a`, 0, true, `If-None-Match: a`)
	f(`a`, 0, true, `If-None-Match: "a"`)
	f(`"a"`, 0, true, `If-None-Match: b, a`)
	f(`w/"a"`, 0, true, `If-None-Match: w/"a"`)
	f(`w/"a"`, 0, false, `If-None-Match: "a"`)
	f(`"a`, 0, true, `If-None-Match: "a`)
	f(`"a"`, 0, false, `If-None-Match: "a`)
	f(`"abcdef`+"\xfc"+`"`, 0, true, `If-None-Match: "abcdef`+"\xfc"+`"`)

	f(`"a"`, modified, false, `If-None-Match: "b"`, `If-Modified-Since: {-1}`)
	f(`"a"`, modified, true, `If-Modified-Since: {-1}`, `If-None-Match: "a"`)
	f(``, modified, true, `If-Modified-Since: {-3000}`)
	f(``, modified, true, `If-Modified-Since: {-2999}`)
	f(``, modified, false, `If-Modified-Since: {-3001}`)
	f(``, modified, true, `If-Modified-Since: Tuesday, 24-Nov-26 11:10:00 GMT`)
	f(``, modified, true, `If-Modified-Since: Tue Nov 24 11:10:00 2026`)
	f(``, modified, false, `If-Modified-Since: yesterday`)
	f(``, modified, false, `If-Modified-Since: {-1}`, `If-Modified-Since: {-1}`)
	f(``, 0, true, `If-Modified-Since: {+0}`)
	f(``, 0, false, `If-Modified-Since: {-1}`)
	f(``, modified, false, `:method POST`, `If-Modified-Since: {-1}`)
	f(``, modified, true, `:method HEAD`, `If-Modified-Since: {-1}`)
	f(``, modified, false, `:method QUERY`, `If-Modified-Since: {-1}`)
	f(`"a"`, 0, true, `:method QUERY`, `If-None-Match: "a"`)
	f(`"a"`, 0, false, `:method PUT`, `If-None-Match: "a"`)
}

func TestRanges(t *testing.T) {
	terms := Terms{ETag: []byte(`"a"`), Date: then.Unix(), LastModified: then.Unix() - 60}
	f := func(value string, length int64, want string, fields ...string) {
		t.Helper()
		var q Request
		if value != "" {
			addRequest(&q, "Range: "+value)
		}
		for _, field := range fields {
			addRequest(&q, field)
		}
		if got := describeRanges(Ranges(nil, &q, &terms, length)); got != want {
			t.Errorf("%q of %d, %q: got %q; want %q", value, length, fields, got, want)
		}
	}
	f("", 11, "whole")
	f("bytes=0-1", 11, "0-1")
	f("Bytes=0-1", 11, "0-1")
	f("bytes=1-", 11, "1-10")
	f("bytes=-1", 11, "10-10")
	f("bytes=-100", 11, "0-10")
	f("bytes=0-100", 11, "0-10")
	f("bytes=10-10", 11, "10-10")
	f("bytes=11-", 11, "416")
	f("bytes=-0", 11, "416")
	f("bytes=-0,11-12", 11, "416")
	f("bytes=0-0,-1", 11, "0-0 10-10")
	f("bytes=5-6, 0-1 ,", 11, "5-6 0-1")
	f("bytes=0-1,20-30", 11, "0-1")
	f("bytes=0-5,5-6", 11, "whole")
	f("bytes=0-5,-11", 11, "whole")
	f("bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14", 20, "0-0 2-2 4-4 6-6 8-8 10-10 12-12 14-14")
	f("bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16", 20, "whole")
	f("bytes=5-4", 11, "whole")
	f("bytes=", 11, "whole")
	f("bytes=,", 11, "whole")
	f("bytes=-", 11, "whole")
	f("bytes=a-b", 11, "whole")
	f("bytes=1", 11, "whole")
	f("bytes=--1", 11, "whole")
	f("bytes=+1-2", 11, "whole")
	f("bytes=1 -2", 11, "whole")
	f("bytes = 1-2", 11, "whole")
	f("pages=1-2", 11, "whole")
	f("0-1", 11, "whole")
	f("bytes=0-99999999999999999999999", 11, "0-10")
	f("bytes=99999999999999999999999-", 11, "416")
	f("bytes=-99999999999999999999999", 11, "0-10")
	f("bytes=0-", 0, "416")
	f("bytes=-5", 0, "whole")
	f("bytes=0-1", -1, "whole")
	f("bytes=0-1", 11, "whole", ":method HEAD")
	f("bytes=0-1", 11, "whole", "Range: bytes=0-1")

	f("bytes=0-1", 11, "0-1", `If-Range: "a"`)
	f("bytes=0-1", 11, "whole", `If-Range: "b"`)
	f("bytes=0-1", 11, "whole", `If-Range: W/"a"`)
	f("bytes=0-1", 11, "whole", `If-Range: a`)
	f("bytes=0-1", 11, "whole", `If-Range: "a", "a"`)
	f("bytes=0-1", 11, "whole", `If-Range: *`)
	f("bytes=0-1", 11, "0-1", "If-Range: {-60}")
	f("bytes=0-1", 11, "whole", "If-Range: {-59}")
	f("bytes=0-1", 11, "whole", "If-Range: {-61}")
	f("bytes=20-", 11, "whole", `If-Range: "b"`)
	terms.ETag, terms.LastModified = []byte(`W/"a"`), terms.Date
	f("bytes=0-1", 11, "whole", `If-Range: W/"a"`)
	f("bytes=0-1", 11, "whole", `If-Range: "a"`)
	f("bytes=0-1", 11, "whole", "If-Range: {+0}")
}

func describeRanges(spans []Span, outcome RangeOutcome) string {
	switch {
	case outcome == WholeAnswer && len(spans) == 0:
		return "whole"
	case outcome == Unsatisfiable && len(spans) == 0:
		return "416"
	}
	var b strings.Builder
	for _, s := range spans {
		fmt.Fprintf(&b, " %d-%d", s.First, s.Last)
	}
	return b.String()[1:]
}

func TestInvalidates(t *testing.T) {
	f := func(method string, status int, want bool) {
		t.Helper()
		if got := Invalidates([]byte(method), status); got != want {
			t.Errorf("%s %d: got %t", method, status, got)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "get"} {
		f(method, 200, true)
		f(method, 204, true)
		f(method, 303, true)
		f(method, 400, false)
		f(method, 500, false)
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "TRACE", "QUERY", ""} {
		f(method, 200, false)
	}
}

func TestBypasses(t *testing.T) {
	f := func(rules Rules, want string, fields ...string) {
		t.Helper()
		var q Request
		for _, field := range fields {
			addRequest(&q, field)
		}
		if got := rules.Bypasses(&q); got != want {
			t.Errorf("%q: got %q; want %q", fields, got, want)
		}
	}
	f(Rules{}, "")
	f(Rules{}, "", ":method HEAD")
	f(Rules{}, "", ":method QUERY", "Cache-Control: no-cache")
	f(Rules{}, "method", ":method POST")
	f(Rules{}, "method", ":method get")
	f(Rules{}, "no-store", "Cache-Control: max-age=0, no-store")
	f(Rules{Unheeded: true}, "", "Cache-Control: no-store")
	f(Rules{Fixed: true}, "", "Cache-Control: no-store", ":method POST")
	f(Rules{}, "if-match", `If-Match: "a"`)
	f(Rules{Fixed: true}, "if-unmodified-since", "If-Unmodified-Since: {+0}")
}

func TestConcerns(t *testing.T) {
	for _, name := range []string{
		"Cache-Control", "Pragma", "Authorization", "Cookie", "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "Range", "If-Range",
	} {
		if !Concerns([]byte(name)) {
			t.Errorf("%s: got false", name)
		}
		var q Request
		q.Add([]byte(name), []byte("no-cache"))
		if same := (Request{}); describeRequest(&q) == describeRequest(&same) {
			t.Errorf("%s: Add took nothing", name)
		}
		if q.Reset(); describeRequest(&q) != describeRequest(&Request{}) {
			t.Errorf("%s: Reset left something", name)
		}
	}
	for _, name := range []string{"", "Host", "Accept", "If-Matches", "Content-Length", "Cache_Control"} {
		if Concerns([]byte(name)) {
			t.Errorf("%s: got true", name)
		}
	}
}

func describeRequest(q *Request) string { return fmt.Sprintf("%+v", *q) }

func TestIsUpdatable(t *testing.T) {
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Range", "Content-Md5", "Etag", "ETag", "Connection", "Transfer-Encoding", "Vary"} {
		if IsUpdatable([]byte(name)) {
			t.Errorf("%s: got true", name)
		}
	}
	for _, name := range []string{"Cache-Control", "Expires", "Date", "Content-Type", "Content-Location", "Set-Cookie", "X-Test", "Last-Modified"} {
		if !IsUpdatable([]byte(name)) {
			t.Errorf("%s: got false", name)
		}
	}
}

// TestAnswerGathers checks what Judge does not decide on.
func TestAnswerGathers(t *testing.T) {
	var a Answer
	a.Begin(200, then, then)
	for _, field := range [][2]string{
		{"Surrogate-Key", " a  b/c "}, {"Cache-Tag", "d, e ,,f g"}, {"Cache-Groups", `"h", "i\"\\";x=1, tok`}, {"Cache-Groups", `"j", "k`},
		{"Cache-Group-Invalidation", `"l"`}, {"Location", "/a"}, {"Content-Location", "/b"}, {"Content-Range", "bytes 0-1/2"},
		{"Etag", ` "x" `}, {"Etag", `"y"`}, {"Vary", "Foo,, bar"}, {"Vary", "FOO, baz"},
	} {
		a.Add([]byte(field[0]), []byte(field[1]))
	}
	f := func(what string, got [][]byte, want string) {
		t.Helper()
		if s := string(bytes.Join(got, []byte("|"))); s != want {
			t.Errorf("%s: got %q; want %q", what, s, want)
		}
	}
	f("tags", a.Tags, `a|b/c|d|e|f g|h|i"\`)
	f("groups", a.InvalidatesGroups, "l")
	f("vary", a.Vary, "Foo|bar|baz")
	f("others", [][]byte{a.Location, a.ContentLocation, a.ETag}, `/a|/b|"x"`)
	if !a.Partial || a.VaryAll || a.SetCookie {
		t.Errorf("got %+v", a)
	}
}

// TestVaryOfMany: 100 names are not stored, and a million of them are no work.
func TestVaryOfMany(t *testing.T) {
	var a Answer
	a.Begin(200, then, then)
	a.Add([]byte("Cache-Control"), []byte("max-age=60"))
	for i := range 100 {
		a.Add([]byte("Vary"), fmt.Appendf(nil, "X-%d", i))
	}
	if v := (&Rules{}).Judge(&Request{}, &a); v.Store || v.Why != "varies by too many fields" || len(a.Vary) > maxVary+1 {
		t.Errorf("got %t, %s, %d names", v.Store, v.Why, len(a.Vary))
	}
}

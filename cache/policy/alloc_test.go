//go:build !race

package policy

import (
	"testing"
	"time"
)

// TestAllocNothing: what a hit passes through allocates nothing.
func TestAllocNothing(t *testing.T) {
	terms := Terms{Lifetime: time.Minute, ETag: []byte(`"a"`), Date: then.Unix(), LastModified: then.Unix() - 60}
	fields := [][2][]byte{
		{[]byte("Host"), []byte("example.org")}, {[]byte("Accept-Encoding"), []byte("gzip, br")},
		{[]byte("Cache-Control"), []byte(`max-age=60, min-fresh="1", max-stale, foo="a, b"`)}, {[]byte("Pragma"), []byte("no-cache")},
		{[]byte("Cookie"), []byte("a=b")}, {[]byte("If-None-Match"), []byte(`"x", W/"b", "a"`)},
		{[]byte("If-Modified-Since"), []byte("Tuesday, 24-Nov-26 11:10:00 GMT")},
		{[]byte("Range"), []byte("bytes=0-1, 4-5, -1")}, {[]byte("If-Range"), []byte(`"a"`)},
	}
	rules, q, spans := Rules{}, Request{}, make([]Span, 0, MaxSpans)
	selected, lines := make([]byte, 0, 256), [][]byte{[]byte("gzip;q=0.5, br"), []byte("zstd")}
	normal := Normal{Values: []string{"br", "gzip"}}
	f := func(name string, do func()) {
		t.Helper()
		if n := testing.AllocsPerRun(100, do); n != 0 {
			t.Errorf("%s: got %g allocations; want 0", name, n)
		}
	}
	f("Request.Add", func() {
		q.Reset()
		for _, field := range fields {
			if Concerns(field[0]) {
				q.Add(field[0], field[1])
			}
		}
	})
	f("Use", func() { rules.Use(&terms, &q, time.Second) })
	f("MayRescue", func() { rules.MayRescue(&terms, &q, time.Hour, 503) })
	f("Bypasses", func() { rules.Bypasses(&q) })
	f("NotModified", func() { NotModified(&q, &terms) })
	f("Ranges", func() { spans, _ = Ranges(spans[:0], &q, &terms, 1000) })
	q.IfNoneMatch = nil
	f("If-Modified-Since", func() { NotModified(&q, &terms) })
	for _, name := range []string{"Accept-Encoding", "Accept-Language", "Foo"} {
		f("AppendSelected "+name, func() { selected = AppendSelected(selected[:0], name, lines, nil) })
	}
	f("AppendSelected of values", func() { selected = AppendSelected(selected[:0], "Accept-Encoding", lines, &normal) })
}

package policy

import (
	"testing"
	"time"
)

func BenchmarkUse(b *testing.B) {
	terms := Terms{Lifetime: time.Minute, StaleWhileRevalidate: time.Minute}
	rules := Rules{}
	for name, value := range map[string]string{"plain": "", "directives": "max-age=60, min-fresh=1"} {
		b.Run(name, func(b *testing.B) {
			var q Request
			q.Control.Add([]byte(value))
			b.ReportAllocs()
			for b.Loop() {
				rules.Use(&terms, &q, time.Second)
			}
		})
	}
}

func BenchmarkRequest(b *testing.B) {
	fields := [][2][]byte{
		{[]byte("Host"), []byte("example.org")}, {[]byte("User-Agent"), []byte("curl/8")}, {[]byte("Accept"), []byte("*/*")},
		{[]byte("Accept-Encoding"), []byte("gzip, br")}, {[]byte("Cache-Control"), []byte("max-age=0")}, {[]byte("If-None-Match"), []byte(`"a"`)},
	}
	b.ReportAllocs()
	var q Request
	for b.Loop() {
		q.Reset()
		for _, field := range fields {
			q.Add(field[0], field[1])
		}
	}
}

func BenchmarkSelected(b *testing.B) {
	lines, dst := [][]byte{[]byte("gzip, deflate, br, zstd")}, make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendSelected(dst[:0], "Accept-Encoding", lines, nil)
	}
}

func BenchmarkJudge(b *testing.B) {
	var q Request
	rules := Rules{}
	b.ReportAllocs()
	for b.Loop() {
		var a Answer
		a.Begin(200, then, then)
		a.Add([]byte("Cache-Control"), []byte("public, max-age=60"))
		a.Add([]byte("Date"), []byte("Tue, 24 Nov 2026 12:00:00 GMT"))
		a.Add([]byte("Etag"), []byte(`"a"`))
		rules.Judge(&q, &a)
	}
}

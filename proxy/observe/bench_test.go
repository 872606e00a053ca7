package observe

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

const benchFormat = `{"id":"$context.requestId","ip":"$context.identity.sourceIp","at":"$context.requestTime","method":"$context.httpMethod",` +
	`"path":"$context.path","status":$context.status,"took":$context.responseLatency,"agent":"$context.identity.userAgent"}`

func BenchmarkObserve(b *testing.B) {
	route := NewMetrics(2, "test").Route("petstore", "prod", "/pets/{id}")
	r := sampleRecord()
	b.ReportAllocs()
	for b.Loop() {
		route.Observe(r)
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, row := range []struct{ name, format string }{{"json", "json"}, {"clf", "clf"}, {"combined", "combined"}, {"format", benchFormat}} {
		b.Run(row.name, func(b *testing.B) {
			l, err := NewAccessLog(LogConfig{Format: row.format, Output: "/dev/null"}, 2)
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			r := sampleRecord()
			b.ReportAllocs()
			for b.Loop() {
				l.Write(r)
			}
		})
	}
}

func BenchmarkWriteParallel(b *testing.B) {
	l, err := NewAccessLog(LogConfig{Output: "/dev/null"}, 1)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := sampleRecord()
		for pb.Next() {
			l.Write(r)
		}
	})
}

// BenchmarkJSONLine is what the request itself pays for its line: formatting, and
// the copy into a shard whose writer keeps up.
func BenchmarkJSONLine(b *testing.B) {
	for _, row := range []struct {
		name   string
		record *Record
	}{{"typical", typicalRecord()}, {"full", sampleRecord()}} {
		b.Run(row.name, func(b *testing.B) {
			l := &AccessLog{format: &logFormat{isJSON: true}, oneIn: 1, shards: make([]logShard, 1)}
			l.writer = &logWriter{dirty: make(chan struct{}, 1), urgent: make(chan struct{}, 1)}
			l.prepare(defaultBufferBytes)
			s := &l.shards[0]
			b.ReportAllocs()
			for b.Loop() {
				if len(s.filling) > defaultBufferBytes/2 {
					s.filling = s.filling[:0]
				}
				l.Write(row.record)
			}
			s.filling = s.filling[:0]
			l.Write(row.record)
			b.ReportMetric(float64(len(s.filling)), "B/line")
		})
	}
}

// BenchmarkTraceID takes another id each time, as requests do.
func BenchmarkTraceID(b *testing.B) {
	parents := make([][]byte, 1024)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range parents {
		parents[i] = fmt.Appendf(nil, "00-%016x%016x-00f067aa0ba902b7-01", random.Uint64(), random.Uint64())
	}
	for i := 0; b.Loop(); i++ {
		if traceIDOf(parents[i%len(parents)]) == nil {
			b.Fatal("got no id")
		}
	}
}

func BenchmarkTimestamp(b *testing.B) {
	at := time.Date(2026, 3, 9, 7, 5, 4, 21_987_000, time.UTC)
	buffer := make([]byte, 0, 64)
	b.Run("own", func(b *testing.B) {
		for b.Loop() {
			buffer = appendTimestamp(buffer[:0], at)
		}
	})
	b.Run("time", func(b *testing.B) {
		for b.Loop() {
			buffer = at.AppendFormat(buffer[:0], "2006-01-02T15:04:05.000Z07:00")
		}
	})
}

// BenchmarkScrape is one scrape of a gateway with ten thousand routes in use.
func BenchmarkScrape(b *testing.B) {
	m := NewMetrics(2, "test")
	r := sampleRecord()
	for i := range 10_000 {
		m.Route("petstore", "prod", "/pets/"+string(rune('a'+i%26))+time.Duration(i).String()).Observe(r)
	}
	var text []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if text, err = m.AppendText(text[:0]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(text)), "bytes")
}

package observe

import (
	"testing"
	"time"

	"github.com/rs/zerolog"
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

// BenchmarkJSONLine compares the compiled format with zerolog's events on the same
// fields, into the same shard: the reason why the access log appends by itself.
func BenchmarkJSONLine(b *testing.B) {
	r := sampleRecord()
	b.Run("compiled", func(b *testing.B) {
		s := &logShard{filling: make([]byte, 0, defaultBufferBytes)}
		format := compileJSON()
		buffer := make([]byte, 0, 4096)
		b.ReportAllocs()
		for b.Loop() {
			buffer = format.appendLine(buffer[:0], r)
			s.add(buffer)
		}
	})
	b.Run("zerolog", func(b *testing.B) {
		s := &logShard{filling: make([]byte, 0, defaultBufferBytes)}
		logger, quoted := zerolog.New(s), newEscaper(quotedText)
		b.ReportAllocs()
		for b.Loop() {
			logWithZerolog(&logger, quoted, r)
		}
	})
}

func (s *logShard) add(line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.filling)+len(line) > cap(s.filling) {
		s.filling = s.filling[:0]
	}
	s.filling = append(s.filling, line...)
}

// Write makes a shard zerolog's output.
func (s *logShard) Write(line []byte) (int, error) {
	s.add(line)
	return len(line), nil
}

// logWithZerolog writes the fields that the JSON format writes of sampleRecord.
func logWithZerolog(logger *zerolog.Logger, quoted *escaper, r *Record) {
	var scratch [256]byte
	logger.Log().
		Bytes("time", appendTimestamp(scratch[:0], r.Start)).
		Bytes("request_id", r.RequestID).
		Bytes("client", r.Client.AppendTo(scratch[:0])).
		Bytes("peer", r.Peer.AppendTo(scratch[:0])).
		Str("listener", r.Listener).
		Str("scheme", r.Scheme).
		Str("protocol", r.Protocol).
		Str("tls", r.TLS).
		Bytes("method", r.Method).
		Bytes("host", r.Host).
		Bytes("path", r.Path).
		Bytes("query", appendQuery(scratch[:0], quoted, queryOf(r.RequestTarget))).
		Int("status", r.Status).
		Int64("bytes_in", r.BytesIn).
		Int64("bytes_out", r.BytesOut).
		Float64("duration_ms", float64(r.Took)/float64(time.Millisecond)).
		Str("api", r.API).
		Str("stage", r.Stage).
		Str("route", r.Route).
		Str("domain", r.Domain).
		Str("upstream", r.UpstreamName).
		Str("target", r.Target).
		Int("upstream_status", r.UpstreamStatus).
		Float64("upstream_ms", float64(r.UpstreamFirstByte)/float64(time.Millisecond)).
		Float64("upstream_total_ms", float64(r.UpstreamTotal)/float64(time.Millisecond)).
		Int("retries", r.Retries).
		Bool("reused", r.ConnectionReused).
		Bytes("user_agent", r.UserAgent).
		Bytes("referer", appendURL(scratch[:0], quoted, r.Referer)).
		Bytes("trace_id", traceIDOf(r.TraceParent)).
		Str("principal", r.Authorizer.Principal).
		Send()
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

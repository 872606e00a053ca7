package observe

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/rs/zerolog"
)

const (
	// alwaysLevel is above zerolog.Disabled, where no global level reaches.
	alwaysLevel = zerolog.Level(math.MaxInt8)
	// maxPlainBytes of a value are left to zerolog, which escapes one byte by six at most.
	maxPlainBytes = maxValueBytes / 6
	scratchBytes  = 256
)

// jsonLine writes records through zerolog. It is pooled, because it keeps the
// memory for values that are not written as they are; one goroutine uses it at a time.
type jsonLine struct {
	event   *zerolog.Event
	quoted  *escaper
	scratch []byte
	second  int64  // of Unix time, whose stamp is kept
	stamp   []byte // the time of the last line, between quotes
}

func newJSONLine() *jsonLine {
	return &jsonLine{quoted: newEscaper(quotedText), scratch: make([]byte, 0, scratchBytes), second: math.MinInt64}
}

// write sends one line for r to the logger's output. No field name and no format
// of zerolog's globals has a part in it.
func (l *jsonLine) write(logger *zerolog.Logger, r *Record) {
	event := logger.Log()
	if event == nil {
		// A library that sets zerolog's global level to Disabled speaks of its own
		// lines. These go on, and begin with a level.
		event = logger.WithLevel(alwaysLevel)
	}
	l.event = event
	l.add(r)
	l.event = nil
	event.Send()
	if cap(l.scratch) > maxPooledLineBytes {
		l.scratch = make([]byte, 0, scratchBytes)
	}
}

// add adds the fields in the order of logFields. What is unknown, zero or as usual
// is left out: bytes cost as much as the work of formatting them.
func (l *jsonLine) add(r *Record) {
	l.addRequest(r)
	l.addRoute(r)
	l.addUpstream(r)
	l.addOutcome(r)
	l.addCaller(r)
}

func (l *jsonLine) addRequest(r *Record) {
	l.time("time", r.Start)
	l.bytes("request_id", r.RequestID)
	l.raw("client", appendClient(l.open(), nil, r))
	if peer := r.Peer.Addr(); peer != r.Client && peer.IsValid() && r.Client.IsValid() && peer.Unmap() != r.Client.Unmap() {
		l.raw("peer", r.Peer.AppendTo(l.open()))
	}
	if r.Listener != "main" {
		l.text("listener", r.Listener)
	}
	l.text("scheme", r.Scheme)
	if r.Protocol != "HTTP/1.1" {
		l.text("protocol", r.Protocol)
	}
	l.text("tls", r.TLS)
	l.bytes("method", r.Method)
	l.bytes("host", r.Host)
	l.bytes("path", pathOf(r))
	if query := queryOf(r.RequestTarget); len(query) > 0 {
		l.raw("query", appendQuery(l.open(), l.quoted, query))
	}
	l.count("status", int64(r.Status))
	if code, ok := r.GRPC.code(); ok {
		l.event.Int("grpc_status", code)
	}
	l.count("bytes_in", r.BytesIn)
	l.count("bytes_out", r.BytesOut)
	l.event.RawJSON("duration_ms", appendMillis(l.scratch[:0], r.Took))
}

func (l *jsonLine) addRoute(r *Record) {
	l.text("api", r.API)
	if r.Stage != "$default" {
		l.text("stage", r.Stage)
	}
	l.text("route", r.Route)
	l.flag("canary", r.Canary)
	if r.Domain != "*" && r.Domain != string(r.Host) {
		l.text("domain", r.Domain)
	}
}

func (l *jsonLine) addUpstream(r *Record) {
	l.text("upstream", r.UpstreamName)
	l.text("target", shortTarget(r.Target))
	if r.UpstreamStatus != r.Status {
		l.count("upstream_status", int64(r.UpstreamStatus))
	}
	l.millis("upstream_ms", r.UpstreamFirstByte)
	l.millis("upstream_total_ms", r.UpstreamTotal)
	l.text("upstream_error", r.UpstreamError)
	l.count("retries", int64(r.Retries))
	if r.Target != "" && !r.ConnectionReused {
		l.event.Bool("reused", false)
	}
}

func (l *jsonLine) addOutcome(r *Record) {
	if r.CacheResult != NoCache {
		l.text("cache", r.CacheResult.String())
		if r.CacheResult.isStored() {
			l.event.Int64("cache_age", int64(r.CacheAge/time.Second))
		}
	}
	l.text("cause", r.Cause)
	l.text("limit", r.Limit)
	l.text("error", r.ErrorMessage)
	l.text("error_type", r.ErrorType)
	l.text("waf", r.WAFAction)
	l.flag("aborted", r.Aborted)
	l.flag("upgraded", r.Upgraded)
}

func (l *jsonLine) addCaller(r *Record) {
	l.bytes("user_agent", r.UserAgent)
	if len(r.Referer) > 0 {
		l.raw("referer", appendURL(l.open(), l.quoted, r.Referer))
	}
	l.bytes("trace_id", traceIDOf(r.TraceParent))
	l.text("principal", r.Authorizer.Principal)
	l.text("api_key_id", r.Identity.APIKeyID)
	l.text("usage_plan", r.UsagePlan)
	l.bytes("connection_id", r.ConnectionID)
	l.text("event_type", r.EventType)
	l.bytes("message_id", r.MessageID)
}

func (l *jsonLine) text(key, v string) {
	switch {
	case v == "":
	case isPlain(v):
		l.event.Str(key, v)
	default:
		l.raw(key, appendText(l.open(), l.quoted, v))
	}
}

func (l *jsonLine) bytes(key string, v []byte) {
	switch {
	case len(v) == 0:
	case arePlain(v):
		l.event.Bytes(key, v)
	default:
		l.raw(key, appendText(l.open(), l.quoted, v))
	}
}

// isPlain tells whether zerolog escapes v as strictly as appendText does: it copies
// control characters beyond ASCII, and knows no bound.
func isPlain(v string) bool {
	if len(v) > maxPlainBytes {
		return false
	}
	var all byte
	for i := range len(v) {
		all |= v[i]
	}
	return all < 0x80
}

func arePlain(v []byte) bool {
	if len(v) > maxPlainBytes {
		return false
	}
	var all uint64
	for ; len(v) >= 8; v = v[8:] {
		all |= binary.LittleEndian.Uint64(v)
	}
	for _, c := range v {
		all |= uint64(c)
	}
	return all&0x8080808080808080 == 0
}

// open returns the scratch with the quote before a value that is escaped already.
func (l *jsonLine) open() []byte { return append(l.scratch[:0], '"') }

// raw adds what was appended to open, unless that is nothing.
func (l *jsonLine) raw(key string, v []byte) {
	if len(v) > 1 {
		v = append(v, '"')
		l.event.RawJSON(key, v)
	}
	l.scratch = v[:0]
}

func (l *jsonLine) count(key string, n int64) {
	if n != 0 {
		l.event.Int64(key, n)
	}
}

func (l *jsonLine) flag(key string, v bool) {
	if v {
		l.event.Bool(key, true)
	}
}

func (l *jsonLine) millis(key string, d time.Duration) {
	if d != 0 {
		l.event.RawJSON(key, appendMillis(l.scratch[:0], d))
	}
}

// time formats a second once: of the lines within it, only the milliseconds differ.
func (l *jsonLine) time(key string, t time.Time) {
	if second := t.Unix(); second != l.second {
		l.stamp = append(appendTimestamp(append(l.stamp[:0], '"'), t), '"')
		l.second = second
	} else {
		millis := t.Nanosecond() / int(time.Millisecond)
		copy(l.stamp[len(l.stamp)-len(`000Z"`):], []byte{digit(millis / 100), digit(millis / 10), digit(millis)})
	}
	l.event.RawJSON(key, l.stamp)
}

// shortTarget leaves out the scheme that nearly all targets have.
func shortTarget(target string) string {
	const usual = "http://"
	if len(target) > len(usual) && target[:len(usual)] == usual {
		return target[len(usual):]
	}
	return target
}

package observe

import (
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// maxTypicalBytes is what a line of typicalRecord may take: each request writes one.
const maxTypicalBytes = 430

// fullRecord is a request of which everything can be told.
func fullRecord() *Record {
	r := sampleRecord()
	r.Protocol, r.Domain, r.Canary = "HTTP/1.0", "*.example.org", true
	r.GRPC = GRPCStatusOf(14)
	r.BytesIn, r.UpstreamStatus, r.ConnectionReused = 17, 503, false
	r.UpstreamError, r.CacheResult, r.Cause = "reset by peer", CacheHit, "upstream_reset"
	r.CacheAge = 90 * time.Second
	r.ErrorMessage, r.ErrorType, r.WAFAction = "Bad Gateway", "INTEGRATION_FAILURE", "WAF_ALLOW"
	r.Aborted, r.Upgraded, r.Identity.APIKeyID = true, true, "k1"
	r.Limit, r.UsagePlan = "per-address", "gold"
	r.ConnectionID, r.EventType, r.MessageID = []byte("c1"), "MESSAGE", []byte("m1")
	return r
}

// keysOf returns the keys of a line of one object without nesting, in their order.
func keysOf(t *testing.T, line string) []string {
	t.Helper()
	var keys []string
	decoder := json.NewDecoder(strings.NewReader(line))
	for token, err := decoder.Token(); err == nil; token, err = decoder.Token() {
		key, isText := token.(string)
		if !isText {
			continue
		}
		keys = append(keys, key)
		if _, err := decoder.Token(); err != nil {
			t.Fatal(err)
		}
	}
	return keys
}

func TestJSONWritesWhatTheReferenceNames(t *testing.T) {
	var want []string
	for _, field := range logFields() {
		if field.json != "" {
			want = append(want, field.json)
		}
	}
	if got := keysOf(t, lineOf(t, "json", fullRecord())); !slices.Equal(got, want) {
		t.Errorf("got keys %q; want %q", got, want)
	}
}

func TestTypicalLineIsLean(t *testing.T) {
	line := lineOf(t, "json", typicalRecord())
	want := `{"time":"2026-03-09T07:05:04.021Z","request_id":"c6af9ac6-7b61-11e6-9a41-93e8deadbeef","client":"203.0.113.7","scheme":"http",` +
		`"method":"GET","host":"api.example.org","path":"/v1/pets/7","status":200,"bytes_out":1024,"duration_ms":1.057,"api":"proxy",` +
		`"route":"$default","upstream":"upstream","target":"10.0.0.1:8080","upstream_ms":0.912,"user_agent":"curl/8.5.0",` +
		`"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}` + "\n"
	if line != want {
		t.Errorf("got  %swant %s", line, want)
	}
	if len(line) > maxTypicalBytes {
		t.Errorf("got a line of %d bytes; want at most %d", len(line), maxTypicalBytes)
	}
}

// TestOnlyTheUsualIsLeftOut changes the usual request by one thing at a time.
func TestOnlyTheUsualIsLeftOut(t *testing.T) {
	usual := make(map[string]any)
	if err := json.Unmarshal([]byte(lineOf(t, "json", typicalRecord())), &usual); err != nil {
		t.Fatal(err)
	}
	f := func(key string, want any, change func(*Record)) {
		t.Helper()
		r := typicalRecord()
		change(r)
		got := make(map[string]any)
		line := lineOf(t, "json", r)
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		wanted := maps.Clone(usual)
		wanted[key] = want
		if want == nil {
			delete(wanted, key)
		}
		if !maps.Equal(got, wanted) {
			t.Errorf("got %swant the usual with %s %v", line, key, want)
		}
	}
	f("listener", "inner", func(r *Record) { r.Listener = "inner" })
	f("protocol", "HTTP/1.0", func(r *Record) { r.Protocol = "HTTP/1.0" })
	f("bytes_in", 3.0, func(r *Record) { r.BytesIn = 3 })
	f("bytes_out", nil, func(r *Record) { r.BytesOut = 0 })
	f("query", "a=1", func(r *Record) { r.RequestTarget = []byte("/v1/pets/7?a=1") })
	f("stage", "prod", func(r *Record) { r.Stage = "prod" })
	f("domain", "*.example.org", func(r *Record) { r.Domain = "*.example.org" })
	f("domain", nil, func(r *Record) { r.Domain = "api.example.org" })
	f("target", "https://10.0.0.1:8443", func(r *Record) { r.Target = "https://10.0.0.1:8443" })
	f("target", "unix:/run/pets.sock", func(r *Record) { r.Target = "unix:/run/pets.sock" })
	f("target", "http://", func(r *Record) { r.Target = "http://" })
	f("target", nil, func(r *Record) { r.Target, r.ConnectionReused = "", false })
	f("upstream_status", 304.0, func(r *Record) { r.UpstreamStatus = 304 })
	f("reused", false, func(r *Record) { r.ConnectionReused = false })
	f("retries", 2.0, func(r *Record) { r.Retries = 2 })
	f("peer", "10.0.0.9:1", func(r *Record) { r.Peer = netip.MustParseAddrPort("10.0.0.9:1") })
	f("referer", "https://example.org/", func(r *Record) { r.Referer = []byte("https://example.org/") })
	f("duration_ms", 1.0, func(r *Record) { r.Took = time.Millisecond })
	f("duration_ms", 0.0, func(r *Record) { r.Took = 0 })
	f("path", "/caf\u00e9", func(r *Record) { r.Path = []byte("/caf\u00e9") })
	f("user_agent", nil, func(r *Record) { r.UserAgent = nil })
	f("trace_id", nil, func(r *Record) { r.TraceParent = []byte("no trace") })
}

func TestMillis(t *testing.T) {
	f := func(d time.Duration, want string) {
		t.Helper()
		if got := string(appendMillis(nil, d)); got != want {
			t.Errorf("appendMillis(%s): got %s; want %s", d, got, want)
		}
	}
	f(-time.Second, "0")
	f(0, "0")
	f(999, "0")
	f(time.Microsecond, "0.001")
	f(10*time.Microsecond, "0.01")
	f(500*time.Microsecond, "0.5")
	f(time.Millisecond, "1")
	f(100*time.Millisecond, "100")
	f(12*time.Second+34*time.Millisecond+56*time.Microsecond+789, "12034.056")
}

// TestTimesOfOneLine lets one line write one time after the other.
func TestTimesOfOneLine(t *testing.T) {
	var out strings.Builder
	logger, line := zerolog.New(&out), newJSONLine()
	at := time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)
	for _, step := range []time.Duration{0, 1, 7 * time.Millisecond, 991 * time.Millisecond, time.Second, -2 * time.Second, -time.Duration(at.UnixNano()) - 1} {
		out.Reset()
		r := &Record{Start: at.Add(step)}
		line.write(&logger, r)
		want := `{"time":"` + r.Start.Format("2006-01-02T15:04:05.000Z07:00") + `","duration_ms":0}` + "\n"
		if got := out.String(); got != want {
			t.Errorf("got %swant %s", got, want)
		}
	}
}

// TestGlobalsOfZerologDoNotMatter turns zerolog off for the whole program, as a
// library may.
func TestGlobalsOfZerologDoNotMatter(t *testing.T) {
	level := zerolog.GlobalLevel()
	defer zerolog.SetGlobalLevel(level)
	usual := lineOf(t, "json", typicalRecord())
	for _, raised := range []zerolog.Level{zerolog.ErrorLevel, zerolog.PanicLevel, zerolog.NoLevel} {
		zerolog.SetGlobalLevel(raised)
		if got := lineOf(t, "json", typicalRecord()); got != usual {
			t.Errorf("level %s: got %swant %s", raised, got, usual)
		}
	}
	zerolog.SetGlobalLevel(zerolog.Disabled)
	got := lineOf(t, "json", typicalRecord())
	_, behind, _ := strings.Cut(got, ",")
	if !strings.HasPrefix(got, `{"level":`) || "{"+behind != usual {
		t.Errorf("got %swant the usual line behind a level", got)
	}
}

func TestTraceIDsAreHexadecimal(t *testing.T) {
	for c := range 256 {
		parent := []byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		parent[3+c%32] = byte(c)
		isID := traceIDOf(parent) != nil
		if want := hexValue(byte(c)) < 16; isID != want {
			t.Errorf("trace id with %q: got %t; want %t", byte(c), isID, want)
		}
	}
}

package observe

import (
	"bytes"
	"math"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// scrape returns weir's own lines, without comments.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	text, err := m.AppendText(nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "weir_") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func wantSeries(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, line := range want {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("got no line %q; want it in\n%s", line, got)
		}
	}
}

func TestRouteSeries(t *testing.T) {
	m := NewMetrics(2, "1.2.3")
	route := m.Route("petstore", "prod", "/pets/{id}")
	m.Route("petstore", "prod", "/never")
	r := sampleRecord()
	r.Took, r.BytesIn = 2*time.Millisecond, 10
	route.Observe(r)
	r.Shard = 1
	route.Observe(r)
	r.Shard = 99 // a bug of the caller must not stop a request
	r.Method, r.Status, r.Took = []byte("PURGE"), 503, 2*time.Minute
	route.Observe(r)
	r.Status, r.Took = 0, -time.Second
	route.Observe(r)
	m.Route("", "", "").Observe(&Record{Method: []byte("GET"), Status: 404})
	for shard, status := range []GRPCStatus{GRPCStatusOf(0), GRPCStatusOf(16), GRPCStatusOf(17), NoGRPCStatus, 200, 0} {
		m.Route("petstore", "prod", "").ObserveCall(shard, status)
	}
	for shard, result := range []CacheResult{CacheHit, CacheHit, CacheMiss, CacheRefreshed, NoCache, cacheResults} {
		m.Route("petstore", "prod", "").ObserveCache(&Record{Shard: shard, CacheResult: result, BytesOut: 100})
	}

	got := scrape(t, m)
	const names = `api="petstore",`
	wantSeries(t, got,
		`weir_requests_total{`+names+`class="2xx",method="GET",route="/pets/{id}",stage="prod"} 2`,
		`weir_requests_total{`+names+`class="5xx",method="other",route="/pets/{id}",stage="prod"} 1`,
		`weir_requests_total{`+names+`class="none",method="other",route="/pets/{id}",stage="prod"} 1`,
		`weir_requests_total{api="",class="4xx",method="GET",route="",stage=""} 1`,
		`weir_request_duration_seconds_bucket{`+names+`route="/pets/{id}",stage="prod",le="0.0005"} 1`,
		`weir_request_duration_seconds_bucket{`+names+`route="/pets/{id}",stage="prod",le="0.001"} 1`,
		`weir_request_duration_seconds_bucket{`+names+`route="/pets/{id}",stage="prod",le="0.0025"} 3`,
		`weir_request_duration_seconds_bucket{`+names+`route="/pets/{id}",stage="prod",le="60"} 3`,
		`weir_request_duration_seconds_bucket{`+names+`route="/pets/{id}",stage="prod",le="+Inf"} 4`,
		`weir_request_duration_seconds_sum{`+names+`route="/pets/{id}",stage="prod"} 120.004`,
		`weir_request_duration_seconds_count{`+names+`route="/pets/{id}",stage="prod"} 4`,
		`weir_request_bytes_total{`+names+`route="/pets/{id}",stage="prod"} 40`,
		`weir_response_bytes_total{`+names+`route="/pets/{id}",stage="prod"} 4096`,
		`weir_grpc_requests_total{`+names+`grpc_status="0",stage="prod"} 1`,
		`weir_grpc_requests_total{`+names+`grpc_status="2",stage="prod"} 1`,
		`weir_grpc_requests_total{`+names+`grpc_status="16",stage="prod"} 1`,
		`weir_grpc_requests_total{`+names+`grpc_status="none",stage="prod"} 2`,
		`weir_cache_requests_total{`+names+`result="hit",stage="prod"} 2`,
		`weir_cache_requests_total{`+names+`result="miss",stage="prod"} 1`,
		`weir_cache_requests_total{`+names+`result="refreshed_in_background",stage="prod"} 1`,
		`weir_cache_bytes_served_total{`+names+`stage="prod"} 300`,
	)
	if strings.Contains(got, `route="",stage="prod"`) {
		t.Errorf("got series of requests for a stage that had calls only:\n%s", got)
	}
	if strings.Contains(got, "/never") {
		t.Errorf("got series of a route that nobody called:\n%s", got)
	}
}

func TestOtherSeries(t *testing.T) {
	m := NewMetrics(2, "1.2.3")
	pets := m.Upstream("pets", "10.0.0.1:8080")
	pets.Observe(0, 200, 20*time.Millisecond)
	pets.Observe(1, 502, 20*time.Millisecond)
	pets.Fail(m.Cause("connection_refused"))
	pets.Fail(m.Cause("connection_refused"))
	pets.Retry(1)
	pets.Open(0)
	pets.Reuse(0)
	m.Refuse(1, m.Cause("no_route"))
	m.Refuse(7, 0)
	web := m.Listener(":8080")
	web.Accept(0)
	web.Accept(1)
	web.Close(1)
	web.Refuse(0)
	m.Reloaded(false)
	m.Reloaded(true)
	m.Loaded(time.Unix(1_700_000_000, 0))
	m.RegisterFunc("weir_upstream_connections", "Open connections.", Gauge, map[string]string{"upstream": "pets", "state": "idle"}, func() float64 { return 3 })
	m.RegisterFunc("weir_upstream_connections", "Open connections.", Gauge, map[string]string{"upstream": "pets", "state": "busy"}, func() float64 { return 4 })

	got := scrape(t, m)
	const names = `target="10.0.0.1:8080",upstream="pets"`
	wantSeries(t, got,
		`weir_upstream_requests_total{class="2xx",`+names+`} 1`,
		`weir_upstream_requests_total{class="5xx",`+names+`} 1`,
		`weir_upstream_duration_seconds_count{`+names+`} 2`,
		`weir_upstream_failures_total{cause="connection_refused",`+names+`} 2`,
		`weir_upstream_retries_total{`+names+`} 1`,
		`weir_upstream_connections_opened_total{`+names+`} 1`,
		`weir_upstream_connections_reused_total{`+names+`} 1`,
		`weir_refusals_total{cause="no_route"} 1`,
		`weir_refusals_total{cause="other"} 1`,
		`weir_connections{listener=":8080"} 1`,
		`weir_connections_accepted_total{listener=":8080"} 2`,
		`weir_connections_refused_total{listener=":8080"} 1`,
		`weir_reloads_total{result="failure"} 1`,
		`weir_reloads_total{result="success"} 1`,
		`weir_config_last_reload_success_timestamp_seconds 1.7e+09`,
		`weir_upstream_connections{state="idle",upstream="pets"} 3`,
		`weir_upstream_connections{state="busy",upstream="pets"} 4`,
	)
	if !regexp.MustCompile(`weir_build_info\{goversion="go[^"]+",version="1\.2\.3"\} 1\n`).MatchString(got) {
		t.Errorf("got no build info in\n%s", got)
	}

	m.UnregisterFunc("weir_upstream_connections", map[string]string{"state": "busy", "upstream": "pets"})
	m.RegisterFunc("weir_upstream_connections", "Open connections.", Gauge, map[string]string{"upstream": "pets", "state": "idle"}, func() float64 { return 5 })
	got = scrape(t, m)
	wantSeries(t, got, `weir_upstream_connections{state="idle",upstream="pets"} 5`)
	if strings.Contains(got, `state="busy"`) {
		t.Errorf("got a series that was unregistered:\n%s", got)
	}
}

func TestStatsSurviveReloads(t *testing.T) {
	m := NewMetrics(1, "")
	route, upstream, listener, cause := m.Route("a", "b", "/c"), m.Upstream("u", "t"), m.Listener("l"), m.Cause("x")
	if m.Route("a", "b", "/c") != route || m.Upstream("u", "t") != upstream || m.Listener("l") != listener || m.Cause("x") != cause {
		t.Fatal("got other counters for the same names; want the same")
	}
	gone := m.Route("a", "b", "/gone")
	r := sampleRecord()
	route.Observe(r)
	gone.Observe(r)
	m.Retain([]*RouteStats{route}, []*UpstreamStats{upstream})
	gone.Observe(r)
	got := scrape(t, m)
	wantSeries(t, got, `weir_requests_total{api="a",class="2xx",method="GET",route="/c",stage="b"} 1`)
	if strings.Contains(got, "/gone") {
		t.Errorf("got series of a route that is gone:\n%s", got)
	}
	if m.Route("a", "b", "/c") != route || m.Route("a", "b", "/gone") == gone {
		t.Error("got the wrong routes after Retain")
	}
}

func TestCausesAreBounded(t *testing.T) {
	m := NewMetrics(1, "")
	for i := range 3 * maxCauses {
		m.Refuse(0, m.Cause(strings.Repeat("x", i+1)))
	}
	got := scrape(t, m)
	if n := strings.Count(got, "weir_refusals_total{"); n != maxCauses {
		t.Errorf("got %d causes; want %d", n, maxCauses)
	}
	wantSeries(t, got, `weir_refusals_total{cause="other"} 129`)
}

func TestBrokenNamesDoNotBreakScrapes(t *testing.T) {
	m := NewMetrics(1, "\xff")
	m.Route("a\xff", "\n", `"`).Observe(sampleRecord())
	wantSeries(t, scrape(t, m), `weir_request_duration_seconds_count{api="a`+"\ufffd"+`",route="\"",stage="\n"} 1`)
}

func TestRegisterFuncRefusesBugs(t *testing.T) {
	m := NewMetrics(1, "")
	zero := func() float64 { return 0 }
	m.RegisterFunc("weir_tunnels", "Open tunnels.", Gauge, nil, zero)
	f := func(name, help string, kind Kind, labels map[string]string) {
		t.Helper()
		defer func() {
			if got, _ := recover().(string); !strings.HasPrefix(got, "BUG: ") {
				t.Errorf("RegisterFunc(%q): got panic %q; want a BUG", name, got)
			}
		}()
		m.RegisterFunc(name, help, kind, labels, zero)
	}
	f("tunnels", "Open tunnels.", Gauge, nil)
	f("weir_tunnels", "Other help.", Gauge, nil)
	f("weir_tunnels", "Open tunnels.", Counter, nil)
	f("weir_tunnels", "Open tunnels.", Gauge, map[string]string{"a": "b"})
	f("weir_refusals_total", "x", Counter, nil)
	f("weir_x", "x", Gauge, map[string]string{"not-a-label\xff": "b"})
	wantSeries(t, scrape(t, m), "weir_tunnels 0")
}

func TestBucketsMatchTheirBounds(t *testing.T) {
	for i, bound := range durationBounds() {
		if got := bucketOf(bound); got != i {
			t.Errorf("bucketOf(%s): got %d; want %d", bound, got, i)
		}
		if got := bucketOf(bound + 1); got != i+1 {
			t.Errorf("bucketOf(%s): got %d; want %d", bound+1, got, i+1)
		}
	}
	if got := bucketOf(math.MaxInt64); got != boundCount {
		t.Errorf("bucketOf(max): got %d; want %d", got, boundCount)
	}
}

// fullMetrics has a value in every family.
func fullMetrics(t *testing.T) *Metrics {
	t.Helper()
	m := NewMetrics(1, "1")
	r := sampleRecord()
	r.BytesIn = 1
	m.Route("a", "b", "c").Observe(r)
	m.Route("a", "b", "").ObserveCall(0, NoGRPCStatus)
	m.Route("a", "b", "").ObserveCache(&Record{CacheResult: CacheHit, BytesOut: 1})
	u := m.Upstream("u", "t")
	u.Observe(0, 200, time.Second)
	u.Fail(m.Cause("timeout"))
	u.Retry(0)
	u.Open(0)
	u.Reuse(0)
	m.Refuse(0, 0)
	l := m.Listener("l")
	l.Accept(0)
	l.Refuse(0)
	l.Handshake(0, HandshakeFull)
	m.Reloaded(true)
	m.Loaded(time.Unix(1, 0))
	accessLog, err := NewAccessLog(LogConfig{Output: "off"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	m.WatchLog(accessLog)
	return m
}

func TestNamesFollowTheRules(t *testing.T) {
	text, err := fullMetrics(t).AppendText(nil)
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.New(bytes.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, want := range []string{"\ngo_goroutines ", "# TYPE weir_request_duration_seconds histogram"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("got no %q in the text; want it", want)
		}
	}
}

func TestReferenceMatchesTheText(t *testing.T) {
	text, err := fullMetrics(t).AppendText(nil)
	if err != nil {
		t.Fatal(err)
	}
	inText := regexp.MustCompile(`(?m)^# TYPE (weir_\S+) (\S+)$`).FindAllSubmatch(text, -1)
	inReference := regexp.MustCompile("(?m)^\\| `(weir_[a-z_]+)` \\| (\\S+) \\|").FindAllSubmatch(MetricsReference(), -1)
	if len(inText) == 0 || len(inText) != len(inReference) {
		t.Fatalf("got %d families in the text and %d in the reference; want the same", len(inText), len(inReference))
	}
	for i := range inText {
		got, want := inReference[i], inText[i]
		if !bytes.Equal(got[1], want[1]) || !bytes.Equal(got[2], want[2]) {
			t.Errorf("reference: got %s %s; want %s %s", got[1], got[2], want[1], want[2])
		}
	}
}

func TestCountingAndScrapingAtOnce(t *testing.T) {
	const goroutines, each = 8, 500
	m := NewMetrics(2, "")
	var wg sync.WaitGroup
	for i := range goroutines {
		wg.Go(func() {
			r := sampleRecord()
			for n := range each {
				r.Shard = (i + n) % 2
				m.Route("a", "b", "/c").Observe(r)
				u := m.Upstream("u", "t")
				u.Observe(r.Shard, 200, time.Millisecond)
				u.Fail(m.Cause("timeout"))
			}
		})
	}
	wg.Go(func() {
		for range 5 {
			if _, err := m.AppendText(nil); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	wantSeries(t, scrape(t, m),
		`weir_requests_total{api="a",class="2xx",method="GET",route="/c",stage="b"} 4000`,
		`weir_upstream_requests_total{class="2xx",target="t",upstream="u"} 4000`,
		`weir_upstream_failures_total{cause="timeout",target="t",upstream="u"} 4000`)
}

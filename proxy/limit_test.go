package proxy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// limited returns a document whose only route answers hello, under what is said
// of limits.
func limitedBy(limits, names string) string {
	return fmt.Sprintf("limits: { %s }\napis: { all: { limits: [%s], routes: [ { path: $default, answer: { body: hello } } ] } }\n", limits, names)
}

// get sends a GET with further fields on a connection of its own and returns
// the status.
func (g *testGateway) get(path string, fields ...string) int {
	g.t.Helper()
	request := "GET " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
	for _, field := range fields {
		request += field + "\r\n"
	}
	return g.exchange(request + "\r\n").Status
}

func (g *testGateway) wants(what string, want int, got int) {
	g.t.Helper()
	if got != want {
		g.t.Errorf("%s: got %d; want %d", what, got, want)
	}
}

func TestLimitByAddress(t *testing.T) {
	t.Parallel()
	g := startGateway(t, limitedBy("each: { by: [address], rate: 1/h, burst: 1 }, wide: { by: [address], ipv6Prefix: 48, rate: 1/h, burst: 2 }", "each, wide")+
		"trustedProxies: [ 127.0.0.0/8 ]\n")
	f := func(client string, want int) {
		t.Helper()
		g.wants(client, want, g.get("/", "X-Forwarded-For: "+client))
	}
	f("192.0.2.1", 200)
	f("192.0.2.1", 429)
	f("::ffff:192.0.2.1", 429)
	f("192.0.2.2", 200)
	f("2001:db8:1:1::1", 200)
	f("2001:db8:1:1:ffff::2", 429) // the same /64
	f("2001:db8:1:2::1", 200)
	f("2001:db8:1:3::1", 429) // the same /48
	f("2001:db8:2::1", 200)
}

// TestLimitIsExact sends from many connections at once.
func TestLimitIsExact(t *testing.T) {
	t.Parallel()
	g := startGateway(t, limitedBy("keyed: { by: [address], rate: 1/h, burst: 70 }, total: { rate: 1/h, burst: 50 }", "keyed, total"))
	const clients, each = 8, 25
	accepted := make(chan int, clients)
	for range clients {
		c := g.dial()
		go func() {
			n := 0
			for range each {
				c.send(plainGet)
				if a, err := c.tryAnswer("GET"); err == nil && a.Status == 200 {
					n++
				}
			}
			accepted <- n
		}()
	}
	sum := 0
	for range clients {
		sum += within(t, "the end of a client", accepted)
	}
	if sum != 50 {
		t.Errorf("got %d of %d requests through; want 50", sum, clients*each)
	}
	// What the second limit refused, the first one has back.
	if got := g.limits.statsOf("keyed").total(refused); got != 0 {
		t.Errorf("the limit that was not used up refused %d requests; want none", got)
	}
}

func TestLimitAtOnce(t *testing.T) {
	t.Parallel()
	up, arrived, release := heldUpstream(t)
	g := startGateway(t, `
limits: { two: { by: ["header:X-Tenant"], concurrency: 2 }, trial: { concurrency: 1, dryRun: true } }
apis: { all: { limits: [two, trial], routes: [ { path: $default, upstream: up } ] } }
upstreams: { up: { targets: [ "`+up.url()+`" ] } }
`)
	var busy []*rawClient
	for range 2 {
		c := g.dial()
		c.send("GET / HTTP/1.1\r\nHost: h\r\nX-Tenant: a\r\n\r\n")
		within(t, "the request", arrived)
		busy = append(busy, c)
	}
	a := g.exchange("GET / HTTP/1.1\r\nHost: h\r\nX-Tenant: a\r\nConnection: close\r\n\r\n")
	if a.Status != 429 || !strings.Contains(a.Body, "too_many_at_once") || a.Header.Get("Retry-After") != "1" {
		t.Errorf("got %+v; want it refused", a)
	}
	if got, want := a.Header.Get("RateLimit-Policy"), `"two";q=2;qu="concurrent-requests"`; got != want {
		t.Errorf("got policy %q; want %q", got, want)
	}
	close(release)
	for _, c := range busy {
		g.wants("a request under way", 200, c.answer("GET").Status)
	}
	g.eventually("the end of the others", func() bool { return g.get("/", "X-Tenant: a") == 200 })
}

func TestLimitAtOnceOfWebSockets(t *testing.T) {
	t.Parallel()
	up := tunnelUpstream(t)
	g := startGateway(t, `
limits: { one: { by: [address], concurrency: 1 } }
apis: { all: { limits: [one], routes: [ { path: $default, upstream: up } ] } }
upstreams: { up: { targets: [ "`+up.url()+`" ] } }
`)
	c := g.tunnel()
	c.echoes("open")
	g.wants("beside an open tunnel", 429, g.get("/"))
	_ = c.Close()
	g.eventually("the end of the tunnel", func() bool {
		next := g.dial()
		defer next.Close()
		next.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		return next.answer("GET").Status == 101
	})
}

func TestLimitDelays(t *testing.T) {
	t.Parallel()
	g := startGateway(t, limitedBy("slow: { rate: 20, burst: 1, delay: 10s }, fast: { rate: 1000000, burst: 1, delay: 1s }", "slow, fast"))
	begun := time.Now()
	for range 4 {
		g.wants("a delayed request", 200, g.get("/"))
	}
	if took := time.Since(begun); took < 150*time.Millisecond {
		t.Errorf("four requests at 20/s took %s; want 150ms or more", took)
	}
}

func TestLimitDelaysNoLonger(t *testing.T) {
	t.Parallel()
	g := startGateway(t, limitedBy("slow: { rate: 1/h, burst: 1, delay: 10m }", "slow"))
	g.wants("within the burst", 200, g.get("/"))
	g.wants("an hour ahead", 429, g.get("/"))
	none := startGateway(t, limitedBy("slow: { rate: 1/h, burst: 1, delay: 2h }", "slow"), func(o *Options) { o.LimitDelayed = 0 })
	none.wants("within the burst", 200, none.get("/"))
	for range 3 { // what is refused does not extend the wait
		a := none.exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		if a.Status != 429 || a.Header.Get("Retry-After") != "3600" {
			t.Errorf("got %d, Retry-After %q; want 429 and 3600", a.Status, a.Header.Get("Retry-After"))
		}
	}
}

func TestLimitDelayEndsWithTheClient(t *testing.T) {
	t.Parallel()
	g := startGateway(t, limitedBy("slow: { rate: 1/h, burst: 1, delay: 2h }", "slow"))
	g.wants("within the burst", 200, g.get("/"))
	for range 2 { // the second one finds the token that the first one gave back
		c := g.dial()
		c.send(plainGet)
		g.eventually("the wait", func() bool { return g.limits.waiting.Load() == 1 })
		_ = c.Close()
		g.eventually("the end of the wait", func() bool { return g.limits.waiting.Load() == 0 })
	}
	if got := g.limits.statsOf("slow").total(delayed); got != 2 {
		t.Errorf("got %d delayed requests; want 2", got)
	}
}

func TestLimitDelayEndsWithTheGateway(t *testing.T) {
	t.Parallel()
	g := startGateway(t, limitedBy("slow: { rate: 1/h, burst: 1, delay: 2h }", "slow"), func(o *Options) { o.DrainTimeout = patient })
	g.wants("within the burst", 200, g.get("/"))
	c := g.dial()
	c.send(plainGet)
	g.eventually("the wait", func() bool { return g.limits.waiting.Load() == 1 })
	done := g.stopped()
	g.wants("a request that waits at the end", 429, c.answer("GET").Status)
	within(t, "the end of the drain", done)
}

func TestReloadKeepsBuckets(t *testing.T) {
	t.Parallel()
	document := func(rate string, more string) string {
		return limitedBy("keyed: { by: [address], "+rate+" }, total: { "+rate+" }", "keyed, total") + more
	}
	g := startGateway(t, document("rate: 1/h, burst: 2", ""))
	g.wants("the first", 200, g.get("/"))
	g.wants("the second", 200, g.get("/"))
	g.reload(document("rate: 1/h, burst: 2", "throttle: { rate: 1 }\n"))
	g.wants("after a reload", 429, g.get("/"))
	g.reload(document("rate: 1/h, burst: 3", ""))
	g.wants("with a larger burst", 200, g.get("/"))
	g.wants("with a larger burst", 429, g.get("/"))
	g.reload(document("rate: 1000000, burst: 1", ""))
	g.eventually("a faster rate", func() bool { return g.get("/") == 200 })
	g.reload(answering("none"))
	if got := len(g.limits.buckets) + len(g.limits.stats); got != 0 {
		t.Errorf("got %d buckets and counters that no document names; want none", got)
	}
	g.reload(document("rate: 1/h, burst: 2", ""))
	g.wants("after it was away", 200, g.get("/"))
}

// TestLimitsOverHTTP2 holds requests of one connection to the same budget, and
// their answers to the same fields.
func TestLimitsOverHTTP2(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "listeners: {main: {address: \"127.0.0.1:0\", protocols: [h2, http/1.1]}}\n"+
		limitedBy("each: { by: [address], rate: 1/h, burst: 2 }", "each"))
	g.wants("over HTTP/1.1", 200, g.get("/"))
	c := g.dialHTTP2(t)
	f := func(id uint32, want ...string) {
		t.Helper()
		c.headers(id, true, ":method: GET", ":scheme: http", ":authority: h", ":path: /")
		for {
			if h, ok := c.next().(*http2.MetaHeadersFrame); ok {
				got := ""
				for _, field := range h.Fields {
					got += field.Name + ": " + field.Value + "\n"
				}
				for _, line := range want {
					if !strings.Contains(got, line+"\n") {
						t.Errorf("stream %d: got\n%s; want %s", id, got, line)
					}
				}
				return
			}
		}
	}
	f(1, ":status: 200")
	f(3, ":status: 429", "retry-after: 3600", `ratelimit: "each";r=0;t=3600`, `ratelimit-policy: "each";q=2;w=7200`)
}

func TestLimitsOverHTTP3(t *testing.T) {
	t.Parallel()
	g, a, document := startQUIC(t, "[h3, h2]")
	tr := g.http3(a.client("a.example.org"))
	defer tr.Close()
	g.reload(strings.Replace(document("[h3, h2]", "hello"), "  shop:\n", "  shop:\n    throttle: { rate: 1/h, burst: 1 }\n", 1))
	for _, want := range []int{200, 429} {
		status, header, _, err := ask3(tr, "https://a.example.org/own")
		if err != nil || status != want {
			t.Fatalf("got %d, %v; want %d", status, err, want)
		}
		if want == 429 && header.Get("Retry-After") != "3600" {
			t.Errorf("got %v; want Retry-After", header)
		}
	}
}

func TestLimitsAreObserved(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "access.log")
	g := startGateway(t, limitedBy("each: { by: [address], rate: 1/h, burst: 1 }, trial: { rate: 1/h, burst: 1, dryRun: true }", "trial, each"),
		withControl, logTo(file, "json"))
	g.wants("the first", 200, g.get("/"))
	g.wants("the second", 429, g.get("/"))
	g.wants("the third", 429, g.get("/"))
	metrics, err := g.AppendMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`weir_limit_decisions_total{limit="each",outcome="allowed"} 1`, `weir_limit_decisions_total{limit="each",outcome="refused"} 2`,
		`weir_limit_decisions_total{limit="trial",outcome="would_refuse"} 2`,
		"weir_limit_table_keys 1", "weir_limit_table_capacity 1.048576e+06", "weir_limit_delayed_requests 0", "weir_data_writable 1",
	} {
		if !strings.Contains(string(metrics), want+"\n") {
			t.Errorf("the metrics have no %s", want)
		}
	}
	response, err := http.Get("http://" + g.ControlAddress() + "/limits")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	var state struct {
		Limits []limitState
		Table  tableState
	}
	if err := json.Unmarshal(text, &state); err != nil || len(state.Limits) != 2 || state.Limits[0].Decisions["refused"] != 2 || state.Table.Keys != 1 ||
		len(state.Limits[0].Top) != 1 || state.Limits[0].Top[0].Count != 2 || !bytes.Contains(metrics, []byte(`{key="`+state.Limits[0].Top[0].Key+`",limit="each"} 2`)) {
		t.Errorf("got %s, %v", text, err)
	}
	g.stop()
	if log := strings.Join(lines(t, file), "\n"); strings.Count(log, `"cause":"throttled","limit":"each","error_type":"THROTTLED"`) != 2 {
		t.Errorf("got the lines %s", log)
	}
}

func TestExplainTakesNothing(t *testing.T) {
	t.Parallel()
	g := startGateway(t, limitedBy("each: { by: [address], rate: 1/h, burst: 1 }, busy: { concurrency: 1 }", "each, busy")+"throttle: { rate: 1/h, burst: 1 }\n", withControl)
	for range 3 {
		got, text := g.explain(`{"url": "http://h/"}`)
		if got.Status != 200 || !strings.Contains(text, "each would let it through") || !strings.Contains(text, "account:total would let it through") {
			t.Errorf("got %s; want all limits and 200", text)
		}
	}
	g.wants("the first", 200, g.get("/"))
	if _, text := g.explain(`{"url": "http://h/"}`); !strings.Contains(text, "each would refuse it") {
		t.Errorf("got %s; want a refusal", text)
	}
}

// What a step has waited for counts towards what limits hold the request back
// for: the wait is from the moment that they were asked.
func TestAdvanceCountsWhatWasWaited(t *testing.T) {
	t.Parallel()
	began := time.Now().Add(-time.Second)
	f := func(wait, most time.Duration) {
		t.Helper()
		r := &request{moment: began, wait: wait}
		r.advance()
		if r.wait > most || r.wait < 0 || r.moment.Sub(began) < time.Second {
			t.Errorf("a wait of %s: got %s from %s on; want at most %s, from now on", wait, r.wait, r.moment.Sub(began), most)
		}
	}
	f(3*time.Second, 2*time.Second)
	f(time.Second, 0)
	f(0, 0)
}

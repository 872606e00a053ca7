package proxy

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const observed = `
apis:
  shop:
    routes:
      - { path: "/own", answer: { body: hello } }
      - { path: "/items/{id}", upstream: up }
      - { path: "/gone", upstream: gone }
      - { path: "/quiet", answer: { body: shh }, accessLog: false }
upstreams:
  up: { targets: [ %q ] }
  gone: { targets: [ "http://127.0.0.1:1" ] }
`

// logTo makes the gateway write its access log to a file.
func logTo(file, format string) func(*Options) {
	return func(o *Options) { o.Log.Output, o.Log.Format = file, format }
}

// lines returns the lines of a log whose writer has ended.
func lines(t *testing.T, file string) []string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
}

func TestAccessLogEndToEnd(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, answerEach(func(*rawRequest) string { return okText("item") }))
	file := filepath.Join(t.TempDir(), "access.log")
	g := startGateway(t, fmt.Sprintf(observed, up.url()), logTo(file, "json"))
	c := g.dial()
	f := func(request string) {
		t.Helper()
		c.send(request)
		c.answer(strings.Fields(request)[0])
	}
	f("GET /own HTTP/1.1\r\nHost: h\r\n\r\n")
	f("POST /items/7?token=hush-1&page=2 HTTP/1.1\r\nHost: shop.example.org\r\nUser-Agent: \"x\" y\r\nAuthorization: Bearer hush-2\r\n" +
		"Cookie: s=hush-3\r\nReferer: http://u:hush-4@r.example.org/?access_token=hush-5\r\nContent-Length: 3\r\n\r\nabc")
	f("GET /gone HTTP/1.1\r\nHost: h\r\n\r\n")
	f("GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n")
	f("GET /quiet HTTP/1.1\r\nHost: h\r\n\r\n")
	f("GET /bad HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n")
	_ = c.Close()
	g.stop()

	want := []map[string]any{
		{"method": "GET", "path": "/own", "status": 200.0, "bytes_out": 5.0, "route": "/own", "api": "shop", "client": "127.0.0.1"},
		{"method": "POST", "path": "/items/7", "status": 200.0, "bytes_in": 3.0, "bytes_out": 4.0, "route": "/items/{id}", "upstream": "up", "host": "shop.example.org", "user_agent": `"x" y`},
		{"path": "/gone", "status": 502.0, "cause": "connection_refused", "upstream": "gone"},
		{"path": "/nowhere", "status": 404.0, "cause": "no_route"},
		{"status": 400.0, "cause": "bad_request"},
	}
	got := lines(t, file)
	if len(got) != len(want) {
		t.Fatalf("got %d lines; want %d\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
	for i, line := range got {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		for name, value := range want[i] {
			if fields[name] != value {
				t.Errorf("line %d: %s: got %v; want %v\n%s", i, name, fields[name], value, line)
			}
		}
		if id, _ := fields["request_id"].(string); len(id) != 36 {
			t.Errorf("line %d: got id %q; want a UUID", i, id)
		}
		if strings.Contains(line, "hush") {
			t.Errorf("line %d holds a secret: %s", i, line)
		}
	}
}

// TestAccessLogBlamesTheClient: its reset is not called the upstream's error,
// and an answer that nobody got has no bytes.
func TestAccessLogBlamesTheClient(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, answerEach(func(*rawRequest) string { return okText("item") }))
	file := filepath.Join(t.TempDir(), "access.log")
	g := startGateway(t, fmt.Sprintf(observed, up.url()), logTo(file, "json"))
	c := g.dial()
	c.send("POST /items/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
	if line, err := c.br.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
		t.Fatalf("got %q, %v; want to be asked for the body", line, err)
	}
	if err := c.Conn.(*net.TCPConn).SetLinger(0); err != nil { // Close resets
		t.Fatal(err)
	}
	_ = c.Close()
	late := time.After(patient)
	for g.metric(`weir_refusals_total{cause="client_gone"}`) != "1" {
		select {
		case <-late:
			t.Fatal("got no request whose client is gone; want one")
		case <-time.After(5 * time.Millisecond):
		}
	}
	g.stop()
	var got struct {
		Status        int
		Aborted       bool
		Error         string
		BytesOut      int64  `json:"bytes_out"`
		UpstreamError string `json:"upstream_error"`
	}
	if err := json.Unmarshal([]byte(lines(t, file)[0]), &got); err != nil {
		t.Fatal(err)
	}
	if got.Status != 499 || !got.Aborted || got.Error == "" || got.BytesOut != 0 || got.UpstreamError != "" {
		t.Errorf("got %+v; want 499, aborted, with an error that is not the upstream's and no bytes out", got)
	}
}

func TestAccessLogFormats(t *testing.T) {
	t.Parallel()
	f := func(format, want string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "access.log")
		g := startGateway(t, fmt.Sprintf(observed, "http://127.0.0.1:1"), logTo(file, format))
		g.exchange("GET /own?a=b HTTP/1.1\r\nHost: h\r\nReferer: /from\r\nUser-Agent: curl/8\r\n\r\n")
		g.stop()
		if got := lines(t, file); len(got) != 1 || !regexp.MustCompile("^(?:"+want+")$").MatchString(got[0]) {
			t.Errorf("format %q: got %q; want one line like %s", format, got, want)
		}
	}
	const client, line = `127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] `, `HTTP/1\.1" 200 5`
	f("clf", client+`"GET /own `+line+`( [0-9a-f-]{36}){2}`)
	f("combined", client+`"GET /own\?a=b `+line+` "/from" "curl/8"`)
	f("$context.httpMethod $context.resourcePath $context.status", `GET /own 200`)
}

func TestAccessLogReopens(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "access.log")
	g := startGateway(t, fmt.Sprintf(observed, "http://127.0.0.1:1"), logTo(file, "$context.path"))
	g.exchange("GET /first HTTP/1.1\r\nHost: h\r\n\r\n")
	g.eventually("the first line", func() bool { content, _ := os.ReadFile(file); return len(content) > 0 })
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	if err := g.Reopen(); err != nil {
		t.Fatal(err)
	}
	g.exchange("GET /second HTTP/1.1\r\nHost: h\r\n\r\n")
	g.stop()
	if old, now := lines(t, file+".1"), lines(t, file); old[0] != "/first" || now[0] != "/second" || len(old) != 1 || len(now) != 1 {
		t.Errorf("got %q and %q; want the first line in the old file and the second in the new", old, now)
	}
}

func TestAccessLogCountsEveryRequest(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "access.log")
	g := startGateway(t, fmt.Sprintf(observed, "http://127.0.0.1:1"), logTo(file, "$context.path"))
	const requests = 2000
	c := g.dial()
	go c.send(strings.Repeat("GET /own HTTP/1.1\r\nHost: h\r\n\r\n", requests))
	for range requests {
		c.answer("GET")
	}
	g.stop()
	if got := len(lines(t, file)); got != requests {
		t.Errorf("got %d lines; want %d", got, requests)
	}
	if got := g.metric("weir_log_lines_total"); got != "2000" {
		t.Errorf("weir_log_lines_total: got %s; want 2000", got)
	}
}

func TestMetricsEndToEnd(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, answerEach(func(r *rawRequest) string {
		if r.Target == "/items/missing" {
			return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
		}
		return okText("item")
	}))
	g := startGateway(t, fmt.Sprintf(observed, up.url()))
	c := g.dial()
	for _, path := range []string{"/own", "/own", "/items/1", "/items/2", "/items/missing", "/gone", "/nowhere"} {
		c.send("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
		c.answer("GET")
	}
	c.send("POST /items/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
	c.answer("POST")
	f := func(want, series string, labels ...any) {
		t.Helper()
		// The last request is counted just after its answer has left.
		g.eventually(fmt.Sprintf(series, labels...)+" "+want+", is "+g.metric(series, labels...), func() bool { return g.metric(series, labels...) == want })
	}
	const requests = `weir_requests_total{api="shop",class=%q,method=%q,route=%q,stage="$default"}`
	f("2", requests, "2xx", "GET", "/own")
	f("2", requests, "2xx", "GET", "/items/{id}")
	f("1", requests, "4xx", "GET", "/items/{id}")
	f("1", requests, "2xx", "POST", "/items/{id}")
	f("1", requests, "5xx", "GET", "/gone")
	f("1", requests, "4xx", "GET", "")
	f("3", `weir_request_bytes_total{api="shop",route="/items/{id}",stage="$default"}`)
	f("10", `weir_response_bytes_total{api="shop",route="/own",stage="$default"}`)
	f("2", `weir_request_duration_seconds_count{api="shop",route="/own",stage="$default"}`)
	f("1", `weir_refusals_total{cause="no_route"}`)
	f("1", `weir_refusals_total{cause="connection_refused"}`)
	f("3", `weir_upstream_requests_total{class="2xx",target=%q,upstream="up"}`, up.url())
	f("1", `weir_upstream_requests_total{class="4xx",target=%q,upstream="up"}`, up.url())
	f("1", `weir_upstream_failures_total{cause="connection_refused",target="http://127.0.0.1:1",upstream="gone"}`)
	f("1", `weir_upstream_connections_opened_total{target=%q,upstream="up"}`, up.url())
	f("3", `weir_upstream_connections_reused_total{target=%q,upstream="up"}`, up.url())
	f("1", `weir_connections{listener="main"}`)
	f("1", `weir_connections_accepted_total{listener="main"}`)
	f("1", `weir_upstream_connections{state="idle"}`)
	_ = c.Close()
	f("0", `weir_connections{listener="main"}`)
}

func TestMetricsCountTunnels(t *testing.T) {
	t.Parallel()
	up := tunnelUpstream(t)
	g := startGateway(t, proxyTo(up.url()))
	c := g.tunnel()
	c.echoes("hello")
	if got := g.metric("weir_tunnels"); got != "1" {
		t.Errorf("weir_tunnels: got %s; want 1", got)
	}
	_ = c.Close()
	g.eventually("the end of the tunnel", func() bool { return g.metric("weir_tunnels") == "0" })
	g.eventually("counting it", func() bool {
		return g.metric(`weir_requests_total{api="all",class="1xx",method="GET",route="$default",stage="$default"}`) == "1"
	})
}

// A reader that is slower than the log must lose lines, not time.
func TestAccessLogToABlockedPipe(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	g := startGateway(t, fmt.Sprintf(observed, "http://127.0.0.1:1"), logTo(fmt.Sprintf("/dev/fd/%d", w.Fd()), "json"))
	const requests = 3000
	c := g.dial()
	begun := time.Now()
	go c.send(strings.Repeat("GET /own HTTP/1.1\r\nHost: h\r\n\r\n", requests))
	for range requests {
		c.answer("GET")
	}
	if took := time.Since(begun); took > patient {
		t.Errorf("%d requests took %s behind a blocked log", requests, took)
	}
	go func() { // lets the writer end
		for s := bufio.NewScanner(r); s.Scan(); {
		}
	}()
	g.stop()
}

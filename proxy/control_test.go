package proxy

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ask sends a request to the control listener.
func (g *testGateway) ask(method, path string, fields ...string) *rawAnswer {
	g.t.Helper()
	c := dialRaw(g.t, g.ControlAddress())
	defer c.Close()
	c.send(method + " " + path + " HTTP/1.1\r\nHost: control\r\nConnection: close\r\n" + strings.Join(append(fields, ""), "\r\n") + "\r\n")
	return c.answer(method)
}

func withControl(o *Options) { o.ControlAddress = "127.0.0.1:0" }

func TestControlPages(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, answerEach(func(*rawRequest) string { return okText("ok") }))
	g := startGateway(t, proxyTo(up.url()), withControl)
	g.exchange(plainGet)
	g.eventually("the request counted", func() bool { // which it is after its answer
		return strings.Contains(g.ask("GET", "/metrics").Body, "weir_requests_total{")
	})
	f := func(method, path string, status int, kind, want string) {
		t.Helper()
		a := g.ask(method, path)
		if a.Status != status || !strings.HasPrefix(a.Header.Get("Content-Type"), kind) || !strings.Contains(a.Body, want) {
			t.Errorf("%s %s: got %d %q %q; want %d, %s and %q", method, path, a.Status, a.Header.Get("Content-Type"), a.Body, status, kind, want)
		}
		if server := a.Header.Get("Server"); server != "" {
			t.Errorf("%s %s: got Server %q; want none", method, path, server)
		}
	}
	const problem = "application/problem+json"
	f("GET", "/", 200, "text/plain", "POST /reload")
	f("GET", "/healthz", 200, "text/plain", "ok")
	f("GET", "/readyz", 200, "text/plain", "ready")
	f("GET", "/metrics", 200, "text/plain", "weir_requests_total{")
	f("GET", "/config", 200, "application/json", `"document"`)
	f("GET", "/upstreams", 200, "application/json", `"target": "`+up.url()+`"`)
	f("GET", "/debug/pprof/", 200, "text/html", "goroutine")
	f("GET", "/debug/pprof/goroutine?debug=1", 200, "text/plain", "goroutine profile")
	f("POST", "/reload", 200, "application/json", `"reloaded": true`)
	f("GET", "/reload", 405, problem, "no_method")
	f("GET", "/nowhere", 404, problem, "no_route")
	f("GET", "/healthz/", 404, problem, "no_route")
	f("POST", "/metrics", 405, problem, "no_method")

	var states map[string][]targetState
	if err := json.Unmarshal([]byte(g.ask("GET", "/upstreams").Body), &states); err != nil {
		t.Fatal(err)
	}
	if s := states["up"]; len(s) != 1 || s[0].Dialed != 1 || s[0].Idle != 1 || s[0].Busy != 0 || s[0].InFlight != 0 {
		t.Errorf("/upstreams: got %+v; want one target with one unused connection", s)
	}
}

func TestControlReload(t *testing.T) {
	t.Parallel()
	g := startGateway(t, answering("one"), withControl)
	g.source.set(answering("two"))
	if a := g.ask("POST", "/reload"); a.Status != 200 {
		t.Fatalf("got %d %q; want 200", a.Status, a.Body)
	}
	g.becomes("two")
	g.source.set("apis:\n  a: { routes: [ { path: /, answer: {}, colour: red } ] }\n")
	a := g.ask("POST", "/reload")
	if a.Status != 422 || !strings.Contains(a.Body, "weir.yaml:2:") || !strings.Contains(a.Body, "colour") {
		t.Errorf("got %d %q; want 422 with the place and the mistake", a.Status, a.Body)
	}
	g.becomes("two")
	metrics := g.ask("GET", "/metrics").Body
	for _, want := range []string{`weir_reloads_total{result="success"} 1`, `weir_reloads_total{result="failure"} 1`} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("metrics: want %q", want)
		}
	}
}

func TestControlToken(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("open-sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"open-sesame", "file:" + file} {
		g := startGateway(t, answering("a"), withControl, func(o *Options) { o.ControlToken = token })
		f := func(method, path string, status int, fields ...string) {
			t.Helper()
			a := g.ask(method, path, fields...)
			if a.Status != status {
				t.Errorf("%s %s with %q: got %d; want %d", method, path, fields, a.Status, status)
			}
			if asked := a.Header.Get("WWW-Authenticate") != ""; asked != (status == 401) {
				t.Errorf("%s %s with %q: WWW-Authenticate: got %t", method, path, fields, asked)
			}
		}
		for _, page := range []string{"/", "/metrics", "/config", "/upstreams", "/debug/pprof/", "/nowhere"} {
			f("GET", page, 401)
			f("GET", page, 401, "Authorization: Bearer open-sesam")
			f("GET", page, 401, "Authorization: Basic open-sesame")
		}
		f("POST", "/reload", 401)
		f("GET", "/healthz", 200)
		f("GET", "/readyz", 200)
		f("GET", "/metrics", 200, "Authorization: Bearer open-sesame")
		f("POST", "/reload", 200, "Authorization: Bearer open-sesame")
		// The guard and the pages must read one path.
		f("GET", "//metrics", 401)
		f("GET", "/healthz/../metrics", 401)
		f("GET", "/readyz/%2e%2e/config", 401)
		f("GET", "/%6detrics", 401)
	}
}

func TestControlConfigHidesSecrets(t *testing.T) {
	t.Parallel()
	g := startGateway(t, `
apis:
  a:
    routes:
      - path: /
        upstream: up
        requestHeaders: { set: { Authorization: "Bearer hush-1", X-Api-Key: hush-2, X-Plain: seen } }
    stages: { $default: { variables: { password: hush-3 } } }
upstreams: { up: { targets: [ "http://127.0.0.1:1" ] } }
`, withControl)
	body := g.ask("GET", "/config").Body
	if strings.Contains(body, "hush") || !strings.Contains(body, "REDACTED") || !strings.Contains(body, "seen") {
		t.Errorf("got %s; want values of secrets, and only those, taken out", body)
	}
	var shown struct {
		Routes    int
		Listeners map[string]string
		Domains   map[string]any
	}
	if err := json.Unmarshal([]byte(body), &shown); err != nil {
		t.Fatal(err)
	}
	if shown.Routes != 1 || shown.Listeners["main"] != g.address() || shown.Domains["*"] == nil {
		t.Errorf("got %+v; want what is served", shown)
	}
}

func TestControlOff(t *testing.T) {
	t.Parallel()
	if g := startGateway(t, answering("a")); g.ControlAddress() != "" {
		t.Errorf("got %q; want no control listener", g.ControlAddress())
	}
}

func TestControlMustBeGuarded(t *testing.T) {
	f := func(address, token string, good bool) {
		t.Helper()
		o := testOptions()
		o.ControlAddress, o.ControlToken = address, token
		if err := o.Validate(); (err == nil) != good {
			t.Errorf("-control %q with token %q: got %v; want good: %t", address, token, err, good)
		}
	}
	f("127.0.0.1:8081", "", true)
	f("127.9.9.9:0", "", true)
	f("[::1]:8081", "", true)
	f("localhost:8081", "", true)
	f("off", "", true)
	f(":8081", "", false)
	f("0.0.0.0:8081", "", false)
	f("[::]:8081", "", false)
	f("192.0.2.1:8081", "", false)
	f("example.org:8081", "", false)
	f("8081", "", false)
	f("0.0.0.0:8081", "x", true)
	f(":8081", "file:/run/token", true)
}

// metric returns a sample's value as it is written, "" without one.
func (g *testGateway) metric(series string, labels ...any) string {
	g.t.Helper()
	text, err := g.AppendMetrics(nil)
	if err != nil {
		g.t.Fatal(err)
	}
	want := fmt.Sprintf(series, labels...) + " "
	for _, line := range strings.Split(string(text), "\n") {
		if value, ok := strings.CutPrefix(line, want); ok {
			return value
		}
	}
	return ""
}

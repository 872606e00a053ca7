package proxy

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

// explain asks the control listener what would become of a request.
func (g *testGateway) explain(description string) (explained, string) {
	g.t.Helper()
	c := dialRaw(g.t, g.ControlAddress())
	defer c.Close()
	c.send("POST /explain HTTP/1.1\r\nHost: control\r\nConnection: close\r\nContent-Length: " + strconv.Itoa(len(description)) + "\r\n\r\n" + description)
	a := c.answer("POST")
	var out explained
	if a.Status == 200 {
		if err := json.Unmarshal([]byte(a.Body), &out); err != nil {
			g.t.Fatal(err)
		}
	}
	return out, a.Body
}

func TestExplain(t *testing.T) {
	t.Parallel()
	g := startGateway(t, `
apis:
  pets:
    routes:
      - { path: "/pets/{id}", methods: [GET], upstream: up, rewrite: { addPrefix: /v2 } }
      - { path: /moved, redirect: { location: /pets/1 } }
      - { path: /events, stream: {} }
    stages: { prod: {} }
upstreams: { up: { targets: [ "http://127.0.0.1:1/base" ] } }
domains: { api.example.org: { mappings: { v1: pets/prod } } }
`, withControl)
	f := func(description string, want explained, reasons ...string) {
		t.Helper()
		got, body := g.explain(description)
		if got.API != want.API || got.Stage != want.Stage || got.Route != want.Route || got.Upstream != want.Upstream ||
			got.Status != want.Status || got.Cause != want.Cause {
			t.Errorf("%s: got %s; want %+v", description, body, want)
		}
		for _, reason := range reasons {
			if !strings.Contains(body, reason) {
				t.Errorf("%s: got %s; want %q among the reasons", description, body, reason)
			}
		}
	}
	f(`{"url": "https://api.example.org/v1/pets/7?x=1#frag"}`,
		explained{API: "pets", Stage: "prod", Route: "GET /pets/{id}", Upstream: "up", Status: 200},
		"is taken by the route GET /pets/{id}", "127.0.0.1:1", "as GET /base/v2/pets/7?x=1")
	f(`{"url": "http://api.example.org/v1/moved", "client": "2001:db8::1", "headers": {"X-A": "b"}}`,
		explained{API: "pets", Stage: "prod", Route: "ANY /moved", Status: 308})
	f(`{"url": "http://api.example.org/v1/events"}`, explained{API: "pets", Stage: "prod", Route: "ANY /events", Status: 200})
	f(`{"method": "PUT", "url": "http://api.example.org/v1/pets/7"}`,
		explained{API: "pets", Stage: "prod", Status: 405, Cause: "no_method"}, "no route takes PUT /pets/7")
	f(`{"url": "http://other.example.org/"}`, explained{Status: 404, Cause: "no_domain"})
	f(`{"method": "G T", "url": "http://api.example.org/v1/pets/7"}`, explained{Status: 400, Cause: "bad_request"})

	for description, want := range map[string]string{
		`{`: "unexpected EOF", `{"uri": "x"}`: "unknown field", `{"url": "/pets"}`: "write it whole",
		`{"url": "http://x/", "client": "me"}`: "it is no address", `{"url": "http://x/"} {}`: "more than one",
	} {
		if _, body := g.explain(description); !strings.Contains(body, want) || !strings.Contains(body, `"status":400`) {
			t.Errorf("%s: got %s; want a problem with %q", description, body, want)
		}
	}
	text := g.ask("GET", "/metrics").Body
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "weir_requests_total{") && !strings.HasSuffix(line, " 0\n") {
			t.Errorf("got %s; want nothing counted", line)
		}
	}
}

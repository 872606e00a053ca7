package proxy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// purge asks the control listener for a purge and returns its answer.
func (g *testGateway) purgeBy(body string) *rawAnswer {
	g.t.Helper()
	c := dialRaw(g.t, g.ControlAddress())
	defer c.Close()
	c.send(fmt.Sprintf("POST /cache/purge HTTP/1.1\r\nHost: control\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	return c.answer("POST")
}

func purgeDocument(up *rawUpstream) string {
	return fmt.Sprintf(`
apis:
  site:
    cache: { purgeFrom: [127.0.0.1] }
    routes:
      - { path: $default, upstream: up }
      - { path: "/ruled/{proxy+}", upstream: up, cache: { key: { query: { deny: ["utm_*"] } } } }
      - { path: "/none/{proxy+}", upstream: up, cache: { purgeFrom: [] } }
      - { path: "/other/{proxy+}", upstream: up, cache: { purgeFrom: [192.0.2.0/24] } }
    stages: { prod: {}, test: {} }
domains: { "*": { mappings: { "": site/prod, t: site/test } } }
upstreams: { up: { targets: [ %q ] } }
`, up.url())
}

// turns answers each request with its number, to be kept for an hour, under the
// tag that its path ends with.
func turns(n int, r *rawRequest) string {
	path, _, _ := strings.Cut(r.Target, "?")
	return reply200(hour+"Surrogate-Key: all "+path[strings.LastIndexByte(path, '/')+1:]+"\r\n", fmt.Sprint(n))
}

func TestPurgeByControl(t *testing.T) {
	t.Parallel()
	up, _ := counted(t, turns)
	g := startGateway(t, purgeDocument(up), withControl)
	turn := func(path string) string { t.Helper(); return g.fetch(path, "").Body }
	// f: after the purge those paths are fetched anew, and the others are not.
	f := func(purge, gone, kept string) {
		t.Helper()
		before := map[string]string{}
		for _, path := range strings.Fields(gone + " " + kept) {
			before[path] = turn(path)
		}
		if a := g.purgeBy(purge); a.Status != 200 || !strings.Contains(a.Body, `"purged": {`) {
			t.Errorf("%s: got %d %s; want 200", purge, a.Status, a.Body)
		}
		for _, path := range strings.Fields(gone) {
			if turn(path) == before[path] {
				t.Errorf("%s: got %s from the cache; want it gone", purge, path)
			}
		}
		for _, path := range strings.Fields(kept) {
			if turn(path) != before[path] {
				t.Errorf("%s: got %s anew; want it kept", purge, path)
			}
		}
	}
	f(`{"url": "http://a.example/a"}`, "/a", "/b /a?x=1 /a/b")
	f(`{"url": "http://A.example:80/./a?x=1"}`, "/a?x=1", "/a")
	f(`{"url": "http://a.example/ruled/a?utm_x=7&b=1"}`, "/ruled/a?b=1", "/ruled/a /a")
	f(`{"url": "http://b.example/a"}`, "", "/a")
	f(`{"url": "http://a.example"}`, "/", "/a")
	f(`{"prefix": "/a"}`, "/a /a?x=1 /ab /a/b", "/b")
	f(`{"prefix": "http://a.example/a/"}`, "/a/b", "/a /ab")
	f(`{"prefix": "http://b.example/a/"}`, "", "/a/b")
	f(`{"tags": ["b", "none"]}`, "/b /a/b", "/a")
	f(`{"tags": ["b"], "prefix": "/a/"}`, "/a/b", "/b")
	f(`{"stage": "site/test"}`, "/t/a", "/a")
	f(`{"stage": "site/prod", "tags": ["a"]}`, "/a", "/t/a /b")
	f(`{"host": "A.example"}`, "/a /b /t/a", "")
	f(`{"host": "b.example"}`, "", "/a /b /t/a")
	f(`{"all": true}`, "/a /b /t/a", "")
	f(`{"all": true, "soft": true}`, "/a /b", "") // nothing validates here, so all is fetched
}

func TestPurgeIsStrict(t *testing.T) {
	t.Parallel()
	up, asked := counted(t, turns)
	g := startGateway(t, purgeDocument(up), withControl)
	g.fetch("/a", "")
	f := func(body string, status int, want string) {
		t.Helper()
		a := g.purgeBy(body)
		if a.Status != status || !strings.Contains(a.Body, want) || a.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: got %d %s; want %d with %s", body, a.Status, a.Body, status, want)
		}
	}
	f("", 400, "the body is empty")
	f("{}", 400, "it says nothing")
	f(`{"soft": true}`, 400, "it says nothing")
	f(`{"urls": "http://a.example/a"}`, 400, "unknown field")
	f(`{"all": true} {}`, 400, "something follows")
	f(`{"all": true`, 400, "unexpected EOF")
	f(`{"all": "yes"}`, 400, "cannot unmarshal")
	f(`{"all": true, "host": "a.example"}`, 400, "all goes with nothing but soft")
	f(`{"url": "http://a.example/a", "stage": "site/prod"}`, 400, "url goes with tags and soft only")
	f(`{"url": "/a"}`, 400, "write a whole URL")
	f(`{"url": "ftp://a.example/a"}`, 400, "write a whole URL")
	f(`{"url": "http://a.example/../a"}`, 400, "leaves its root")
	f(`{"url": "http://a.example/%zz"}`, 400, "invalid URL escape")
	f(`{"prefix": "a"}`, 400, "write a whole URL")
	f(`{"prefix": "/a?b"}`, 400, "ends before the query")
	f(`{"prefix": "http://a.example/a", "host": "b.example"}`, 400, "has a host itself")
	f(`{"tags": [""]}`, 400, "a tag is empty")
	f(`{"stage": "site/prd"}`, 404, `did you mean \"site/prod\"?`)
	f(`{"stage": "nobody"}`, 404, "write api/stage")
	if g.fetch("/a", ""); asked.Load() != 1 {
		t.Errorf("got %d requests at the upstream; want nothing removed", asked.Load())
	}
	off := startGateway(t, purgeDocument(up), withControl, func(o *Options) { o.Cache.Size = 0 })
	if a := off.purgeBy(`{"all": true}`); a.Status != 409 || !strings.Contains(a.Body, "no_cache") {
		t.Errorf("without a cache: got %d %s; want 409", a.Status, a.Body)
	}
}

func TestFlushStageCache(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	up, _ := counted(t, turns)
	g := startLogging(t, zerolog.New(&log), purgeDocument(up), withControl)
	a, b := g.fetch("/a", "").Body, g.fetch("/t/a", "").Body
	if got := g.ask("DELETE", "/restapis/site/stages/test/cache/data"); got.Status != 202 || got.Body != "" {
		t.Errorf("got %d %q; want 202", got.Status, got.Body)
	}
	if g.fetch("/a", "").Body != a || g.fetch("/t/a", "").Body == b {
		t.Error("got the wrong stage flushed")
	}
	if got := g.ask("DELETE", "/restapis/site/stages/none/cache/data"); got.Status != 404 || got.Header.Get("X-Amzn-Errortype") != "NotFoundException" {
		t.Errorf("got %d %v; want AWS's 404", got.Status, got.Header)
	}
	g.purgeBy(`{"tags": ["x"], "soft": true}`)
	g.purgeBy(`{"x": 1}`)
	for _, want := range []string{
		`"action":"FlushStageCache","outcome":"done"`, `"stage":"site/test"`, `"outcome":"NotFoundException"`,
		`"action":"PurgeCache","outcome":"done"`, `"tags":["x"],"all":false,"soft":true`, `"outcome":"BadRequestException"`,
	} {
		if got := log.String(); !strings.Contains(got, want) {
			t.Errorf("got the log %s; want %s in it", got, want)
		}
	}
}

func TestPurgeByMethod(t *testing.T) {
	t.Parallel()
	up, _ := counted(t, func(n int, r *rawRequest) string {
		if r.Header.Get("If-None-Match") == `"v"` {
			return "HTTP/1.1 304 Not Modified\r\n\r\n"
		}
		return reply200(hour+"ETag: \"v\"\r\n", r.Method+" "+fmt.Sprint(n))
	})
	g := startGateway(t, purgeDocument(up))
	ask := func(path, fields string) *rawAnswer {
		t.Helper()
		return g.exchange("PURGE " + path + " HTTP/1.1\r\nHost: a.example\r\n" + fields + "\r\n")
	}
	first := g.fetch("/a?x=1", "").Body
	if a := ask("/a?x=1", "Weir-Soft-Purge: 1\r\n"); a.Status != 200 || a.Body != "{\"purged\":true,\"soft\":true}\n" {
		t.Errorf("got %d %q; want 200", a.Status, a.Body)
	}
	if a := g.fetch("/a?x=1", ""); a.Body != first || !strings.Contains(a.Header.Get("Cache-Status"), "fwd-status=304") {
		t.Errorf("after a soft purge: got %q, %v; want it validated", a.Body, a.Header["Cache-Status"])
	}
	if a := ask("/a?x=1", ""); a.Status != 200 || a.Body != "{\"purged\":true}\n" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %d %q; want 200", a.Status, a.Body)
	}
	if a := g.fetch("/a?x=1", ""); a.Body == first {
		t.Errorf("after a purge: got %q; want it fetched", a.Body)
	}
	ruled := g.fetch("/ruled/a", "").Body
	ask("/ruled/a?utm_x=7", "")
	if a := g.fetch("/ruled/a?utm_y=8", ""); a.Body == ruled {
		t.Errorf("after a purge with a parameter that tells nothing apart: got %q; want it fetched", a.Body)
	}
	if a := ask("/other/a", ""); a.Status != 403 || !strings.Contains(a.Body, "may_not_purge") {
		t.Errorf("from a client that is not listed: got %d %s; want 403", a.Status, a.Body)
	}
	if a := ask("/none/a", ""); !strings.HasPrefix(a.Body, "PURGE ") {
		t.Errorf("where nobody may: got %d %s; want the upstream to have it", a.Status, a.Body)
	}
}

func TestCacheStates(t *testing.T) {
	t.Parallel()
	up, _ := counted(t, turns)
	g := startGateway(t, purgeDocument(up), withControl)
	g.fetch("/a", "")
	g.fetch("/a", "")
	g.eventually("both requests counted", func() bool {
		body := g.ask("GET", "/cache").Body
		return strings.Contains(body, `"hit": 1`) && strings.Contains(body, `"miss": 1`) && strings.Contains(body, `"entries": 1`) && strings.Contains(body, "site/prod")
	})
	for _, want := range []string{
		`weir_cache_requests_total{api="site",result="hit",stage="prod"} 1`, `weir_cache_bytes_served_total{api="site",stage="prod"} 1`,
		"weir_cache_entries 1\n", "weir_cache_stored_total 1\n", "weir_cache_fills 0\n",
	} {
		if got := g.ask("GET", "/metrics").Body; !strings.Contains(got, want) {
			t.Errorf("got no %s in the metrics", want)
		}
	}
}

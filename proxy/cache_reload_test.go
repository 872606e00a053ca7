package proxy

import (
	"fmt"
	"strings"
	"testing"
)

func TestCacheSurvivesAReload(t *testing.T) {
	t.Parallel()
	up, _ := counted(t, func(n int, r *rawRequest) string {
		fields := ""
		if r.Target == "/says" {
			fields = hour
		}
		return reply200(fields, fmt.Sprint("answer ", n))
	})
	g := startGateway(t, cacheTo(up, "{ ttl: 60s }"))
	wantCached(t, g.fetch("/a", ""), "answer 1", "stored")
	wantCached(t, g.fetch("/says", ""), "answer 2", "stored")
	g.reload(cacheTo(up, "{ ttl: 60s }") + "# the same\n")
	wantCached(t, g.fetch("/a", ""), "answer 1", "hit")

	// Another ttl is for what is fetched from now on, and keeps what is there.
	g.reload(cacheTo(up, "{ ttl: 30s }"))
	wantCached(t, g.fetch("/b", ""), "answer 3", "stored; ttl=")
	wantCached(t, g.fetch("/says", ""), "answer 2", "hit")

	// Another key has answers of its own.
	g.reload(cacheTo(up, "{ ttl: 30s, key: { headers: [ X-A ] } }"))
	wantCached(t, g.fetch("/says", ""), "answer 4", "fwd=miss")

	g.reload(cacheTo(up, "{ enabled: false, ttl: 30s }"))
	if a := g.fetch("/b", ""); a.Body != "answer 5" || a.Header.Get("Cache-Status") != "" {
		t.Errorf("got %q %v; want nothing of a cache that is off", a.Body, a.Header)
	}
	g.reload(cacheTo(up, "{ ttl: 30s, cacheStatus: false }"))
	if a := g.fetch("/b", ""); a.Body != "answer 3" || a.Header.Get("Cache-Status") != "" || a.Header.Get("Age") == "" {
		t.Errorf("got %q %v; want what is still fresh, without a word", a.Body, a.Header)
	}
}

// TestCacheReloadDuringAFetch: a fetch ends by the document that it began with.
func TestCacheReloadDuringAFetch(t *testing.T) {
	t.Parallel()
	began, release := make(chan struct{}), make(chan struct{})
	up, _ := counted(t, func(n int, _ *rawRequest) string {
		if n == 1 {
			close(began)
			<-release
		}
		return reply200(hour, fmt.Sprint("answer ", n))
	})
	g := startGateway(t, cacheTo(up, "{}"))
	first := make(chan *rawAnswer, 1)
	go func() { first <- g.fetch("/", "") }()
	within(t, "the fetch", began)
	g.reload(cacheTo(up, "{ enabled: false }"))
	if a := g.fetch("/", ""); a.Body != "answer 2" {
		t.Errorf("got %q; want answer 2, past a cache that is off", a.Body)
	}
	close(release)
	wantCached(t, within(t, "the first answer", first), "answer 1", "stored")
}

// TestCacheHeedsOtherRoutes: an unsafe request invalidates what another route of
// its URI keeps, whether or not its own has a cache.
func TestCacheHeedsOtherRoutes(t *testing.T) {
	t.Parallel()
	up, _ := counted(t, func(n int, _ *rawRequest) string { return reply200(hour, fmt.Sprint("answer ", n)) })
	g := startGateway(t, fmt.Sprintf(`
apis:
  site:
    routes:
      - { path: "/a/{id}", methods: [ GET ], upstream: up, cache: { key: { query: { deny: [ "utm_*" ] } } } }
      - { path: "/a/{id}", methods: [ POST ], upstream: up }
upstreams: { up: { targets: [ %q ] } }
`, up.url()))
	wantCached(t, g.fetch("/a/1?x=1&utm_a=b", ""), "answer 1", "stored")
	wantCached(t, g.fetch("/a/2", ""), "answer 2", "stored")
	if a := g.exchange("POST /a/1?utm_a=c&x=1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n"); a.Status != 200 {
		t.Fatalf("got %d; want 200", a.Status)
	}
	wantCached(t, g.fetch("/a/1?x=1", ""), "answer 4", "fwd=stale")
	wantCached(t, g.fetch("/a/2", ""), "answer 2", "hit")
}

func TestExplainOfTheCache(t *testing.T) {
	t.Parallel()
	up, asked := counted(t, func(n int, _ *rawRequest) string {
		return reply200("Cache-Control: max-age=60, stale-while-revalidate=1000\r\nAge: 10\r\n", fmt.Sprint("answer ", n))
	})
	g := startGateway(t, strings.Replace(cacheTo(up, "{ key: { headers: [ X-A ], query: { deny: [ u ] } }, purgeFrom: [ 127.0.0.1 ] }"),
		"routes: [", "routes: [ { path: /aws, upstream: up, cache: { mode: aws, key: { parameters: [ method.request.querystring.q ] } } },", 1), withControl)
	f := func(description string, reasons ...string) {
		t.Helper()
		_, body := g.explain(description)
		for _, reason := range reasons {
			if !strings.Contains(body, reason) {
				t.Errorf("%s: got %s; want %q among the reasons", description, body, reason)
			}
		}
	}
	f(`{"url": "http://A.example:80/a?u=1&q=2"}`, `the key is GET http://a.example/a, with the query \"q=2\"`,
		"the key holds the headers X-A too", "would be fetched for everybody", "would be sent to the upstream")
	if stats := g.cacheStats(); stats.Entries != 0 || stats.Fills != 0 || asked.Load() != 0 {
		t.Errorf("got %+v and %d requests; want nothing of an explanation", stats, asked.Load())
	}
	wantCached(t, g.fetch("/a?q=2", ""), "answer 1", "stored")
	f(`{"url": "http://a.example/a?q=2"}`, "the key leads to an answer of status 200", "fresh: age 10s (10s when it came) of 60s (max-age)",
		"so it is given as it is", `"status": 200`, "answer 1")
	f(`{"url": "http://a.example/a?q=2", "headers": {"Cache-Control": "max-age=5"}}`, "asked for max-age 5s", "so it is validated first")
	f(`{"url": "http://a.example/a?q=2", "headers": {"Cache-Control": "no-store"}}`, "goes past the cache: no-store")
	f(`{"url": "http://a.example/a?q=2", "headers": {"X-A": "b"}}`, "would be fetched for everybody")
	f(`{"url": "http://a.example/b", "headers": {"Cache-Control": "only-if-cached"}}`, `"status": 504`, "not_cached")
	f(`{"url": "http://a.example/a?q=2", "method": "HEAD"}`, "the key is GET", "so it is given as it is")
	f(`{"url": "http://a.example/a?q=2", "method": "PURGE"}`, "would purge the answers of this URI")
	f(`{"url": "http://a.example/a?q=2", "method": "DELETE"}`, "goes past the cache: method")
	f(`{"url": "http://a.example/aws?q=2"}`, "in mode aws", "the key holds the parameters querystring.q too")
	wantCached(t, g.fetch("/a?q=2", ""), "answer 1", "hit")
	if n := asked.Load(); n != 1 {
		t.Errorf("the upstream was asked %d times; want once", n)
	}
}

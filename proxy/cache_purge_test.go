package proxy

import (
	"fmt"
	"strings"
	"testing"
)

// purgeBy asks the control listener for a purge, which must be done.
func (g *testGateway) purgeNow(what string) {
	g.t.Helper()
	if a := g.order("/cache/purge", what); a.Status != 200 {
		g.t.Fatalf("purge %s: got %d %q; want 200", what, a.Status, a.Body)
	}
}

// order posts JSON to the control listener.
func (g *testGateway) order(path, body string) *rawAnswer {
	g.t.Helper()
	c := dialRaw(g.t, g.ControlAddress())
	defer c.Close()
	c.send(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: control\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body))
	return c.answer("POST")
}

// tagAnswer answers each request with a tag, a validator and how often it was asked.
func tagAnswer(n int, r *rawRequest) string {
	if r.Header.Get("If-None-Match") != "" {
		return "HTTP/1.1 304 Not Modified\r\n" + hour + "\r\n"
	}
	return reply200(hour+"ETag: \"a\"\r\nSurrogate-Key: all tag-"+strings.Trim(r.Target, "/")+"\r\n", fmt.Sprint("answer ", n))
}

func TestCachePurge(t *testing.T) {
	t.Parallel()
	up, _ := counted(t, tagAnswer)
	document := fmt.Sprintf(`
apis:
  site: { routes: [ { path: $default, upstream: up, cache: { key: { query: { deny: [ "utm_*" ] } } } } ], stages: { prod: {} } }
  other: { routes: [ { path: $default, upstream: up, cache: {} } ], stages: { prod: {} } }
upstreams: { up: { targets: [ %q ] } }
domains: { a.example: { mappings: { "": site/prod, o: other/prod } }, b.example: { mappings: { "": site/prod } } }
`, up.url())
	g := startGateway(t, document, withControl)
	at := func(host, path string) *rawAnswer {
		t.Helper()
		return g.exchange("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
	}
	all := []string{"a.example/x/1", "a.example/x/2?q=1", "a.example/y", "b.example/x/1", "a.example/o/z"}
	f := func(what string, fresh bool, removed ...string) {
		t.Helper()
		g.purgeNow(`{"all": true}`)
		for _, url := range all {
			host, path, _ := strings.Cut(url, "/")
			at(host, "/"+path)
		}
		g.purgeNow(what)
		for _, url := range all {
			host, path, _ := strings.Cut(url, "/")
			status := at(host, "/"+path).Header.Get("Cache-Status")
			want := "; hit"
			for _, of := range removed {
				if of == url && fresh {
					want = "fwd=miss"
				} else if of == url {
					want = "fwd=stale; fwd-status=304"
				}
			}
			if !strings.Contains(status, want) {
				t.Errorf("purge %s: %s: got %q; want %q", what, url, status, want)
			}
		}
	}
	f(`{"url": "http://a.example/x/1"}`, true, all[0])
	f(`{"url": "http://A.example:80/x/../x/1", "soft": true}`, false, all[0])
	f(`{"url": "http://a.example/x/2?utm_source=b&q=1"}`, true, all[1])
	f(`{"url": "http://a.example/x/2"}`, true)
	f(`{"prefix": "/x"}`, true, all[0], all[1], all[3])
	f(`{"prefix": "http://a.example/x/"}`, true, all[0], all[1])
	f(`{"prefix": "/x", "host": "b.example", "soft": true}`, false, all[3])
	f(`{"host": "b.example"}`, true, all[3])
	f(`{"stage": "other/prod"}`, true, all[4])
	f(`{"stage": "site/prod", "soft": true}`, false, all[:4]...)
	f(`{"tags": ["tag-y", "none"]}`, true, all[2])
	f(`{"tags": ["all"], "soft": true}`, false, all...)
	f(`{"tags": ["all"], "host": "b.example"}`, true, all[3])
	f(`{"all": true}`, true, all...)

	for body, want := range map[string]string{
		`{}`: "says nothing", `{"url": "/x"}`: "write a whole URL", `{"stage": "site/prd"}`: "did you mean", `{"uri": "x"}`: "unknown field",
		`{"all": true, "host": "a.example"}`: "nothing but soft", `{"prefix": "/x?y"}`: "before the query", ``: "is empty",
	} {
		if a := g.order("/cache/purge", body); a.Status < 400 || a.Status > 404 || !strings.Contains(a.Body, want) {
			t.Errorf("purge %s: got %d %q; want %q", body, a.Status, a.Body, want)
		}
	}
	if a := at("b.example", "/x/1"); !strings.Contains(a.Header.Get("Cache-Status"), "hit") {
		t.Errorf("got %v; want what bad purges have left", a.Header)
	}
}

func TestCachePurgeByMethod(t *testing.T) {
	t.Parallel()
	up, asked := counted(t, tagAnswer)
	g := startGateway(t, cacheTo(up, "{ purgeFrom: [ 127.0.0.0/8 ] }"))
	purge := func(fields string) *rawAnswer {
		t.Helper()
		return g.exchange("PURGE /a HTTP/1.1\r\nHost: a.example\r\n" + fields + "\r\n")
	}
	wantCached(t, g.fetch("/a", ""), "answer 1", "stored")
	if a := purge(""); a.Status != 200 || a.Body != string(purgedHard) {
		t.Errorf("got %d %q; want 200", a.Status, a.Body)
	}
	wantCached(t, g.fetch("/a", ""), "answer 2", "fwd=miss")
	if a := purge("Weir-Soft-Purge: 1\r\n"); a.Status != 200 || a.Body != string(purgedSoft) {
		t.Errorf("got %d %q; want 200", a.Status, a.Body)
	}
	wantCached(t, g.fetch("/a", ""), "answer 2", "fwd=stale; fwd-status=304")
	wantCached(t, g.fetch("/a", ""), "answer 2", "hit")

	g.reload(cacheTo(up, "{ purgeFrom: [ 192.0.2.0/24 ] }"))
	if a := purge(""); a.Status != 403 {
		t.Errorf("got %d %q; want 403 to who is not listed", a.Status, a.Body)
	}
	wantCached(t, g.fetch("/a", ""), "answer 2", "hit")
	if n := asked.Load(); n != 3 {
		t.Errorf("the upstream was asked %d times; want 3", n)
	}
}

// TestCachePurgeDuringAFetch: whoever comes after a purge has ended does not get what
// was being fetched when it began, neither then nor later.
func TestCachePurgeDuringAFetch(t *testing.T) {
	t.Parallel()
	f := func(name, what, fields string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began, release := make(chan struct{}), make(chan struct{})
			up, _ := counted(t, func(n int, r *rawRequest) string {
				if n == 1 {
					close(began)
					<-release
				}
				return reply200(hour+fields, fmt.Sprint("answer ", n))
			})
			g := startGateway(t, cacheTo(up, "{ purgeFrom: [ 127.0.0.1 ] }"), withControl)
			old := make(chan *rawAnswer, 1)
			go func() { old <- g.fetch("/a", "") }()
			within(t, "the fetch", began)
			if what == "PURGE" {
				if a := g.exchange("PURGE /a HTTP/1.1\r\nHost: a.example\r\n\r\n"); a.Status != 200 {
					t.Fatalf("got %d; want 200", a.Status)
				}
			} else {
				g.purgeNow(what)
			}
			if !strings.Contains(what, "tags") { // which nobody knows of before the answer
				wantCached(t, g.fetch("/a", ""), "answer 2", "fwd=miss")
			}
			close(release)
			if a := within(t, "the old answer", old); a.Body != "answer 1" {
				t.Errorf("got %q; want what was asked for before the purge", a.Body)
			}
			if a := g.fetch("/a", ""); a.Body != "answer 2" {
				t.Errorf("got %q; want answer 2", a.Body)
			}
			wantCached(t, g.fetch("/a", ""), "answer 2", "hit")
		})
	}
	f("url", `{"url": "http://a.example/a"}`, "")
	f("prefix", `{"prefix": "/"}`, "")
	f("host", `{"host": "a.example"}`, "")
	f("all", `{"all": true}`, "")
	f("tags", `{"tags": ["t"]}`, "Surrogate-Key: t\r\n")
	f("method", "PURGE", "")
}

// TestCachePurgeSoftlyDuringAFetch: what was being fetched is validated before its use.
func TestCachePurgeSoftlyDuringAFetch(t *testing.T) {
	t.Parallel()
	began, release := make(chan struct{}), make(chan struct{})
	up, _ := counted(t, func(n int, r *rawRequest) string {
		if n == 1 {
			close(began)
			<-release
		}
		return tagAnswer(n, r)
	})
	g := startGateway(t, cacheTo(up, "{}"), withControl)
	old := make(chan *rawAnswer, 1)
	go func() { old <- g.fetch("/a", "") }()
	within(t, "the fetch", began)
	g.purgeNow(`{"url": "http://a.example/a", "soft": true}`)
	close(release)
	within(t, "the old answer", old)
	wantCached(t, g.fetch("/a", ""), "answer 1", "fwd=stale; fwd-status=304")
	wantCached(t, g.fetch("/a", ""), "answer 1", "hit")
}

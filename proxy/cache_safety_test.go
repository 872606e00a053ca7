package proxy

import (
	"fmt"
	"strings"
	"testing"
)

// TestCacheSafety drives testdata/cache/safety.txt: what would have a cache give
// one client's answer to another (deception), or an answer that one client has
// chosen to all (poisoning).
func TestCacheSafety(t *testing.T) { runCacheCases(t, "testdata/cache/safety.txt", 30) }

// TestCacheKeepsUnkeyedFieldsBack: no field by which frameworks choose another
// host, path, scheme or method reaches a fetch that is for everybody.
func TestCacheKeepsUnkeyedFieldsBack(t *testing.T) {
	t.Parallel()
	names := append([]string{"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-For"}, unkeyedFields...)
	up, _ := counted(t, func(_ int, r *rawRequest) string {
		var seen []string
		for _, name := range names {
			for _, value := range r.Header.Values(name) {
				if strings.Contains(value, "evil") {
					seen = append(seen, name)
				}
			}
		}
		return reply200(hour, strings.Join(seen, " "))
	})
	g := startGateway(t, cacheTo(up, "{}"))
	for i, name := range names {
		path := fmt.Sprintf("/%d", i)
		for _, value := range []string{"evil.example", ""} {
			fields := ""
			if value != "" {
				fields = name + ": " + value + "\r\n" + strings.ToUpper(name) + ": " + value + "\r\n"
			}
			if a := g.fetch(path, fields); a.Status != 200 || a.Body != "" {
				t.Errorf("%s: got %d %q; want none of it with the upstream", name, a.Status, a.Body)
			}
		}
	}
}

func TestCacheKeepsCallersApart(t *testing.T) {
	t.Parallel()
	f := func(callers, want string, asked int32) {
		up, n := counted(t, func(n int, r *rawRequest) string {
			return reply200("Cache-Control: public, max-age=60\r\n", fmt.Sprint("answer ", n))
		})
		document := strings.Replace(planned(t, fmt.Sprintf(
			"routes: [ { path: $default, apiKeyRequired: true, upstream: up, cache: { key: { callers: %s } } } ]", callers)),
			"keys: [bob]", "keys: [bob]\n  also: { stages: { shop: {} }, keys: [bob] }", 1) +
			fmt.Sprintf("upstreams: { up: { targets: [ %q ] } }\n", up.url())
		g := startGateway(t, document)
		wantCached(t, g.fetch("/", "X-Api-Key: "+annsKey+"\r\n"), "answer 1", "stored")
		if a := g.fetch("/", "X-Api-Key: "+bobsKey+"\r\n"); a.Body != want {
			t.Errorf("callers %s: got %d %q; want %q", callers, a.Status, a.Body, want)
		}
		wantCached(t, g.fetch("/", "X-Api-Key: "+annsKey+"\r\n"), "answer 1", "hit")
		for _, without := range []string{"", "X-Api-Key: none-such-0123456789-0123\r\n"} {
			if a := g.fetch("/", without); a.Status != 403 {
				t.Errorf("callers %s: got %d %q to %q; want 403 before the cache", callers, a.Status, a.Body, without)
			}
		}
		if n.Load() != asked {
			t.Errorf("callers %s: the upstream was asked %d times; want %d", callers, n.Load(), asked)
		}
	}
	f("separate", "answer 2", 2)
	f("shared", "answer 1", 1)
}

package proxy

import (
	"testing"
	"time"
)

// TestCacheFor: each method has the cache that the document gives it, shared
// where nothing differs.
func TestCacheFor(t *testing.T) {
	t.Parallel()
	g := startGateway(t, `
apis:
  a:
    cache: { ttl: 1m, statuses: { 404: 1s, 4xx: 2s, 5xx: 0s }, only: [2xx, "404"], maxTTL: 1h, staleIfError: 5s, clientDirectives: false }
    routes:
      - { path: /get, methods: [GET, HEAD, POST], upstream: up }
      - { path: /any, upstream: up, cache: { maxObject: none, collapse: { enabled: false, wait: 1s }, key: { cookies: [] } } }
      - { path: /aws, upstream: up, cache: { mode: aws, ttl: 2m } }
      - { path: /who, upstream: up, cache: { mode: aws, key: { parameters: [method.request.header.authorization] } } }
      - { path: /none, upstream: up, cache: { enabled: false } }
      - { path: /own, answer: {} }
    stages:
      $default:
        methodSettings:
          "/get/POST": { cache: { enabled: false } }
          "/aws/POST": { cache: { invalidation: { requireAuthorization: true } } }
upstreams: { up: { targets: ["http://127.0.0.1:1"] } }
`)
	f := func(method, path string) *cachePolicy {
		t.Helper()
		_, p := g.keyedRequest(method+" "+path+" a.example", "")
		return p
	}
	get := f("GET", "/get")
	if get == nil || f("HEAD", "/get") != get || f("POST", "/get") != nil {
		t.Fatalf("got %p for GET, %p for HEAD, %p for POST; want one for the first two", get, f("HEAD", "/get"), f("POST", "/get"))
	}
	rules := &get.rules
	if rules.TTL != time.Minute || rules.Statuses[404] != time.Second || rules.Statuses[405] != 2*time.Second || rules.Personal || !rules.Unheeded ||
		rules.MaxTTL != time.Hour || rules.StaleIfError != 5*time.Second || !rules.Only[204] || !rules.Only[404] || rules.Only[403] || rules.Fixed {
		t.Errorf("got rules %+v", rules)
	}
	if ttl, found := rules.Statuses[503]; !found || ttl != 0 {
		t.Errorf("got %s, %t for 503; want 0s", ttl, found)
	}
	if get.maxObject != 8<<20 || get.wait != 5*time.Second || !get.collapse || !get.status || get.compress {
		t.Errorf("got %+v; want what is usual", get)
	}
	any := f("GET", "/any")
	if any.maxObject < 1<<40 || any.collapse || any.wait != time.Second || !any.rules.Personal || f("BREW", "/any") != any || f("DELETE", "/any") != any {
		t.Errorf("got %+v; want what the route says, for every method", any)
	}
	aws, post := f("GET", "/aws"), f("POST", "/aws")
	if !aws.aws || !aws.looksUp([]byte("GET")) || aws.looksUp([]byte("POST")) || aws.invalidation.needsCaller || aws.rules.TTL != 2*time.Minute || aws.rules.Personal {
		t.Errorf("got %+v for GET", aws)
	}
	if post == aws || !post.looksUp([]byte("POST")) || post.rules.TTL != 2*time.Minute || !post.invalidation.needsCaller || !post.invalidation.refuse {
		t.Errorf("got %+v for POST", post)
	}
	if !f("GET", "/who").rules.Personal {
		t.Error("got Authorization not heeded though it is a parameter")
	}
	if f("GET", "/none") != nil || f("GET", "/own") != nil {
		t.Error("got a cache where it is off, or where the gateway answers itself; want none")
	}
	if off := startGateway(t, keyDocument, func(o *Options) { o.Cache.Size = 0 }); off.keyOf("GET /a a.example", "").why != "no cache" {
		t.Error("got a cache with -cache.size 0; want none")
	}
}

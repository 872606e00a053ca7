//go:build !race

package proxy

import (
	"strings"
	"testing"

	"weir/cache"
)

func TestKeyAllocs(t *testing.T) {
	g := startGateway(t, keyDocument)
	f := func(line, fields string, tune ...func(*request)) {
		t.Helper()
		r, p := g.keyedRequest(line, fields, tune...)
		var k cache.Key
		if got := testing.AllocsPerRun(100, func() {
			if ok, why := r.route.cacheFor(r.x.Request.Method()).takes(r); !ok {
				t.Fatalf("%s: got %q; want it taken", line, why)
			}
			p.appendKey(&k, r)
		}); got != 0 {
			t.Errorf("%s: got %v allocations; want none", line, got)
		}
	}
	f("GET /a?b=1&c=2 a.example", "Cookie: a=b")
	f("GET /ruled/a?"+strings.Repeat("c=2&b=1&", 16)+" A.Example:80", "X-Tenant: a\nCookie: a=b; lang=en")
	f("QUERY /ruled/a a.example", "Content-Type: a/b", withBody(3, "abc"))
	f("GET /pets/1?page=1 aws.example", "X-A: b")
}

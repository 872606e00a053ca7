//go:build !race

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// limitedKey is the API key of the limited cases.
const limitedKey = "benchmark-key-0123456789-0123456789"

// limitedDocument has three limits, a plan and its key before an upstream, and
// a route that refuses all but its first request.
func limitedDocument(tb testing.TB, up upstreams) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "keys.csv")
	if err := os.WriteFile(file, []byte("Name,Key\nbench,"+limitedKey+"\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	return fmt.Sprintf(`
apiKeys: { files: [ %q ] }
usagePlans:
  bench: { stages: { bench: {} }, throttle: { rate: 1000000, burst: 1000000 }, quota: { limit: 1000000000, period: MONTH }, keys: [bench] }
limits:
  address: { by: [address], rate: 1000000, burst: 1000000, announce: true }
  tenant:  { by: ["header:X-Tenant", "query:page", route], rate: 1000000, burst: 1000000, concurrency: 100 }
  total:   { rate: 1000000, burst: 1000000 }
  once:    { by: [address], rate: 1/d, burst: 1 }
  atOnce:  { by: [apiKey], rate: 1000000, burst: 1000000 }
  delayed: { by: [address], rate: 20000, burst: 1, delay: 1s }
upstreams: { k1: { targets: [ "http://%s" ] } }
apis:
  bench:
    throttle: { rate: 1000000, burst: 1000000 }
    routes:
      - { path: /free, upstream: k1 }
      - { path: /limited, upstream: k1, apiKeyRequired: true, limits: [address, tenant, total, atOnce] }
      - { path: /once, upstream: k1, limits: [once] }
      - { path: /delayed, upstream: k1, limits: [delayed] }
      - { path: /forbidden, upstream: k1, apiKeyRequired: true }
  aws:
    errors: aws
    routes: [ { path: /once, upstream: k1, limits: [once] } ]
domains: { "*": { mappings: { "": bench, aws: aws } } }
`, file, up.k1)
}

// limitCases are the requests to it.
func limitCases() []wayCase {
	c := func(name, target, fields string, status string, body int) wayCase {
		return wayCase{name: name, request: []byte("GET " + target + " HTTP/1.1\r\n" + usual + fields + "\r\n"), answers: 1, status: []byte("HTTP/1.1 " + status + " "), body: body}
	}
	key := "X-Api-Key: " + limitedKey + "\r\nX-Tenant: acme-42\r\n"
	return []wayCase{
		c("free", "/free?page=2", key, "200", 1<<10),
		c("limited", "/limited?page=2", key, "200", 1<<10),
		c("delayed", "/delayed", "", "200", 1<<10),
		c("refused", "/once", "", "429", -1),
		c("refused-aws", "/aws/once", "", "429", -1),
		c("forbidden", "/forbidden", "X-Api-Key: "+limitedKey+"x\r\n", "403", -1),
	}
}

// TestAllocNothingForLimits holds what limits accept, hold back and refuse to
// no allocation.
func TestAllocNothingForLimits(t *testing.T) {
	up := startUpstreams(t)
	for _, flags := range []string{bare, full} {
		g := startGateway(t, limitedDocument(t, up), flags+" -data="+t.TempDir())
		first := dial(t, g.address)
		if _, err := first.do([]byte("GET /once HTTP/1.1\r\nHost: h\r\n\r\n"), 1, []byte("HTTP/1.1 200 ")); err != nil {
			t.Fatal(err)
		}
		for _, c := range limitCases() {
			client := dial(t, g.address)
			exchange := func() {
				if _, err := client.do(c.request, c.answers, c.status); err != nil {
					t.Fatalf("%s: %s", c.name, err)
				}
			}
			for range warmUp {
				exchange()
			}
			if got := testing.AllocsPerRun(allocRuns, exchange); got != 0 {
				t.Errorf("%s with %s: got %v allocations a request; want none", c.name, flags, got)
			}
		}
	}
}

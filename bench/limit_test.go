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
  bench: { stages: { bench: {}, quota: {} }, throttle: { rate: 1000000, burst: 1000000 }, quota: { limit: 1000000000, period: MONTH }, keys: [bench] }
  open:  { stages: { three: {} }, keys: [bench] }
limits:
  address: { by: [address], rate: 1000000, burst: 1000000, announce: true }
  tenant:  { by: ["header:X-Tenant", "query:page", route], rate: 1000000, burst: 1000000, concurrency: 100 }
  perAddress: { by: [address], rate: 1000000, burst: 1000000 }
  perTenant:  { by: ["header:X-Tenant"], rate: 1000000, burst: 1000000 }
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
  three:
    routes:
      - { path: $default, upstream: k1, apiKeyRequired: true, limits: [perAddress, perTenant, total] }
  quota:
    routes:
      - { path: $default, upstream: k1, apiKeyRequired: true, limits: [perAddress, perTenant, total] }
  aws:
    errors: aws
    routes: [ { path: /once, upstream: k1, limits: [once] } ]
domains: { "*": { mappings: { "": bench, three: three, quota: quota, aws: aws } } }
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
		c("three", "/three/x?page=2", key, "200", 1<<10),
		c("quota", "/quota/x?page=2", key, "200", 1<<10),
		c("limited", "/limited?page=2", key, "200", 1<<10),
		c("delayed", "/delayed", "", "200", 1<<10),
		c("refused", "/once", "", "429", -1),
		c("refused-aws", "/aws/once", "", "429", -1),
		c("forbidden", "/forbidden", "X-Api-Key: "+limitedKey+"x\r\n", "403", -1),
	}
}

// BenchmarkServeLimits is the price of three limits and an API key on a proxied
// request, with a plan's throttle and quota beside, and what a refusal costs.
func BenchmarkServeLimits(b *testing.B) {
	g := startGateway(b, limitedDocument(b, startUpstreams(b)), metrics+" -data="+b.TempDir())
	for _, c := range limitCases() {
		if c.name == "refused" { // the first one is let through
			if _, err := dial(b, g.address).do(c.request, 1, []byte("HTTP/1.1 200 ")); err != nil {
				b.Fatal(err)
			}
		}
		if c.name == "free" || c.name == "three" || c.name == "quota" || c.name == "limited" || c.name == "refused" {
			b.Run(c.name, func(b *testing.B) { overLoopback(b, g, &c) })
		}
	}
}

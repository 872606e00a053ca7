package bench

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"weir/proxy"
	"weir/proxy/config"
)

// document is a document given as text.
type document string

func (d document) Document() (*config.Document, error) { return config.Parse("bench.yaml", []byte(d)) }
func (document) Files() []string                       { return nil }

// gateway is one that runs until the test ends.
type gateway struct {
	*proxy.Gateway
	options proxy.Options
	address string
}

// Settings that cases are measured under.
const (
	bare    = "-metrics=false -log.output=off"
	metrics = "-metrics=true -log.output=off"
	logged  = "-metrics=false -log.output=/dev/null -log.format=json"
	full    = "-metrics=true -log.output=/dev/null -log.format=json"
)

// startGateway serves doc on a free port of the loopback, or where its listener
// main is, with one shard unless flags say otherwise: what one core does is
// what is measured.
func startGateway(tb testing.TB, doc, flags string) *gateway {
	tb.Helper()
	args := append([]string{"-control=off", "-shards=1"}, strings.Fields(flags)...)
	if !strings.Contains(doc, "listeners:") {
		args = append(args, "-listen=127.0.0.1:0")
	}
	door, err := proxy.ParseFlags(args, nil)
	if err != nil {
		tb.Fatal(err)
	}
	g, err := proxy.New(door.Options, document(doc), "bench", zerolog.Nop())
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- g.Run(ctx, func() { close(ready) }) }()
	tb.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- nil
		tb.Fatal(err)
	}
	return &gateway{Gateway: g, options: door.Options, address: g.Addresses()["main"]}
}

// caseRoutes is how many routes the cases themselves need.
const (
	caseRoutes = 13
	fewRoutes  = caseRoutes
	manyRoutes = 10_000
)

// trusting makes doc believe the forwarding fields of the loopback.
func trusting(doc string) string { return doc + "trustedProxies: [ 127.0.0.0/8 ]\n" }

// documentOf routes every case, and as many routes beside them as it takes to
// make routes in all.
func documentOf(up upstreams, routes int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `
upstreams:
  k1:  { targets: [ "http://%s" ] }
  k16: { targets: [ "http://%s" ] }
  m1:  { targets: [ "http://%s" ] }
  chunked: { targets: [ "http://%s" ] }
  fresh1: { targets: [ "http://%s" ] }
  fresh16: { targets: [ "http://%s" ] }
apis:
  bench:
    routes:
      - { path: /hello, methods: [GET], answer: { headers: { Content-Type: text/plain }, body: "Hello, world!" } }
      - { path: "/pets/{id}/toys/{toy}", methods: [GET], answer: { body: "a toy" } }
      - { path: "/old/{proxy+}", redirect: { location: "https://example.org/new/{proxy}" } }
      - { path: /small, maxBody: 16, answer: { body: "small" } }
      - { path: /match, match: { headers: { X-Tenant: "/[a-z]+-[0-9]+/" }, query: { version: "2" } }, answer: { body: "this tenant" } }
      - { path: /match, answer: { body: "another tenant" } }
      - { path: /1k, upstream: k1 }
      - { path: /16k, upstream: k16 }
      - { path: /1m, upstream: m1 }
      - { path: /chunked, upstream: chunked }
      - { path: /cached/1k, upstream: fresh1, cache: { ttl: 1h } }
      - { path: /cached/16k, upstream: fresh16, cache: { ttl: 1h } }
      - path: /changed
        upstream: k1
        requestHeaders: { remove: [ User-Agent ], set: { X-Stage: prod }, append: { X-Note: one } }
        responseHeaders: { remove: [ Server ], set: { X-Frame-Options: DENY }, append: { X-Note: two } }
`, up.k1, up.k16, up.m1, up.chunked, up.fresh1, up.fresh16)
	for i := range routes - caseRoutes {
		fmt.Fprintf(&b, "      - { path: \"/area-%d/service-%d/{id}\", methods: [GET], answer: { body: filler } }\n", i%97, i)
	}
	return b.String()
}

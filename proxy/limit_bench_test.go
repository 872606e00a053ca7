package proxy

import (
	"bufio"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"weir/proxy/exchange"
)

// silentFront takes answers and sends them nowhere.
type silentFront struct{}

func (silentFront) Interim(*fasthttp.ResponseHeader) error { return nil }
func (silentFront) Gone() bool                             { return false }
func (silentFront) Notify(exchange.Waker)                  {}
func (silentFront) StopBody()                              {}
func (silentFront) Send(*exchange.Exchange) error          { return nil }

// BenchmarkLimit is what limits add to the way of a request: none has no
// limits, three has three of them and an API key in a plan with throttle and
// quota, refused is turned away by the first, and so with the whole answer.
func BenchmarkLimit(b *testing.B) {
	g := startGateway(b, "limits:\n"+
		"  address: { by: [address], rate: 10000000, burst: 10000000 }\n"+
		"  tenant: { by: [\"header:X-Tenant\"], rate: 10000000, burst: 10000000 }\n"+
		"  total: { rate: 10000000, burst: 10000000 }\n"+
		"  once: { by: [address], rate: 1/d, burst: 1 }\n"+
		strings.NewReplacer("rate: 1/h, burst: 4", "rate: 10000000, burst: 10000000", "limit: 3", "limit: 1000000000").Replace(planned(b, `routes:
      - { path: /none, answer: { body: hello } }
      - { path: /three, apiKeyRequired: true, limits: [address, tenant, total], answer: { body: hello } }
      - { path: /refused, limits: [once], answer: { body: hello } }`)))
	for _, path := range []string{"none", "three", "refused"} {
		b.Run(path, func(b *testing.B) {
			head := "GET /" + path + " HTTP/1.1\r\nHost: h\r\nUser-Agent: bench\r\nAccept: */*\r\nX-Tenant: acme\r\nX-Api-Key: " + annsKey + "\r\n\r\n"
			x := &exchange.Exchange{}
			if err := x.Request.Read(bufio.NewReader(strings.NewReader(head))); err != nil {
				b.Fatal(err)
			}
			target, peer := []byte("/"+path), netip.MustParseAddrPort("192.0.2.1:4711")
			b.ReportAllocs()
			for b.Loop() {
				x.Response.Reset()
				x.Front, x.Start, x.Listener, x.Protocol, x.Peer = silentFront{}, time.Now(), "main", "HTTP/1.1", peer
				x.Target, x.Refusal, x.RequestID, x.Authority = target, nil, x.RequestID[:0], append(x.Authority[:0], 'h')
				g.Serve(x)
			}
			want := 200
			if path == "refused" {
				want = 429
			}
			if got := x.Response.StatusCode(); got != want {
				b.Fatalf("got %d; want %d", got, want)
			}
		})
	}
}

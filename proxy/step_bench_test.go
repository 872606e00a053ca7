package proxy

import (
	"bufio"
	"net/netip"
	"strings"
	"testing"

	"weir/proxy/exchange"
)

// BenchmarkTransform is what the gateway does to the head of a forwarded
// request; none is the part that only makes the request for it.
func BenchmarkTransform(b *testing.B) {
	const usual = "GET /pets/17?full=yes HTTP/1.1\r\nHost: api.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n" +
		"Accept: application/json\r\nAccept-Encoding: gzip, br\r\nAccept-Language: en-GB,en;q=0.9\r\n"
	const claims = "Connection: keep-alive\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nVia: 1.1 edge\r\nCookie: session=8c4f1f0c; theme=dark\r\n"
	g := &Gateway{forwarding: Forwarding{XForwarded: true, Forwarded: true, RequestID: true, Trace: true}, pseudonym: []byte("weir-01234567")}
	route := &liveRoute{upstream: &liveUpstream{}, maxBody: -1}
	f := func(name, head string, trusted bool, steps func(r *request) bool) {
		b.Run(name, func(b *testing.B) {
			r := &request{x: &exchange.Exchange{Scheme: "http", Peer: netip.MustParseAddrPort("192.0.2.1:4711")}, live: &compiled{}, mapping: &mapping{security: &security{}}}
			if trusted {
				r.live.trusted = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
			}
			head += "\r\n"
			text := strings.NewReader(head)
			br := bufio.NewReader(text)
			b.ReportAllocs()
			for b.Loop() {
				text.Reset(head)
				br.Reset(text)
				r.x.Request.Reset()
				if err := r.x.Request.Read(br); err != nil {
					b.Fatal(err)
				}
				r.x.Authority = append(r.x.Authority[:0], r.x.Request.Host()...)
				r.x.RequestID = r.x.RequestID[:0]
				r.route, r.fields = route, 0
				if !steps(r) {
					b.Fatal("a step refused the request")
				}
			}
		})
	}
	none := func(*request) bool { return true }
	all := func(r *request) bool {
		g.identify(r)
		return g.screen(r) && g.transform(r)
	}
	f("none/usual", usual, false, none)
	f("all/usual", usual, false, all)
	f("none/claims", usual+claims, false, none)
	f("all/claims", usual+claims, false, all)
	f("all/trusted", usual+claims, true, all)
}

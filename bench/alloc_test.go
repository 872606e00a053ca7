//go:build !race

package bench

import (
	"testing"

	"github.com/valyala/fasthttp"

	"weir/proxy/exchange"
)

// allocRuns is large enough that what the process does beside the requests (a
// Date line each second, a sweep of the pools) is less than one a request.
const allocRuns = 2000

// TestAllocNothing holds the hot paths to no allocation: gateway, client and
// upstream together, on connections that are open.
func TestAllocNothing(t *testing.T) {
	up := startUpstreams(t)
	f := func(doc, flags string) {
		t.Helper()
		g := startGateway(t, doc, flags)
		for _, c := range cases() {
			if c.body > 64<<10 {
				continue // the contract is for small bodies; moving large ones allocates a few times a window
			}
			client := dial(t, g.address)
			exchange := func() {
				if _, err := client.do(c.request, c.answers, c.status); err != nil {
					t.Fatal(err)
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
	doc := documentOf(up, 100)
	f(doc, bare)
	f(doc, metrics)
	f(doc, full)
	f(doc, full+" -shards=2")
	f(trusting(doc), full)
}

// TestAllocNothingForLargeBody holds the refusal of a body that is too large.
// Its connection ends with it, so it is measured behind the front end.
func TestAllocNothingForLargeBody(t *testing.T) {
	g := startGateway(t, documentOf(startUpstreams(t), 100), full)
	x := &exchange.Exchange{}
	front := &statusFront{}
	refuse := func() {
		x.Reset()
		x.Front, x.Listener, x.Protocol, x.RequestLength = front, "main", "HTTP/1.1", 17
		x.Request.SetMethod("POST")
		x.Target = append(x.Target[:0], "/small"...)
		g.Serve(x)
	}
	refuse()
	if front.status != 413 {
		t.Fatalf("got status %d; want 413", front.status)
	}
	if got := testing.AllocsPerRun(allocRuns, refuse); got != 0 {
		t.Errorf("got %v allocations a request; want none", got)
	}
}

// statusFront keeps the status of the last answer.
type statusFront struct{ status int }

func (f *statusFront) Interim(*fasthttp.ResponseHeader) error { return nil }
func (f *statusFront) Gone() bool                             { return false }
func (f *statusFront) Notify(exchange.Waker)                  {}
func (f *statusFront) StopBody()                              {}

func (f *statusFront) Send(x *exchange.Exchange) error {
	f.status = x.Response.StatusCode()
	return nil
}

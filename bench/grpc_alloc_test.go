//go:build !race

package bench

import (
	"fmt"
	"testing"
)

// grpcCases are calls over HTTP/1.1: a refusal, gRPC as it is, and gRPC-Web in
// both its forms.
func grpcCases(tb testing.TB) (doc string, cases []wayCase) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/grpc+proto\r\nTransfer-Encoding: chunked\r\n"
	whole := startAnswering(tb, []byte(head+"Grpc-Status: 0\r\n\r\n7\r\nmessage\r\n0\r\n\r\n"))
	trailing := startAnswering(tb, []byte(head+"\r\n7\r\nmessage\r\n0\r\nGrpc-Status: 0\r\nGrpc-Message: fine\r\n\r\n"))
	doc = fmt.Sprintf(`
upstreams:
  whole: { targets: [ "http://%s" ] }
  trailing: { targets: [ "http://%s" ] }
apis:
  bench:
    routes:
      - { path: /native, upstream: whole }
      - { path: /web, upstream: trailing, grpcWeb: true }
`, whole, trailing)
	c := func(name, path, contentType, body string) wayCase {
		return wayCase{
			name: name, answers: 1, status: []byte("HTTP/1.1 200 "), body: -1,
			request: fmt.Appendf(nil, "POST %s HTTP/1.1\r\n%sContent-Type: %s\r\nTE: trailers\r\nGrpc-Timeout: 10S\r\nContent-Length: %d\r\n\r\n%s",
				path, usual, contentType, len(body), body),
		}
	}
	return doc, []wayCase{
		c("refused", "/nowhere", "application/grpc", ""),
		c("native", "/native", "application/grpc+proto", "question"),
		c("web", "/web", "application/grpc-web+proto", "question"),
		c("web-text", "/web", "application/grpc-web-text", "cXVlc3Rpb24="),
	}
}

// TestAllocNothingForCalls holds gRPC calls to no allocation.
func TestAllocNothingForCalls(t *testing.T) {
	doc, cases := grpcCases(t)
	g := startGateway(t, doc, full)
	for _, c := range cases {
		client := dial(t, g.address)
		call := func() {
			if _, err := client.do(c.request, c.answers, c.status); err != nil {
				t.Fatalf("%s: %s", c.name, err)
			}
		}
		for range warmUp {
			call()
		}
		if got := testing.AllocsPerRun(allocRuns, call); got != 0 {
			t.Errorf("%s: got %v allocations a call; want none", c.name, got)
		}
	}
}

// TestAllocNothingForCallsOverHTTP2 holds a small call to no allocation, from
// HTTP/2 to HTTP/2: gateway, client and server together.
func TestAllocNothingForCallsOverHTTP2(t *testing.T) {
	g := startCalling(t, full)
	for _, form := range callForms {
		c := g.caller(t, form)
		for range warmUp {
			c.call()
		}
		if got := testing.AllocsPerRun(allocRuns, c.call); got != 0 {
			t.Errorf("%s: got %v allocations a call; want none", form, got)
		}
	}
}

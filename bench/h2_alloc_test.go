//go:build !race

package bench

import (
	"fmt"
	"strings"
	"testing"
)

// TestAllocNothingToHTTP2 holds requests that go on over HTTP/2 to no
// allocation: two gateways, one of which is the other's upstream.
func TestAllocNothingToHTTP2(t *testing.T) {
	behind := startGateway(t, fmt.Sprintf(`
listeners: { main: { address: "127.0.0.1:0", protocols: [h2] } }
apis:
  behind:
    routes:
      - { path: /none, answer: { status: 204 } }
      - { path: /1k, answer: { headers: { Content-Type: text/plain }, body: %q } }
`, strings.Repeat("x", 1<<10)), bare)
	front := startGateway(t, fmt.Sprintf(`
upstreams: { behind: { targets: [ "h2c://%s" ] } }
apis: { front: { routes: [ { path: "/{proxy+}", upstream: behind } ] } }
`, behind.address), full)
	f := func(name, request, status string) {
		t.Helper()
		client, asked, wanted := dial(t, front.address), []byte(request), []byte(status)
		round := func() {
			if _, err := client.do(asked, 1, wanted); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		for range warmUp {
			round()
		}
		if got := testing.AllocsPerRun(allocRuns, round); got != 0 {
			t.Errorf("%s: got %v allocations a request; want none", name, got)
		}
	}
	f("GET", "GET /1k HTTP/1.1\r\n"+usual+"\r\n", "HTTP/1.1 200 ")
	f("GET without content", "GET /none HTTP/1.1\r\n"+usual+"Cookie: a=b; c=d\r\n\r\n", "HTTP/1.1 204 ")
	f("POST", "POST /1k HTTP/1.1\r\n"+usual+"Content-Length: 8\r\n\r\nquestion", "HTTP/1.1 200 ")
	f("POST in chunks", "POST /1k HTTP/1.1\r\n"+usual+"Transfer-Encoding: chunked\r\n\r\n8\r\nquestion\r\n0\r\n\r\n", "HTTP/1.1 200 ")
}

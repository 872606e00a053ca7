//go:build !race

package bench

import (
	"fmt"
	"testing"
)

// TestAllocCachedHit holds hits of every size to no allocation, whole, without
// content, and as a part.
func TestAllocCachedHit(t *testing.T) {
	f := func(bodyBytes int, flags string) {
		t.Helper()
		g := startGateway(t, fmt.Sprintf(`
apis: { bench: { routes: [ { path: $default, upstream: fresh, cache: { ttl: 1h } } ] } }
upstreams: { fresh: { targets: [ "http://%s" ] } }
`, startFresh(t, bodyBytes)), flags)
		client := dial(t, g.address)
		ask := func(request, status string, want int) {
			t.Helper()
			sent, head := []byte(request+"\r\n"), []byte("HTTP/1.1 "+status+" ")
			exchange := func() {
				if got, err := client.do(sent, 1, head); err != nil || got != want {
					t.Fatalf("%q: got %d bytes, %v; want %d", request, got, err, want)
				}
			}
			for range warmUp {
				exchange()
			}
			if got := testing.AllocsPerRun(allocRuns, exchange); got != 0 {
				t.Errorf("%q of %d bytes with %s: got %v allocations a request; want none", request, bodyBytes, flags, got)
			}
		}
		const get = "GET /a HTTP/1.1\r\n" + usual
		ask(get, "200", bodyBytes)
		ask(get+"If-None-Match: \"8c4f1f0c\"\r\n", "304", 0)
		ask(get+"Range: bytes=100-199\r\n", "206", 100)
		ask(get+"Cache-Control: max-age=600\r\n", "200", bodyBytes)
	}
	for _, bodyBytes := range []int{1 << 10, 16 << 10, 100 << 10, 1 << 20} {
		f(bodyBytes, full)
	}
	f(1<<10, bare)
}

//go:build !race

package bench

import "testing"

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

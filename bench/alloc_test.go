//go:build !race

package bench

import (
	"testing"
)

// allocRuns is large enough that what the process does beside the requests (a
// Date line each second, a sweep of the pools) is less than one a request.
const allocRuns = 2000

// TestAllocNothing holds the hot paths to no allocation: gateway, client and
// upstream together, on connections that are open.
func TestAllocNothing(t *testing.T) {
	up := startUpstreams(t)
	f := func(flags string) {
		t.Helper()
		g := startGateway(t, documentOf(up, 100), flags)
		for _, c := range cases() {
			client := dial(t, g.address)
			exchange := func() {
				if _, err := client.do(c.request, c.answers, c.status); err != nil {
					t.Fatal(err)
				}
			}
			for range warmUp {
				exchange()
			}
			runs := allocRuns
			if c.body > 64<<10 {
				runs /= 10
			}
			if got := testing.AllocsPerRun(runs, exchange); got != 0 {
				t.Errorf("%s with %s: got %v allocations a request; want none", c.name, flags, got)
			}
		}
	}
	f(bare)
	f(metrics)
	f(full)
	f(full + " -shards=2")
}

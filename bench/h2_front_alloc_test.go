//go:build !race

package bench

import "testing"

// TestAllocNothingFromHTTP2 holds requests that come in over HTTP/2 to no
// allocation: gateway, client and upstream together. Under TLS package
// crypto/tls allocates a reader of a few bytes for each record that it reads,
// on either side, whatever is in it.
func TestAllocNothingFromHTTP2(t *testing.T) {
	f := func(secure bool, want float64) {
		t.Helper()
		g := browsed(t, secure, full)
		for _, c := range browsedCases {
			client := browse(t, g.address, secure, c.path, c.body)
			round := func() { client.round(c.streams) }
			for range warmUp {
				round()
			}
			got := testing.AllocsPerRun(allocRuns, round)
			if most := want * float64(c.records); got > most {
				t.Errorf("%s, TLS %v: got %v allocations a round; want at most %v", c.name, secure, got, most)
			}
		}
	}
	f(false, 0)
	f(true, 1)
}

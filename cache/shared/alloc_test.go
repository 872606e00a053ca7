//go:build !race

package shared

import (
	"testing"
	"time"

	"weir/ratelimit/shared/redistest"
)

func TestAllocGetWhileAway(t *testing.T) {
	server := redistest.Start(t)
	n := start(t, patient(server.Address))
	server.Kill()
	redistest.Await(t, 10*time.Second, "away", n.isAway)
	k := keyOf("/1")
	if got := testing.AllocsPerRun(1000, func() { n.Get(k, language("")) }); got != 0 {
		t.Errorf("got %v allocations; want none", got)
	}
}

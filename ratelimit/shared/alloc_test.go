//go:build !race

package shared

import (
	"testing"
	"time"

	"weir/ratelimit/shared/redistest"
)

func TestAllocNothingWithoutWaiting(t *testing.T) {
	server := redistest.Start(t)
	c := client(t, Config{Addresses: []string{server.Address}, Interval: time.Hour}) // rounds allocate
	identity := []byte("192.0.2.1")
	fast := c.Limit("fast", rate(t, 1e6, 1e6), Fast, Local)
	none := c.Limit("none", rate(t, 0.001, 1), Fast, Local)
	quota := c.Quota("fast", Allowance{Limit: 1e9}, Fast, Local)
	exact := c.Limit("exact", rate(t, 1e6, 1e6), Exact, Local)
	day := noon()
	f := func(name string, want float64, run func()) {
		t.Helper()
		run()
		if got := testing.AllocsPerRun(200, run); got > want {
			t.Errorf("%s: %v allocations; want at most %v", name, got, want)
		}
	}
	f("fast limit", 0, func() { fast.Take(identity, c.Now(), 0) })
	f("fast limit, refused", 0, func() { none.Take(identity, c.Now(), 0) })
	f("fast limit, given back", 0, func() { fast.Return(identity, Decided) })
	f("fast quota", 0, func() { quota.Take(identity, day) })
	server.Freeze()
	redistest.Await(t, 20*time.Second, "away", func() bool {
		exact.Take(identity, c.Now(), 0)
		return isAway(c)
	})
	f("exact limit without Redis", 0, func() { exact.Take(identity, c.Now(), 0) })
	f("fast limit without Redis", 0, func() { fast.Take(identity, c.Now(), 0) })
	f("fast quota without Redis", 0, func() { quota.Take(identity, day) })
}

package shared

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"weir/ratelimit/shared/redistest"
)

func TestSlotsAreThoseOfRedis(t *testing.T) {
	t.Parallel()
	nodes := redistest.Cluster(t, 1)
	c := client(t, patient(nodes[0].Address))
	for i := range 50 {
		key, slot := c.key("l", fmt.Appendf(nil, "client %d", i), "limit:with{braces}")
		want, _ := strconv.Atoi(nodes[0].Must("CLUSTER", "KEYSLOT", key))
		if slot != want {
			t.Fatalf("slot of %q: got %d; want %d", key, slot, want)
		}
	}
	for i := range lanes {
		if got := slotOf(slotTag(i)) * lanes / slots; got != i {
			t.Errorf("the tag of lane %d is of lane %d", i, got)
		}
	}
}

func TestClusterLosesOneOfThree(t *testing.T) {
	t.Parallel()
	nodes := redistest.Cluster(t, 3)
	addresses := []string{nodes[0].Address, nodes[1].Address}
	c := client(t, Config{Addresses: addresses})
	limits := []*Limit{
		c.Limit("exact", rate(t, 1e5, 1e5), Exact, Local),
		c.Limit("fast", rate(t, 1e5, 1e5), Fast, Local),
	}
	quotas := []*Quota{c.Quota("exact", Allowance{Limit: 1e9}, Exact, Local)}
	tr := drive(c, limits, quotas, 12)
	defer tr.end()
	redistest.Await(t, 5*time.Second, "traffic", func() bool { return tr.by[Decided].Load() > 3000 })
	for _, node := range nodes {
		if node.Must("DBSIZE") == "0" {
			t.Errorf("%s has no key", node.Address)
		}
	}

	nodes[2].Freeze()
	gone := redistest.Await(t, 5*time.Second, "away", func() bool { return isAway(c) })
	local, decided := tr.by[DecidedLocally].Load(), tr.by[Decided].Load()
	redistest.Await(t, 5*time.Second, "decisions without one server", func() bool { return tr.by[DecidedLocally].Load() > local+1000 })
	redistest.Await(t, 5*time.Second, "decisions of the others", func() bool { return tr.by[Decided].Load() > decided+1000 })
	nodes[2].Thaw()
	back := redistest.Await(t, 10*time.Second, "back", func() bool { return isBack(c) })
	t.Logf("away after %s, back after %s", gone, back)
	tr.check(t)
}

func TestSlotsMoveInACluster(t *testing.T) {
	t.Parallel()
	nodes := redistest.Cluster(t, 2)
	c := client(t, patient(nodes[0].Address))
	l := c.Limit("few", rate(t, 0.001, 10), Exact, Closed)
	taken := 0
	take := func() bool {
		d, outcome := l.Take([]byte("somebody"), c.Now(), 0)
		if outcome != Decided {
			_, _, err := c.State()
			t.Fatalf("outcome %s: %v", outcome, err)
		}
		if d.Allowed {
			taken++
		}
		return d.Allowed
	}
	take()
	key, slot := c.key("l", []byte("somebody"), "few")
	from, to := nodes[0], nodes[1]
	if slot >= slots/2 {
		from, to = to, from
	}
	take()
	number, fromID, toID := strconv.Itoa(slot), from.Must("CLUSTER", "MYID"), to.Must("CLUSTER", "MYID")
	to.Must("CLUSTER", "SETSLOT", number, "IMPORTING", fromID)
	from.Must("CLUSTER", "SETSLOT", number, "MIGRATING", toID)
	take() // the key is still there
	from.Must("MIGRATE", "127.0.0.1", strconv.Itoa(to.Port), key, "0", "1000")
	take() // ASK
	to.Must("CLUSTER", "SETSLOT", number, "NODE", toID)
	from.Must("CLUSTER", "SETSLOT", number, "NODE", toID)
	for range 20 { // MOVED
		take()
	}
	if taken != 10 {
		t.Errorf("admitted %d; want 10", taken)
	}
}

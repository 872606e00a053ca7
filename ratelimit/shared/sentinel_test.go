package shared

import (
	"testing"
	"time"

	"weir/ratelimit/shared/redistest"
)

func TestSentinelsReplaceTheMaster(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*redistest.Server){
		"killed": (*redistest.Server).Kill, "frozen": (*redistest.Server).Freeze,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := redistest.Sentinel(t, 3)
			var addresses []string
			for _, s := range set.Sentinels {
				addresses = append(addresses, s.Address)
			}
			c := client(t, Config{Addresses: addresses, Sentinel: set.Name})
			tr := drive(c, []*Limit{
				c.Limit("exact", rate(t, 1e5, 1e5), Exact, Open), c.Limit("fast", rate(t, 1e5, 1e5), Fast, Open),
			}, nil, 4)
			defer tr.end()
			redistest.Await(t, 5*time.Second, "traffic", func() bool { return tr.by[Decided].Load() > 1000 })
			end(set.Master)
			gone := redistest.Await(t, 5*time.Second, "away", func() bool { return isAway(c) })
			back := redistest.Await(t, 20*time.Second, "back", func() bool { return isBack(c) })
			decided := tr.by[Decided].Load()
			redistest.Await(t, 5*time.Second, "decisions by the new master", func() bool { return tr.by[Decided].Load() > decided+1000 })
			if set.Replica.Must("DBSIZE") == "0" {
				t.Error("the new master has no key")
			}
			t.Logf("away after %s, back after %s", gone, back)
			tr.check(t)
		})
	}
}

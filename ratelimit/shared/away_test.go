package shared

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/ratelimit/shared/redistest"
)

// traffic takes from a limit and a quota in both modes, and measures.
type traffic struct {
	stop  chan struct{}
	group sync.WaitGroup
	worst atomic.Int64 // nanoseconds of the slowest decision
	asked atomic.Int64
	by    [4]atomic.Int64 // decisions by outcome
	wrong atomic.Int64    // decisions against the declared behaviour
}

// drive starts traffic of workers that pause a little between decisions.
func drive(c *Client, limits []*Limit, quotas []*Quota, workers int) *traffic {
	tr := &traffic{stop: make(chan struct{})}
	for w := range workers {
		tr.group.Go(func() {
			identity := fmt.Appendf(nil, "client-%d", w)
			tick := time.NewTicker(500 * time.Microsecond)
			defer tick.Stop()
			for {
				select {
				case <-tr.stop:
					return
				case <-tick.C:
				}
				for _, l := range limits {
					began := time.Now()
					d, outcome := l.Take(identity, c.Now(), 0)
					tr.note(time.Since(began), outcome, d.Allowed)
				}
				for _, q := range quotas {
					began := time.Now()
					d, outcome := q.Take(identity, time.Now())
					tr.note(time.Since(began), outcome, d.Allowed)
				}
			}
		})
	}
	return tr
}

func (tr *traffic) note(took time.Duration, outcome Outcome, allowed bool) {
	tr.asked.Add(1)
	tr.by[outcome].Add(1)
	if outcome == Opened && !allowed || outcome == Refused && allowed {
		tr.wrong.Add(1)
	}
	for {
		worst := tr.worst.Load()
		if int64(took) <= worst || tr.worst.CompareAndSwap(worst, int64(took)) {
			return
		}
	}
}

func (tr *traffic) end() {
	close(tr.stop)
	tr.group.Wait()
}

// notices collects what Notify tells.
type notices struct {
	mutex sync.Mutex
	away  []bool
	err   error
}

func (n *notices) notify(away bool, err error) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.away = append(n.away, away)
	if err != nil {
		n.err = err
	}
}

func (n *notices) String() string {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return fmt.Sprint(n.away)
}

func isAway(c *Client) bool {
	away, _, _ := c.State()
	return away
}

// What Redis goes away by, and comes back by.
func TestRedisGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]struct{ away, back func(*redistest.Server) }{
		"frozen": {(*redistest.Server).Freeze, (*redistest.Server).Thaw},
		"killed": {(*redistest.Server).Kill, (*redistest.Server).Restart},
	} {
		for _, when := range []WhenAway{Local, Open, Closed} {
			t.Run(name+" "+when.String(), func(t *testing.T) {
				t.Parallel()
				server := redistest.Start(t)
				var told notices
				c := client(t, Config{Addresses: []string{server.Address}, Notify: told.notify})
				tr := drive(c, []*Limit{
					c.Limit("exact", rate(t, 1e5, 1e5), Exact, when),
					c.Limit("fast", rate(t, 1e5, 1e5), Fast, when),
				}, []*Quota{
					c.Quota("exact", Allowance{Limit: 1e9}, Exact, when),
					c.Quota("fast", Allowance{Limit: 1e9}, Fast, when),
				}, 4)
				defer tr.end()
				redistest.Await(t, 5*time.Second, "traffic", func() bool { return tr.by[Decided].Load() > 1000 })
				for range 2 {
					way.away(server)
					gone := redistest.Await(t, 5*time.Second, "away", func() bool { return isAway(c) })
					outcome := map[WhenAway]Outcome{Local: DecidedLocally, Open: Opened, Closed: Refused}[when]
					before := tr.by[outcome].Load()
					redistest.Await(t, 5*time.Second, "decisions without Redis", func() bool { return tr.by[outcome].Load() > before+1000 })
					way.back(server)
					back := redistest.Await(t, 5*time.Second, "back", func() bool { return !isAway(c) })
					decided := tr.by[Decided].Load()
					redistest.Await(t, 5*time.Second, "decisions with Redis", func() bool { return tr.by[Decided].Load() > decided+1000 })
					t.Logf("away after %s, back after %s, slowest decision %s of %d", gone, back, time.Duration(tr.worst.Load()), tr.asked.Load())
				}
				if worst := time.Duration(tr.worst.Load()); worst > 50*time.Millisecond {
					t.Errorf("the slowest decision took %s; want at most 50ms", worst)
				}
				if n := tr.wrong.Load(); n != 0 {
					t.Errorf("%d decisions were against what %s means", n, when)
				}
			})
		}
	}
}

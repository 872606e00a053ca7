package shared

import (
	"fmt"
	"strings"
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
	noise atomic.Int64 // nanoseconds that the machine let somebody wait who wanted to go on
	asked atomic.Int64
	by    [4]atomic.Int64 // decisions by outcome
	wrong atomic.Int64    // decisions against the declared behaviour
}

// drive starts traffic of workers that pause a little between decisions.
func drive(c *Client, limits []*Limit, quotas []*Quota, workers int) *traffic {
	tr := &traffic{stop: make(chan struct{})}
	tr.group.Go(tr.listen)
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
	raise(&tr.worst, int64(took))
}

// raise makes v at least n.
func raise(v *atomic.Int64, n int64) {
	for {
		if was := v.Load(); n <= was || v.CompareAndSwap(was, n) {
			return
		}
	}
}

// listen measures how late a goroutine is that has nothing to do with Redis.
func (tr *traffic) listen() {
	for {
		began := time.Now()
		select {
		case <-tr.stop:
			return
		case <-time.After(time.Millisecond):
		}
		raise(&tr.noise, int64(time.Since(began)-time.Millisecond))
	}
}

// check holds the slowest decision against 50 ms, where 5 ms is the aim, beside
// what the machine adds by itself.
func (tr *traffic) check(t *testing.T) {
	t.Helper()
	worst, noise := time.Duration(tr.worst.Load()), time.Duration(tr.noise.Load())
	t.Logf("slowest of %d decisions: %s; the machine is late by up to %s", tr.asked.Load(), worst, noise)
	if worst > 50*time.Millisecond+noise {
		t.Errorf("the slowest decision took %s; want at most 50ms, and %s that the machine is late", worst, noise)
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

func isAway(c *Client) bool { return !c.answers() }

// isBack tells that it answers, and soon enough for exact decisions.
func isBack(c *Client) bool {
	away, _, _ := c.State()
	return !away
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
					back := redistest.Await(t, 5*time.Second, "back", func() bool { return isBack(c) })
					decided := tr.by[Decided].Load()
					redistest.Await(t, 5*time.Second, "decisions with Redis", func() bool { return tr.by[Decided].Load() > decided+1000 })
					t.Logf("away after %s, back after %s", gone, back)
				}
				tr.check(t)
				if n := tr.wrong.Load(); n != 0 {
					t.Errorf("%d decisions were against what %s means", n, when)
				}
			})
		}
	}
}

// Connections that were frozen for long have been given up; those made since wait for their greeting.
func TestRedisIsFrozenForLong(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := client(t, Config{Addresses: []string{server.Address}})
	tr := drive(c, []*Limit{
		c.Limit("exact", rate(t, 1e5, 1e5), Exact, Open), c.Limit("fast", rate(t, 1e5, 1e5), Fast, Open),
	}, nil, 4)
	defer tr.end()
	redistest.Await(t, 5*time.Second, "traffic", func() bool { return tr.by[Decided].Load() > 1000 })
	server.Freeze()
	time.Sleep(2*dialing + dialing/2)
	if !isAway(c) {
		t.Error("it is not away")
	}
	server.Thaw()
	back := redistest.Await(t, 5*time.Second, "back", func() bool { return isBack(c) })
	t.Logf("back after %s", back)
	decided := tr.by[Decided].Load()
	redistest.Await(t, 5*time.Second, "decisions with Redis", func() bool { return tr.by[Decided].Load() > decided+1000 })
	server.Freeze()
	redistest.Await(t, 5*time.Second, "away", func() bool { return isAway(c) })
	server.Kill()
	server.Restart()
	redistest.Await(t, 5*time.Second, "back", func() bool { return isBack(c) })
	tr.check(t)
}

func TestEachNodeHoldsItsShareWithoutRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	config := Config{Addresses: []string{server.Address}}
	nodes := make([]*Client, 3)
	for i := range nodes {
		nodes[i] = client(t, config)
	}
	for _, c := range nodes {
		redistest.Await(t, 10*time.Second, "nodes count each other", func() bool { return c.Stats().Nodes == len(nodes) })
	}
	server.Freeze()
	for _, c := range nodes {
		for _, mode := range []Mode{Exact, Fast} {
			l := c.Limit(mode.String(), rate(t, 0.001, 30), mode, Local)
			probe := c.Limit("probe", rate(t, 1, 1), Exact, Open)
			redistest.Await(t, 5*time.Second, "away", func() bool { probe.Take(nil, c.Now(), 0); return isAway(c) })
			allowed := 0
			for range 50 {
				d, outcome := l.Take([]byte("one"), c.Now(), 0)
				if outcome != DecidedLocally {
					t.Fatalf("outcome: got %s; want %s", outcome, DecidedLocally)
				}
				if d.Allowed {
					allowed++
				}
			}
			if allowed != 10 {
				t.Errorf("%s: %d are allowed; want 10, a third of the burst", mode, allowed)
			}
			l.Return([]byte("one"), DecidedLocally)
			if d, _ := l.Take([]byte("one"), c.Now(), 0); !d.Allowed {
				t.Errorf("%s: what was given back is refused", mode)
			}
		}
	}
	server.Thaw()
	for _, c := range nodes {
		redistest.Await(t, 5*time.Second, "back", func() bool { return isBack(c) })
	}
	nodes[2].Close()
	redistest.Await(t, 10*time.Second, "a node that ends does not count", func() bool { return nodes[0].Stats().Nodes == 2 })
	if d, outcome := nodes[2].Limit("exact", rate(t, 1, 1), Exact, Open).Take([]byte("one"), 0, 0); !d.Allowed || outcome != Opened {
		t.Errorf("after Close: got %+v, %s; want %s", d, outcome, Opened)
	}
}

// A token whose grant comes too late, when the request was decided otherwise, is free again.
func TestLateGrantsGoBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := client(t, Config{Addresses: []string{server.Address}, Timeout: 100 * time.Millisecond})
	l := c.Limit("slow", rate(t, 0.001, 10), Exact, Closed)
	take(t, c, l, "one", 0)
	server.Freeze()
	if _, outcome := l.Take([]byte("one"), c.Now(), 0); outcome != Refused {
		t.Errorf("outcome: got %s; want %s", outcome, Refused)
	}
	server.Thaw()
	redistest.Await(t, 5*time.Second, "the token goes back", func() bool {
		d, outcome := l.Take([]byte("one"), c.Now(), 0)
		l.Return([]byte("one"), outcome)
		return outcome == Decided && d.Remaining == 8
	})
	if stats := c.Stats(); stats.Timeouts == 0 || stats.Lost != 0 {
		t.Errorf("stats: %+v", stats)
	}
}

func TestWhatIsSpentStaysSpent(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := client(t, Config{Addresses: []string{server.Address}, Timeout: 200 * time.Millisecond})
	l := c.Limit("slow", rate(t, 0.001, 1), Exact, Closed)
	refused := func() bool {
		d, outcome := l.Take([]byte("one"), c.Now(), 0)
		return outcome == Decided && !d.Allowed
	}
	redistest.Await(t, 5*time.Second, "the only token is taken", refused)
	server.Freeze()
	redistest.Await(t, 5*time.Second, "away", func() bool { refused(); return isAway(c) })
	server.Thaw()
	redistest.Await(t, 5*time.Second, "a decision with Redis", func() bool {
		d, outcome := l.Take([]byte("one"), c.Now(), 0)
		if d.Allowed {
			t.Error("what was spent before is there again")
		}
		return outcome == Decided
	})
}

// Answers that take longer than a request may wait are of use to fast limits only.
func TestRedisIsTooSlow(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	config := Config{Addresses: []string{server.Address}, Timeout: time.Microsecond, Interval: 400 * time.Millisecond}
	c := client(t, config)
	redistest.Await(t, 5*time.Second, "away", func() bool {
		_, _, err := c.State()
		return err != nil && strings.Contains(err.Error(), "answers of Redis take")
	})
	exact, fast := c.Limit("exact", rate(t, 1000, 1000), Exact, Closed), c.Limit("fast", rate(t, 1000, 1000), Fast, Closed)
	if _, outcome := exact.Take([]byte("one"), c.Now(), 0); outcome != Refused {
		t.Errorf("exact: got %s; want %s", outcome, Refused)
	}
	for range 20 {
		take(t, c, fast, "one", 0)
	}
	key, _ := c.key("l", []byte("one"), "fast")
	redistest.Await(t, 5*time.Second, "fast limits are settled", func() bool {
		take(t, c, fast, "one", 0)
		return server.Must("EXISTS", key) == "1"
	})
	server.Freeze()
	redistest.Await(t, 5*time.Second, "fast limits are without Redis", func() bool {
		_, outcome := fast.Take([]byte("one"), c.Now(), 0)
		return outcome == Refused
	})
	server.Thaw()
	redistest.Await(t, 5*time.Second, "fast limits are with Redis", func() bool {
		_, outcome := fast.Take([]byte("one"), c.Now(), 0)
		return outcome == Decided
	})
}

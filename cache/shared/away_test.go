package shared

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/cache"
	"weir/cache/policy"
	"weir/ratelimit/shared/redistest"
)

func TestRedisGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]struct{ away, back func(*redistest.Server) }{
		"frozen": {(*redistest.Server).Freeze, (*redistest.Server).Thaw},
		"killed": {(*redistest.Server).Kill, (*redistest.Server).Restart},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			config := patient(server.Address)
			config.Timeout = 50 * time.Millisecond
			var told atomic.Int32
			config.Notify = func(away bool, _ error) {
				told.Add(1)
			}
			a := start(t, config)
			config.Notify = nil
			b := start(t, config)
			for round := range 2 {
				path := fmt.Sprint("/", round)
				a.store(t, path, "old", "", nil)
				b.store(t, path, "old", "", nil)
				a.store(t, "/kept", "kept", "", nil)
				notices := told.Load()
				way.away(server)
				worst := time.Duration(0)
				redistest.Await(t, 5*time.Second, "away", func() bool {
					began := time.Now()
					a.get("/nothing", "")
					worst = max(worst, time.Since(began))
					return a.isAway()
				})
				if worst > 500*time.Millisecond { // the machine may be busy
					t.Errorf("a question took %s", worst)
				}
				began := time.Now()
				for range 1000 {
					a.get("/nothing", "")
				}
				if took := time.Since(began); took > 500*time.Millisecond {
					t.Errorf("1000 questions took %s while Redis is away", took)
				}
				if err := a.Purge(cache.Purge{Host: "example.org", Path: path}); !errors.Is(err, ErrLater) {
					t.Errorf("got %v; want %v", err, ErrLater)
				}
				if a.first.Lookup(keyOf(path), language("")).Entry != nil {
					t.Error("what was purged is there")
				}
				way.back(server)
				took := redistest.Await(t, 10*time.Second, "back", func() bool { return !a.isAway() && !b.isAway() })
				heard := redistest.Await(t, 10*time.Second, "the other node hears of it", func() bool {
					return b.first.Lookup(keyOf(path), language("")).Entry == nil
				})
				t.Logf("back after %s, the purge after %s more", took, heard)
				redistest.Await(t, 5*time.Second, "both notices", func() bool { return told.Load() == notices+2 })
				if a.first.Lookup(keyOf("/kept"), language("")).Entry == nil {
					t.Error("what nobody has purged is gone")
				}
				redistest.Await(t, 10*time.Second, "nothing waits", func() bool { return a.Stats().Pending == 0 })
				redistest.Await(t, 5*time.Second, "sharing goes on", func() bool {
					b.store(t, path, "new", "", nil) // again, for what is sent again may be newer
					return a.get(path, "") == "new"
				})
			}
			if n := a.Stats().Flushes + b.Stats().Flushes; n > 0 {
				t.Errorf("everything was purged %d times", n)
			}
		})
	}
}

func TestTheStreamIsLost(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := start(t, patient(server.Address)), start(t, patient(server.Address))
	a.store(t, "/kept", "kept", "", nil)
	for i := range 5 {
		path := fmt.Sprint("/", i)
		b.store(t, path, "old", "", nil)
		if i%2 == 0 {
			server.Must("FLUSHALL")
		}
		if err := a.Purge(cache.Purge{Host: "example.org", Path: path}); err != nil {
			t.Fatal(err)
		}
		redistest.Await(t, 10*time.Second, "the purge", func() bool {
			return b.first.Lookup(keyOf(path), language("")).Entry == nil
		})
		redistest.Await(t, 10*time.Second, "both share again", func() bool {
			a.store(t, path, "new", "", nil)
			return a.get(path, "") == "new" && b.get(path, "") == "new"
		})
	}
	if a.first.Lookup(keyOf("/kept"), language("")).Entry == nil || a.Stats().Flushes+b.Stats().Flushes > 0 {
		t.Error("everything was purged")
	}
}

func TestNodeWasAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	config := patient(server.Address)
	config.Purges = 100
	a := start(t, config)
	gone := start(t, config)
	left := gone.Position()
	gone.Close()
	if err := a.Purge(cache.Purge{Host: "example.org", Path: "/purged"}); err != nil {
		t.Fatal(err)
	}

	again := func() *node {
		t.Helper()
		c, err := cache.New(cache.Config{Size: 64 << 20})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		n := &node{first: c}
		for _, path := range []string{"/purged", "/kept"} {
			f, _ := c.Begin(keyOf(path), language(""), nil)
			f.Answer(&cache.Entry{Status: 200, At: c.Now(), Terms: policy.Terms{Lifetime: time.Hour}, Body: cache.WholeBody(nil)}, language(""))
			f.Done(nil)
		}
		back := config
		back.Cache, back.Position = c, left
		if n.Tier, err = New(back); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.Close)
		n.back(t)
		if c.Lookup(keyOf("/purged"), language("")).Entry != nil {
			t.Error("what was purged meanwhile is there")
		}
		return n
	}
	if n := again(); n.first.Lookup(keyOf("/kept"), language("")).Entry == nil || n.Stats().Flushes != 0 {
		t.Error("what nobody has purged is gone")
	}
	for i := range 1000 {
		if err := a.Purge(cache.Purge{Host: "example.org", Path: fmt.Sprint("/", i)}); err != nil {
			t.Fatal(err)
		}
	}
	server.Must("XTRIM", a.stream(), "MAXLEN", "100")
	if n := again(); n.first.Lookup(keyOf("/kept"), language("")).Entry != nil || n.Stats().Flushes != 1 {
		t.Error("purges were missed, and not everything was purged")
	}
}

func TestMessagesOfAnotherVersion(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a := start(t, patient(server.Address))
	for i, data := range []string{"", "\x63whatever", "\x01"} {
		a.share(t, "/1", "one", "", nil)
		server.Must("XADD", a.stream(), "*", field, data)
		redistest.Await(t, 5*time.Second, "everything is purged", func() bool { return a.Stats().Flushes == uint64(i+1) })
		if a.first.Lookup(keyOf("/1"), language("")).Entry != nil || a.get("/1", "") != "" {
			t.Error("something is there")
		}
	}
}

func TestManyGetsAtOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	config := patient(server.Address)
	a := start(t, config)
	for i := range 100 {
		a.share(t, fmt.Sprint("/", i), fmt.Sprint("content ", i), "", nil)
	}
	b := start(t, config)
	var group sync.WaitGroup
	for i := range 1000 {
		group.Go(func() { want(t, b.get(fmt.Sprint("/", i%100), ""), fmt.Sprint("content ", i%100)) })
	}
	group.Wait()
	if s := b.Stats(); s.Hits != 1000 {
		t.Errorf("got %+v; want 1000 hits", s)
	}
	b.config.Timeout = 50 * time.Millisecond
	server.Freeze()
	var worst atomic.Int64
	for i := range 1000 {
		group.Go(func() {
			began := time.Now()
			b.get(fmt.Sprint("/", i%100), "")
			if took := int64(time.Since(began)); took > worst.Load() {
				worst.Store(took)
			}
		})
	}
	group.Wait()
	if got := time.Duration(worst.Load()); got > 500*time.Millisecond {
		t.Errorf("the slowest of 1000 questions took %s while Redis is frozen", got)
	}
	server.Thaw()
	b.config.Timeout = 5 * time.Second
	b.back(t)
}

func TestLargeAnswersDelayNobody(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a := start(t, patient(server.Address))
	large := string(bytes.Repeat([]byte("x"), 7<<20))
	for i := range 4 {
		a.share(t, fmt.Sprint("/large/", i), large, "", nil)
	}
	a.share(t, "/small", "small", "", nil)
	stop := make(chan struct{})
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					want(t, a.get(fmt.Sprint("/large/", i), ""), large)
				}
			}
		})
	}
	var took []time.Duration
	for range 20 {
		began := time.Now()
		want(t, a.get("/small", ""), "small")
		took = append(took, time.Since(began))
	}
	close(stop)
	group.Wait()
	slices.Sort(took)
	t.Logf("a small answer beside 4 readers of 7 MiB: %s (median), %s at most", took[10], took[19])
}

func TestSentinelsReplaceTheMaster(t *testing.T) {
	t.Parallel()
	set := redistest.Sentinel(t, 3)
	var addresses []string
	for _, s := range set.Sentinels {
		addresses = append(addresses, s.Address)
	}
	config := patient(addresses...)
	config.Redis.Sentinel = set.Name
	a, b := start(t, config), start(t, config)
	a.share(t, "/1", "old", "", nil)
	b.store(t, "/1", "old", "", nil)
	set.Master.Kill()
	redistest.Await(t, 10*time.Second, "away", func() bool { return a.isAway() && b.isAway() })
	if err := a.Purge(cache.Purge{Host: "example.org", Path: "/1"}); !errors.Is(err, ErrLater) {
		t.Errorf("got %v; want %v", err, ErrLater)
	}
	redistest.Await(t, 20*time.Second, "back", func() bool { return !a.isAway() && !b.isAway() })
	redistest.Await(t, 10*time.Second, "the purge", func() bool {
		return b.first.Lookup(keyOf("/1"), language("")).Entry == nil && b.get("/1", "") == ""
	})
	redistest.Await(t, 10*time.Second, "sharing goes on", func() bool {
		b.store(t, "/1", "new", "", nil) // again, for what is sent again may be newer
		return a.get("/1", "") == "new"
	})
}

func TestCluster(t *testing.T) {
	t.Parallel()
	servers := redistest.Cluster(t, 3)
	a, b := start(t, patient(servers[0].Address)), start(t, patient(servers[1].Address))
	for i := range 30 {
		a.share(t, fmt.Sprint("/", i), "x", "en", func(e *cache.Entry) { e.Vary = []string{"Accept-Language"} })
		want(t, b.get(fmt.Sprint("/", i), "en"), "x")
	}
	if err := a.Purge(cache.Purge{Tags: []string{"pages"}}); err != nil {
		t.Fatal(err)
	}
	redistest.Await(t, 5*time.Second, "the purge", func() bool { return b.get("/7", "en") == "" })
}

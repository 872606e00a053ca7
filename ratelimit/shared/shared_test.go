package shared

import (
	"context"

	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/ratelimit"
	"weir/ratelimit/shared/redistest"
)

func rate(t testing.TB, perSecond float64, burst int) ratelimit.Rate {
	t.Helper()
	r, err := ratelimit.NewRate(perSecond, burst)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// client returns a node that is ready.
func client(t testing.TB, config Config) *Client {
	t.Helper()
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := c.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

// patient waits long for decisions, so that a busy machine changes nothing.
func patient(addresses ...string) Config {
	return Config{Addresses: addresses, Timeout: 5 * time.Second}
}

func TestExactLimitOverManyNodes(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	const perSecond, burst, nodes = 500, 300, 3 // a machine that stalls for half a second loses nothing
	var clients []*Client
	for range nodes {
		clients = append(clients, client(t, patient(server.Address)))
	}
	one := clients[0].Limit("all", rate(t, perSecond, burst), Exact, Closed)
	left := int64(burst)
	for left > 50 { // so that the bucket is not full, and loses nothing, before everybody has begun
		left = take(t, clients[0], one, "one", 0).Remaining
	}
	began := time.Now()
	var admitted atomic.Int64
	var group sync.WaitGroup
	for _, c := range clients {
		l := c.Limit("all", rate(t, perSecond, burst), Exact, Closed)
		for range 8 {
			group.Go(func() {
				for time.Since(began) < 1500*time.Millisecond {
					d, outcome := l.Take([]byte("one"), c.Now(), 0)
					if outcome != Decided {
						t.Errorf("outcome: got %s; want %s", outcome, Decided)
						return
					}
					if d.Allowed {
						admitted.Add(1)
					}
				}
			})
		}
	}
	group.Wait()
	until := time.Since(began)
	// What is left was not asked for: on a busy machine there may be something.
	d := take(t, clients[0], one, "one", 0)
	if d.Allowed {
		admitted.Add(1)
	}
	most := left + 1 + int64(math.Ceil(perSecond*time.Since(began).Seconds()))
	least := int64((float64(left)+perSecond*until.Seconds())*0.99) - d.Remaining
	t.Logf("admitted %d, at most %d, at least %d", admitted.Load(), most, least)
	if got := admitted.Load(); got > most || got < least {
		t.Errorf("admitted %d; want from %d to %d", got, least, most)
	}
}

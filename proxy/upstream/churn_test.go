package upstream

import (
	"sync"
	"sync/atomic"
	"testing"

	"weir/proxy/exchange"
)

// TestChurn lets connections end in every way while more requests come than
// connections are allowed, and counts at the end.
func TestChurn(t *testing.T) {
	var open, most atomic.Int64
	s := listen(t, func(p *peer) {
		now := open.Add(1)
		for top := most.Load(); now > top && !most.CompareAndSwap(top, now); top = most.Load() {
		}
		defer open.Add(-1)
		for i := 1; ; i++ {
			if _, _, err := p.request(); err != nil {
				return
			}
			switch (p.n + i) % 7 {
			case 0:
				p.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
				return
			case 1:
				p.say(hello + "late")
			case 2:
				p.say(hello)
				return
			case 3:
				p.say("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")
				return
			case 4:
				return
			default:
				p.say(hello)
			}
		}
	})
	const limit = 4
	r := registry(t, func(c *Config) { c.MaxConnections = limit })
	target := target(t, r, s.url)
	var sent sync.WaitGroup
	var whole atomic.Int64
	for shard := range 12 {
		sent.Add(1)
		go func() {
			defer sent.Done()
			for range 80 {
				x := request("GET", "/")
				switch refusal := target.Send(x, &Call{Shard: shard, Retry: true}); refusal {
				case nil:
					if _, err := contentErr(x); err == nil {
						whole.Add(1)
					}
				case exchange.ConnectionClosed, exchange.UpstreamReset:
				default:
					t.Errorf("got refusal %s (%v); want none but those of a closed connection", refusal.Cause, x.Cause)
				}
			}
		}()
	}
	sent.Wait()
	if whole.Load() == 0 {
		t.Fatal("got no whole answer")
	}
	got := target.Stats()
	if got.Busy != 0 || got.Waiting != 0 || got.Idle > limit || target.InFlight() != 0 {
		t.Fatalf("got %+v, %d in flight; want all connections unused", got, target.InFlight())
	}
	r.Retain(nil)
	if got := target.pool.live.Load(); got != 0 {
		t.Fatalf("got %d connections alive; want 0", got)
	}
	eventually(t, "the upstream sees all connections closed", func() bool { return open.Load() == 0 })
}

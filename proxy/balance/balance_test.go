package balance

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/proxy/exchange"
	"weir/proxy/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func targets(t testing.TB, n int) []*upstream.Target {
	t.Helper()
	r := upstream.NewRegistry(upstream.Default(), 1)
	t.Cleanup(r.Close)
	var list []*upstream.Target
	for i := range n {
		target, err := r.Acquire(upstream.Address{URL: fmt.Sprintf("http://127.0.0.1:%d", i+1)})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, target)
	}
	return list
}

func TestTurnsAreFair(t *testing.T) {
	f := func(policy string, n, shards, rounds int) {
		t.Helper()
		list := targets(t, n)
		b := New(policy, list)
		got := map[*upstream.Target]int{}
		for range rounds * n {
			for shard := range shards {
				got[b.Pick(shard, nil)]++
			}
		}
		for i, target := range list {
			if got[target] != rounds*shards {
				t.Fatalf("%s, %d targets, %d shards: target %d got %d picks; want %d", policy, n, shards, i, got[target], rounds*shards)
			}
		}
	}
	f("roundRobin", 1, 1, 5)
	f("roundRobin", 2, 1, 5)
	f("roundRobin", 3, 4, 5)
	f("roundRobin", 7, 100, 3)
	f("leastLoaded", 3, 2, 5) // nothing in flight: all are equal
}

func TestShardsBeginAtDifferentTargets(t *testing.T) {
	b := New("roundRobin", targets(t, 2))
	if b.Pick(0, nil) == b.Pick(1, nil) {
		t.Fatal("got the same target for the first request of two shards")
	}
}

func TestTriedIsLeftOut(t *testing.T) {
	for _, policy := range []string{"roundRobin", LeastLoaded} {
		list := targets(t, 3)
		b := New(policy, list)
		for range 20 {
			for _, tried := range list {
				if got := b.Pick(0, tried); got == tried || got == nil {
					t.Fatalf("%s: got %v; want another than the one that was tried", policy, got)
				}
			}
		}
		alone := New(policy, list[:1])
		if got := alone.Pick(0, list[0]); got != nil {
			t.Fatalf("%s: got %v; want nil when no other is left", policy, got)
		}
		if got := alone.Pick(0, list[1]); got != list[0] {
			t.Fatalf("%s: got %v; want the only target", policy, got)
		}
	}
}

func TestLeastLoadedAvoidsTheBusy(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "ok")
	}))
	defer busy.Close()
	config := upstream.Default()
	config.MaxIdle = 0
	r := upstream.NewRegistry(config, 1)
	defer r.Close()
	slow, err := r.Acquire(upstream.Address{URL: busy.URL})
	if err != nil {
		t.Fatal(err)
	}
	fast := targets(t, 1)[0]
	b := New(LeastLoaded, []*upstream.Target{slow, fast})

	var sent sync.WaitGroup
	sent.Add(1)
	go func() {
		defer sent.Done()
		x := &exchange.Exchange{Start: time.Now()}
		x.Request.SetHost("example.org")
		if refusal := slow.Send(x, &upstream.Call{}); refusal != nil {
			t.Errorf("got refusal %s; want none", refusal.Cause)
			return
		}
		_ = x.Stream.Close()
	}()
	select {
	case <-arrived:
	case <-time.After(5 * time.Second):
		t.Fatal("the request did not reach the busy target")
	}
	for range 10 {
		if got := b.Pick(0, nil); got != fast {
			t.Fatal("got the busy target; want the idle one")
		}
	}
	close(release)
	sent.Wait()
	if got := slow.InFlight(); got != 0 {
		t.Fatalf("got %d in flight after the answer; want 0", got)
	}
}

func BenchmarkPick(b *testing.B) {
	for _, policy := range []string{"roundRobin", LeastLoaded} {
		b.Run(policy, func(b *testing.B) {
			balancer := New(policy, targets(b, 4))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					balancer.Pick(0, nil)
				}
			})
		})
	}
}

package proxy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/ratelimit/shared/redistest"
)

func TestNodesShareTheCache(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	up, asked := counted(t, func(n int, r *rawRequest) string {
		return reply200(hour+"Cache-Tag: pets\r\nVary: Accept-Language\r\n", fmt.Sprintf("answer %d to %s", n, r.Header.Get("Accept-Language")))
	})
	node := func() *testGateway {
		g := startGateway(t, cacheTo(up, "{}")+fmt.Sprintf("redis: { addresses: [ %q ], cache: true }\n", redis.Address), withControl)
		redistest.Await(t, patient, "the second tier", func() bool {
			away, _, _ := g.tier.now.Load().State()
			return !away
		})
		return g
	}
	a, b := node(), node()
	await := func(g *testGateway, body string) {
		t.Helper()
		last := ""
		redistest.Await(t, patient, body, func() bool {
			last = g.fetch("/", "Accept-Language: en\r\n").Body
			return last == body
		})
	}
	wantCached(t, a.fetch("/", "Accept-Language: en\r\n"), "answer 1 to en", "fwd-status=200; stored")
	redistest.Await(t, patient, "the answer in redis", func() bool { return a.tier.now.Load().Stats().Stored > 0 })
	got := b.fetch("/", "Accept-Language: en\r\n")
	wantCached(t, got, "answer 1 to en", "weir; fwd=miss; stored; ttl=")
	wantCached(t, b.fetch("/", "Accept-Language: en\r\n"), "answer 1 to en", "hit")
	wantCached(t, b.fetch("/", "Accept-Language: de\r\n"), "answer 2 to de", "fwd-status=200")
	if text := b.ask("GET", "/metrics").Body; !strings.Contains(text, `weir_cache_shared_total{result="hit"} 1`) || !strings.Contains(text, "weir_cache_shared_away 0") {
		t.Errorf("got %s; want one answer of the other node told, and that redis is there", text)
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("the upstream was asked %d times; want 2", n)
	}

	if answer := a.purgeBy(`{"tags": ["pets"]}`); answer.Status != 200 || strings.Contains(answer.Body, "later") {
		t.Fatalf("got %d %s; want the purge done", answer.Status, answer.Body)
	}
	wantCached(t, a.fetch("/", "Accept-Language: en\r\n"), "answer 3 to en", "fwd=miss")
	await(b, "answer 3 to en")

	redis.Kill()
	begun := time.Now()
	wantCached(t, a.fetch("/other", ""), "answer 4 to ", "fwd-status=200; stored")
	t.Logf("a fetch without redis took %s", time.Since(begun))
	if answer := a.purgeBy(`{"all": true}`); answer.Status != 200 || !strings.Contains(answer.Body, "later") {
		t.Errorf("got %d %s; want the purge done here, and later elsewhere", answer.Status, answer.Body)
	}
	wantCached(t, a.fetch("/other", ""), "answer 5 to ", "fwd=miss")
	redis.Restart()
	redistest.Await(t, patient, "the purge at the other node", func() bool {
		return b.fetch("/", "Accept-Language: en\r\n").Body != "answer 3 to en"
	})
}

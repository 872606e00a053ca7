package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestCacheBadInput drives testdata/cache/input.txt: what upstreams say wrongly.
func TestCacheBadInput(t *testing.T) { runCacheCases(t, "testdata/cache/input.txt", 20) }

func TestCacheTakesVaryOfManyNames(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("X-%d", i))
	}
	up, asked := counted(t, func(n int, r *rawRequest) string {
		many := names
		if r.Target == "/few" {
			many = names[:16]
		}
		return reply200(hour+"Vary: "+strings.Join(many, ", ")+"\r\n", fmt.Sprint("answer ", n))
	})
	g := startGateway(t, cacheTo(up, "{}"))
	wantCached(t, g.fetch("/many", ""), "answer 1", "varies by too many fields")
	wantCached(t, g.fetch("/many", ""), "answer 2", "fwd=")
	wantCached(t, g.fetch("/few", "X-3: a\r\n"), "answer 3", "stored")
	wantCached(t, g.fetch("/few", "X-3: a\r\n"), "answer 3", "hit")
	wantCached(t, g.fetch("/few", "X-15: a\r\n"), "answer 4", "stored")
	if n := asked.Load(); n != 4 {
		t.Errorf("the upstream was asked %d times; want 4", n)
	}
}

// twoAtOnce has one request lead and another follow, and returns what both got.
// The upstream has seen the request of the first when the second is sent.
func twoAtOnce(t *testing.T, g *testGateway, leads <-chan struct{}, follow func()) [2]*rawAnswer {
	t.Helper()
	var out [2]*rawAnswer
	var done sync.WaitGroup
	ask := func(i int) {
		c := g.dial()
		defer c.Close()
		c.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
		a, err := c.tryAnswer("GET")
		if err != nil {
			a = &rawAnswer{Err: err}
		}
		out[i] = a
	}
	done.Go(func() { ask(0) })
	within(t, "the request that leads", leads)
	done.Go(func() { ask(1) })
	g.eventually("the request that follows", func() bool { return g.cacheStats().Waiting > 0 })
	follow()
	done.Wait()
	return out
}

// TestCacheFreesFollowersOfABodyThatFails: an answer that begins well and goes
// wrong ends for all who read it as one that is cut, and is not kept.
func TestCacheFreesFollowersOfABodyThatFails(t *testing.T) {
	t.Parallel()
	f := func(name, head, rest string, closes bool) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			leads, goes, ends := make(chan struct{}), make(chan struct{}), make(chan struct{})
			var turn atomic.Int32
			up := startUpstream(t, func(c *upstreamConn) {
				for r := c.request(); r != nil; r = c.request() {
					if turn.Add(1) > 1 {
						c.reply(reply200(hour, "whole"))
						continue
					}
					close(leads)
					<-goes
					c.reply("HTTP/1.1 200 OK\r\n" + hour + head + "\r\n" + rest)
					if closes {
						return
					}
					<-ends
					return
				}
			})
			document := fmt.Sprintf("apis: { site: { routes: [ { path: $default, upstream: up, timeouts: { idle: 150ms }, cache: {} } ] } }\n"+
				"upstreams: { up: { targets: [ %q ] } }\n", up.url())
			g := startGateway(t, document)
			defer close(ends)
			for i, a := range twoAtOnce(t, g, leads, func() { close(goes) }) {
				if a.Err == nil && a.Status < 500 {
					t.Errorf("request %d: got %d %q as if it were whole", i, a.Status, a.Body)
				}
			}
			wantCached(t, g.fetch("/", ""), "whole", "fwd=miss")
		})
	}
	f("shorter than it says", "Content-Length: 100\r\n", "short", true)
	f("hangs behind its beginning", "Content-Length: 100\r\n", "short", false)
	f("hangs in a chunk", "Transfer-Encoding: chunked\r\n", "5\r\nshort\r\n10\r\nx", false)
	f("garbage for a chunk", "Transfer-Encoding: chunked\r\n", "5\r\nshort\r\nzz\r\n", false)
	f("ends within a chunk", "Transfer-Encoding: chunked\r\n", "5\r\nshort\r\n10\r\nx", true)
	f("ends without the last chunk", "Transfer-Encoding: chunked\r\n", "5\r\nshort\r\n", true)
	f("two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n", "short", true)
	f("a length below 0", "Content-Length: -5\r\n", "short", true)
	f("a length that is no number", "Content-Length: 5x\r\n", "short", true)
	f("nothing", "", "", false)
}

// TestCacheTakesAnAnswerThatIsLongerThanItSays: what is behind its end is no part
// of it, and answers nobody else.
func TestCacheTakesAnAnswerThatIsLongerThanItSays(t *testing.T) {
	t.Parallel()
	leads, goes := make(chan struct{}), make(chan struct{})
	var turn atomic.Int32
	up := startUpstream(t, func(c *upstreamConn) {
		for r := c.request(); r != nil; r = c.request() {
			if turn.Add(1) == 1 {
				close(leads)
				<-goes
				c.reply("HTTP/1.1 200 OK\r\n" + hour + "Content-Length: 5\r\n\r\nshort" + reply200(hour, "smuggled"))
				continue
			}
			c.reply(reply200(hour, "own"))
		}
	})
	g := startGateway(t, cacheTo(up, "{}"))
	for i, a := range twoAtOnce(t, g, leads, func() { close(goes) }) {
		if a.Body != "short" || a.Err != nil {
			t.Errorf("request %d: got %d %q %v; want the 5 bytes that are of it", i, a.Status, a.Body, a.Err)
		}
	}
	wantCached(t, g.fetch("/", ""), "short", "hit")
	wantCached(t, g.fetch("/other", ""), "own", "fwd=miss")
}

func TestCacheRefusesAHeadOf10MB(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, func(c *upstreamConn) {
		if r := c.request(); r != nil && r.Target == "/" {
			line := "X-Long: " + strings.Repeat("a", 8<<10) + "\r\n"
			c.reply("HTTP/1.1 200 OK\r\n" + hour + strings.Repeat(line, 10<<20/len(line)) + "Content-Length: 5\r\n\r\nshort")
		} else if r != nil {
			c.reply(reply200(hour, "whole"))
		}
	})
	g := startGateway(t, cacheTo(up, "{}"))
	for range 2 {
		if a := g.fetch("/", ""); a.Status != http.StatusBadGateway || strings.Contains(a.Header.Get("Cache-Status"), "stored") {
			t.Errorf("got %d %v; want 502", a.Status, a.Header)
		}
	}
	wantCached(t, g.fetch("/a", ""), "whole", "stored")
}

// TestCacheRescuesFromSilence: an upstream that says nothing in time fails too.
func TestCacheRescuesFromSilence(t *testing.T) {
	t.Parallel()
	ends := make(chan struct{})
	var turn atomic.Int32
	up := startUpstream(t, func(c *upstreamConn) {
		for r := c.request(); r != nil; r = c.request() {
			if turn.Add(1) > 1 {
				<-ends
				return
			}
			c.reply(reply200("Cache-Control: max-age=1, stale-if-error=1000\r\nAge: 10\r\n", "kept"))
		}
	})
	g := startGateway(t, fmt.Sprintf("apis: { site: { routes: [ { path: $default, upstream: up, timeouts: { firstByte: 100ms }, cache: {} } ] } }\n"+
		"upstreams: { up: { targets: [ %q ] } }\n", up.url()))
	defer close(ends)
	wantCached(t, g.fetch("/", ""), "kept", "stored")
	wantCached(t, g.fetch("/", ""), "kept", "hit; ttl=-")
	if a := g.fetch("/other", ""); a.Status != http.StatusGatewayTimeout || !strings.Contains(a.Header.Get("Cache-Status"), "weir; fwd=miss") {
		t.Errorf("got %d %v; want 504 and why it went forward", a.Status, a.Header)
	}
}

// TestCacheRescuesFromNobody: an upstream that takes no connection fails too.
func TestCacheRescuesFromNobody(t *testing.T) {
	t.Parallel()
	up, _ := counted(t, func(int, *rawRequest) string {
		return reply200("Cache-Control: max-age=1, stale-if-error=1000\r\nAge: 10\r\nConnection: close\r\n", "kept")
	})
	g := startGateway(t, cacheTo(up, "{}"))
	wantCached(t, g.fetch("/", ""), "kept", "stored")
	up.stop()
	wantCached(t, g.fetch("/", ""), "kept", "hit; ttl=-")
}

// TestCacheRefreshesOnce: however many get a stale answer, one fetch renews it.
func TestCacheRefreshesOnce(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	up, asked := counted(t, func(n int, _ *rawRequest) string {
		if n == 1 {
			return reply200("Cache-Control: max-age=1, stale-while-revalidate=1000\r\nAge: 10\r\n", "old")
		}
		<-release
		return reply200(hour, "new")
	})
	g := startGateway(t, cacheTo(up, "{}"))
	wantCached(t, g.fetch("/", ""), "old", "stored")
	var done sync.WaitGroup
	for range 30 {
		done.Go(func() { wantCached(t, g.fetch("/", ""), "old", "hit; ttl=-") })
	}
	done.Wait()
	close(release)
	g.eventually("the new answer", func() bool { return g.fetch("/", "").Body == "new" })
	if n := asked.Load(); n != 2 {
		t.Errorf("the upstream was asked %d times; want twice", n)
	}
}

// TestCacheValidatesOnce: however many ask for what is stale, one asks whether it
// still holds.
func TestCacheValidatesOnce(t *testing.T) {
	t.Parallel()
	const many = 30
	release := make(chan struct{})
	up, asked := counted(t, func(n int, r *rawRequest) string {
		if r.Header.Get("If-None-Match") == "" {
			return reply200("Cache-Control: max-age=10\r\nAge: 20\r\nETag: \"a\"\r\n", "kept")
		}
		<-release
		return "HTTP/1.1 304 Not Modified\r\n" + hour + "\r\n"
	})
	g := startGateway(t, cacheTo(up, "{}"))
	wantCached(t, g.fetch("/", ""), "kept", "stored")
	var done sync.WaitGroup
	for range many {
		done.Go(func() { wantCached(t, g.fetch("/", ""), "kept", "fwd=stale") })
	}
	g.eventually("those who wait", func() bool { return g.cacheStats().Waiting == many-1 })
	close(release)
	done.Wait()
	if n := asked.Load(); n != 2 {
		t.Errorf("the upstream was asked %d times; want twice", n)
	}
}

// TestCacheSendsContentWhole: in mode aws the content of a request tells nothing
// apart, and gets to the upstream all the same, however large it is.
func TestCacheSendsContentWhole(t *testing.T) {
	t.Parallel()
	up, asked := counted(t, func(n int, r *rawRequest) string {
		return reply200("", fmt.Sprintf("answer %d to %d bytes", n, len(r.Body)))
	})
	g := startGateway(t, cacheTo(up, "{ mode: aws, methods: [ POST ] }"))
	post := func(path, framing, body string) *rawAnswer {
		t.Helper()
		return g.exchange("POST " + path + " HTTP/1.1\r\nHost: a.example\r\n" + framing + "\r\n\r\n" + body)
	}
	wantCached(t, post("/small", "Content-Length: 5", "hello"), "answer 1 to 5 bytes", "stored")
	wantCached(t, post("/small", "Content-Length: 5", "other"), "answer 1 to 5 bytes", "hit")
	wantCached(t, post("/chunked", "Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"), "answer 2 to 5 bytes", "fwd=bypass")
	wantCached(t, post("/large", "Content-Length: 100000", strings.Repeat("x", 100_000)), "answer 3 to 100000 bytes", "fwd=bypass")
	if n := asked.Load(); n != 3 {
		t.Errorf("the upstream was asked %d times; want 3", n)
	}
}

// TestCacheAges: an answer is fresh for as long as it says and no longer.
func TestCacheAges(t *testing.T) {
	t.Parallel()
	up, _ := counted(t, func(n int, _ *rawRequest) string {
		return reply200("Cache-Control: max-age=10\r\nAge: 9\r\n", fmt.Sprint("answer ", n))
	})
	g := startGateway(t, cacheTo(up, "{}"))
	begun := time.Now()
	wantCached(t, g.fetch("/", ""), "answer 1", "stored; ttl=")
	if a := g.fetch("/", ""); time.Since(begun) < time.Second && a.Body != "answer 1" {
		t.Errorf("got %q while it was fresh; want answer 1", a.Body)
	}
	g.eventually("the second answer", func() bool { return g.fetch("/", "").Body == "answer 2" })
	if took := time.Since(begun); took < time.Second {
		t.Errorf("it was fetched anew after %s; want a second at least", took)
	}
}

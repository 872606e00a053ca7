package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// cacheTo returns a document with one route that is cached by settings.
func cacheTo(up *rawUpstream, settings string) string {
	return fmt.Sprintf("apis: { site: { routes: [ { path: $default, upstream: up, cache: %s } ] } }\nupstreams: { up: { targets: [ %q ] } }\n",
		settings, up.url())
}

// reply200 is an answer with field lines, each ended by CRLF, and a text.
func reply200(fields, text string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", fields, len(text), text)
}

// fetch sends a GET with further field lines.
func (g *testGateway) fetch(path, fields string) *rawAnswer {
	g.t.Helper()
	return g.exchange("GET " + path + " HTTP/1.1\r\nHost: a.example\r\n" + fields + "\r\n")
}

// counted answers each request by f and tells how many there were.
func counted(t testing.TB, f func(n int, r *rawRequest) string) (*rawUpstream, *atomic.Int32) {
	var n atomic.Int32
	return startUpstream(t, answerEach(func(r *rawRequest) string { return f(int(n.Add(1)), r) })), &n
}

const hour = "Cache-Control: max-age=3600\r\n"

func wantCached(t *testing.T, a *rawAnswer, body, status string) {
	t.Helper()
	if a.Body != body || !strings.Contains(a.Header.Get("Cache-Status"), status) {
		t.Errorf("got %d %q with Cache-Status %q; want %q with %q", a.Status, a.Body, a.Header.Get("Cache-Status"), body, status)
	}
}

func TestCacheGivesWhatIsFresh(t *testing.T) {
	t.Parallel()
	up, asked := counted(t, func(n int, _ *rawRequest) string {
		return reply200(hour+"ETag: \"v\"\r\nX-A: b\r\n", fmt.Sprintf("answer %d", n))
	})
	g := startGateway(t, cacheTo(up, "{}"))
	wantCached(t, g.fetch("/a", ""), "answer 1", "weir; fwd=miss; fwd-status=200; stored; ttl=3600")
	again := g.fetch("/a", "")
	wantCached(t, again, "answer 1", "weir; hit; ttl=3")
	if again.Header.Get("Age") == "" || again.Header.Get("X-A") != "b" || len(again.Header["Date"]) != 1 {
		t.Errorf("got %v; want Age, X-A and one Date", again.Header)
	}
	wantCached(t, g.fetch("/b", ""), "answer 2", "fwd=miss")
	if a := g.fetch("/a", "If-None-Match: \"v\"\r\n"); a.Status != 304 || a.Body != "" || a.Header.Get("ETag") != `"v"` {
		t.Errorf("got %d %q; want a 304 with its ETag", a.Status, a.Body)
	}
	head := g.exchange("HEAD /a HTTP/1.1\r\nHost: a.example\r\n\r\n")
	if head.Status != 200 || head.Header.Get("Content-Length") != "8" || !strings.Contains(head.Header.Get("Cache-Status"), "hit") {
		t.Errorf("HEAD: got %d %v; want a hit", head.Status, head.Header)
	}
	if part := g.fetch("/a", "Range: bytes=2-4\r\n"); part.Status != 206 || part.Body != "swe" || part.Header.Get("Content-Range") != "bytes 2-4/8" {
		t.Errorf("got %d %q %v; want a part", part.Status, part.Body, part.Header)
	}
	if none := g.fetch("/a", "Range: bytes=9-\r\n"); none.Status != 416 || none.Header.Get("Content-Range") != "bytes */8" {
		t.Errorf("got %d %v; want 416", none.Status, none.Header)
	}
	if parts := g.fetch("/a", "Range: bytes=0-0,-1\r\n"); parts.Status != 206 || !strings.Contains(parts.Body, "bytes 7-7/8") {
		t.Errorf("got %d %q; want two parts", parts.Status, parts.Body)
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("the upstream was asked %d times; want 2", n)
	}
}

func TestCacheValidatesWhatIsStale(t *testing.T) {
	t.Parallel()
	up, asked := counted(t, func(n int, r *rawRequest) string {
		if n > 1 && r.Header.Get("If-None-Match") == `"v"` {
			return "HTTP/1.1 304 Not Modified\r\nETag: \"v\"\r\nX-Turn: " + fmt.Sprint(n) + "\r\nCache-Control: no-cache\r\n\r\n"
		}
		return reply200("Cache-Control: no-cache\r\nETag: \"v\"\r\nX-Turn: 1\r\n", "the answer")
	})
	g := startGateway(t, cacheTo(up, "{}"))
	wantCached(t, g.fetch("/", ""), "the answer", "stored")
	for turn := 2; turn < 4; turn++ {
		a := g.fetch("/", "")
		wantCached(t, a, "the answer", "fwd-status=304")
		if a.Status != 200 || a.Header.Get("X-Turn") != fmt.Sprint(turn) {
			t.Errorf("got %d %v; want a 200 with what the 304 has said", a.Status, a.Header)
		}
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("the upstream was asked %d times; want 3", n)
	}
}

func TestCacheCollapsesAColdBurst(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	up, asked := counted(t, func(int, *rawRequest) string {
		<-release
		return reply200(hour, "once")
	})
	g := startGateway(t, cacheTo(up, "{}"))
	const many = 1000
	var ready, done sync.WaitGroup
	ready.Add(many)
	for range many {
		done.Go(func() {
			c := g.dial()
			defer c.Close()
			c.send("GET /cold HTTP/1.1\r\nHost: a.example\r\n\r\n")
			ready.Done()
			if a := c.answer("GET"); a.Body != "once" {
				t.Errorf("got %d %q; want what was fetched once", a.Status, a.Body)
			}
		})
	}
	ready.Wait()
	up.await("the one request", func(seen string) bool { return strings.Contains(seen, "\r\n\r\n") })
	close(release)
	done.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("the upstream was asked %d times; want once", n)
	}
}

func TestCacheStreamsBehindALeaderThatLeaves(t *testing.T) {
	t.Parallel()
	sent, more := make(chan struct{}), make(chan struct{})
	up := startUpstream(t, func(c *upstreamConn) {
		if c.request() == nil {
			return
		}
		c.reply("HTTP/1.1 200 OK\r\n" + hour + "Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
		close(sent)
		<-more
		c.reply("6\r\nsecond\r\n0\r\n\r\n")
		_ = c.request()
	})
	g := startGateway(t, cacheTo(up, "{}"))
	leader := g.dial()
	leader.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
	within(t, "the first piece", sent)
	follower := g.dial()
	defer follower.Close()
	follower.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
	begin := make([]byte, 4096)
	got := ""
	for !strings.Contains(got, "first") {
		n, err := follower.br.Read(begin)
		if err != nil {
			t.Fatalf("got %v after %q; want the first piece while the rest is to come", err, got)
		}
		got += string(begin[:n])
	}
	_ = leader.Close()
	close(more)
	for !strings.Contains(got, "0\r\n\r\n") {
		n, err := follower.br.Read(begin)
		if err != nil {
			t.Fatalf("got %v after %q; want all of it", err, got)
		}
		got += string(begin[:n])
	}
	if !strings.Contains(got, "second") {
		t.Errorf("got %q; want both pieces", got)
	}
	wantCached(t, g.fetch("/", ""), "firstsecond", "hit")
}

func TestCacheFreesWhoWaits(t *testing.T) {
	t.Parallel()
	f := func(name, first, settings, want string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			waits, release := make(chan struct{}), make(chan struct{})
			up, asked := counted(t, func(n int, _ *rawRequest) string {
				if n == 1 {
					close(waits)
					<-release
					return first
				}
				return reply200("Cache-Control: private\r\n", "own")
			})
			g := startGateway(t, cacheTo(up, settings))
			answers := make(chan *rawAnswer, 2)
			ask := func() { answers <- g.fetch("/", "") }
			go ask()
			within(t, "the leading request", waits)
			go ask()
			if name == "hangs" {
				if a := within(t, "who does not wait on", answers); a.Body != want {
					t.Errorf("got %d %q; want its own", a.Status, a.Body)
				}
				close(release)
				<-answers
				return
			}
			close(release)
			bodies := []string{within(t, "an answer", answers).Body, within(t, "an answer", answers).Body}
			if !strings.Contains(strings.Join(bodies, "|"), want) {
				t.Errorf("got %q from %d requests; want %q among them", bodies, asked.Load(), want)
			}
		})
	}
	f("not for others", reply200("Cache-Control: private\r\n", "leader's"), "{}", "own")
	f("fails", "garbage\r\n\r\n", "{}", "malformed_answer")
	f("hangs", reply200(hour, "late"), "{ collapse: { wait: 50ms } }", "own")
}

func TestCacheNeverKeepsWhatIsCutShort(t *testing.T) {
	t.Parallel()
	turn := 0
	up := startUpstream(t, func(c *upstreamConn) {
		if c.request() == nil {
			return
		}
		if turn++; turn == 1 {
			c.reply("HTTP/1.1 200 OK\r\n" + hour + "Content-Length: 100\r\n\r\nshort")
			return
		}
		c.reply(reply200(hour, "whole"))
	})
	g := startGateway(t, cacheTo(up, "{}"))
	c := g.dial()
	c.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
	if a, err := c.tryAnswer("GET"); err == nil && a.Err == nil && a.Status != 502 {
		t.Errorf("a cut answer looked whole: %d %q %v", a.Status, a.Body, a.Header)
	}
	wantCached(t, g.fetch("/", ""), "whole", "fwd=miss")
}

func TestCacheGivesStaleAnswers(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	refreshed := make(chan struct{}, 8)
	up, _ := counted(t, func(n int, r *rawRequest) string {
		if broken.Load() {
			return "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\ndown"
		}
		refreshed <- struct{}{}
		return reply200("Cache-Control: max-age=0, "+strings.Trim(r.Target, "/")+"=100\r\n", fmt.Sprintf("answer %d", n))
	})
	g := startGateway(t, cacheTo(up, "{}"))
	wantCached(t, g.fetch("/stale-while-revalidate", ""), "answer 1", "stored")
	within(t, "the fetch", refreshed)
	wantCached(t, g.fetch("/stale-while-revalidate", ""), "answer 1", "hit; ttl=")
	within(t, "the fetch in the background", refreshed)
	wantCached(t, g.fetch("/stale-if-error", ""), "answer 3", "stored")
	broken.Store(true)
	wantCached(t, g.fetch("/stale-if-error", ""), "answer 3", "hit")
	if a := g.fetch("/other", ""); a.Status != 503 || a.Body != "down" {
		t.Errorf("got %d %q; want what the upstream has said", a.Status, a.Body)
	}
}

func TestCacheForgetsWhatUnsafeRequestsChange(t *testing.T) {
	t.Parallel()
	up, _ := counted(t, func(n int, r *rawRequest) string {
		if r.Method == http.MethodPost {
			return "HTTP/1.1 201 Created\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"
		}
		return reply200(hour, fmt.Sprintf("answer %d", n))
	})
	g := startGateway(t, cacheTo(up, "{}"))
	g.fetch("/a", "")
	g.fetch("/b", "")
	g.fetch("/c", "")
	if a := g.exchange("POST /a HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi"); a.Status != 201 {
		t.Fatalf("got %d; want 201", a.Status)
	}
	wantCached(t, g.fetch("/a", ""), "answer 5", "fwd=stale")
	wantCached(t, g.fetch("/b", ""), "answer 6", "fwd=stale")
	wantCached(t, g.fetch("/c", ""), "answer 3", "hit")
}

func TestCachePassesLargeAnswersThrough(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 100_000)
	up, asked := counted(t, func(_ int, r *rawRequest) string {
		if r.Target == "/chunked" {
			return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", hour, len(large), large)
		}
		return reply200(hour, large)
	})
	g := startGateway(t, cacheTo(up, "{ maxObject: 10KiB }"))
	for _, path := range []string{"/known", "/chunked"} {
		for range 2 {
			if a := g.fetch(path, ""); a.Body != large || strings.Contains(a.Header.Get("Cache-Status"), "hit") {
				t.Errorf("%s: got %d bytes, Cache-Status %q; want all of them, not from the cache", path, len(a.Body), a.Header.Get("Cache-Status"))
			}
		}
	}
	if n := asked.Load(); n != 4 {
		t.Errorf("the upstream was asked %d times; want 4", n)
	}
}

func TestCacheTakesClientsThatAreSlowOrLeave(t *testing.T) {
	t.Parallel()
	const size = 4 << 20
	up, asked := counted(t, func(int, *rawRequest) string { return reply200(hour, strings.Repeat("y", size)) })
	g := startGateway(t, cacheTo(up, "{}"))
	slow := g.dial()
	defer slow.Close()
	slow.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
	up.await("the request", func(seen string) bool { return seen != "" })
	gone := g.dial()
	gone.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
	_ = gone.Close()
	begun := time.Now()
	if a := g.fetch("/", ""); len(a.Body) != size {
		t.Errorf("got %d bytes; want %d, whoever else reads slowly", len(a.Body), size)
	}
	t.Logf("a fast client took %s", time.Since(begun))
	if n, err := io.CopyN(io.Discard, slow.br, size); n != size {
		t.Errorf("the slow client got %d bytes and %v", n, err)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the upstream was asked %d times; want once", n)
	}
}

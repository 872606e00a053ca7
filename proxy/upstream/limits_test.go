package upstream

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

const short = 60 * time.Millisecond

func TestDialFailures(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	_ = l.Close()
	f := func(url string, want *exchange.Refusal) {
		t.Helper()
		target := target(t, registry(t, nil), url)
		x, call := request("GET", "/"), &Call{Upstream: "pets", Retry: true}
		wantRefusal(t, target, x, call, want)
		if !call.Unsent || x.Upstream != "" || x.Address != "" || x.Dialed || x.Retries != 0 || x.Cause == nil {
			t.Fatalf("%s: got unsent %v and x touched: %+v", url, call.Unsent, x)
		}
		if got := target.Stats(); got.Failed != 1 || got.Busy != 0 || target.InFlight() != 0 {
			t.Fatalf("%s: got %+v", url, got)
		}
	}
	f(closed, exchange.ConnectionRefused)
	f("unix:"+filepath.Join(t.TempDir(), "none"), exchange.Unreachable)
	f("http://name.invalid", exchange.NotResolved)
}

func TestTimeouts(t *testing.T) {
	f := func(play func(p *peer), x *exchange.Exchange, call *Call, want *exchange.Refusal) {
		t.Helper()
		s := listen(t, play)
		target := target(t, registry(t, nil), s.url)
		call.Retry = true
		begun := time.Now()
		wantRefusal(t, target, x, call, want)
		if took := time.Since(begun); took > patience/2 {
			t.Fatalf("%s: got it after %s; want it soon", want.Cause, took)
		}
		if got := target.Stats(); got.Idle+got.Busy != 0 || s.accepted.Load() != 1 {
			t.Fatalf("%s: got %+v after %d connections; want no second try", want.Cause, got, s.accepted.Load())
		}
	}
	silent := func(p *peer) { p.drain() }
	deaf := func(release chan struct{}) func(p *peer) { return func(*peer) { <-release } }
	drip := func(p *peer) {
		p.head()
		for range 1000 {
			if _, err := io.WriteString(p.Conn, "H"); err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	f(silent, request("GET", "/"), &Call{FirstByte: short}, exchange.FirstByteTimeout)
	f(silent, request("GET", "/"), &Call{Total: short}, exchange.TotalTimeout)
	f(silent, withUpload(request("PUT", "/"), 2, strings.NewReader("ab")), &Call{FirstByte: short}, exchange.FirstByteTimeout)
	f(func(p *peer) { p.say("HTTP/1.1 20"); p.drain() }, request("GET", "/"), &Call{FirstByte: short}, exchange.FirstByteTimeout)
	f(func(p *peer) { p.say("HTTP/1.1 200 OK\r\n"); drip(p) }, request("GET", "/"), &Call{FirstByte: short}, exchange.FirstByteTimeout)

	big := strings.Repeat("x", 16<<20)
	for _, x := range []*exchange.Exchange{
		withBody(request("PUT", "/"), big),
		withUpload(request("PUT", "/"), exchange.Chunked, strings.NewReader(big)),
	} {
		release := make(chan struct{})
		f(deaf(release), x, &Call{Idle: short}, exchange.WriteTimeout)
		close(release)
	}
}

func TestContentTimeouts(t *testing.T) {
	f := func(call *Call) {
		t.Helper()
		s := listen(t, once("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"))
		x := request("GET", "/")
		if r := target(t, registry(t, nil), s.url).Send(x, call); r != nil {
			t.Fatalf("got refusal %s", r.Cause)
		}
		if got, err := contentErr(x); got != "half" || !errors.Is(err, wire.ErrTimeout) {
			t.Fatalf("got %q, %v; want half and a timeout", got, err)
		}
	}
	f(&Call{Idle: short})
	f(&Call{Total: 2 * short})
}

func TestMaxConnectionsWaits(t *testing.T) {
	release := make(chan struct{})
	arrived := make(chan struct{}, 10)
	s := listen(t, func(p *peer) {
		for {
			if _, _, err := p.request(); err != nil {
				return
			}
			arrived <- struct{}{}
			<-release
			p.say(hello)
		}
	})
	r := registry(t, func(c *Config) { c.MaxConnections = 1 })
	target := target(t, r, s.url)
	var sent sync.WaitGroup
	for i := range 4 {
		sent.Add(1)
		go func() {
			defer sent.Done()
			x := request("GET", "/")
			if refusal := target.Send(x, &Call{Shard: i}); refusal != nil {
				t.Errorf("got refusal %s; want an answer after waiting", refusal.Cause)
				return
			}
			if got, err := contentErr(x); got != "hello" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		}()
	}
	<-arrived
	eventually(t, "three wait", func() bool { return target.Stats().Waiting == 3 })

	x, call := request("GET", "/"), &Call{Connect: short}
	wantRefusal(t, target, x, call, exchange.PoolExhausted)
	if !call.Unsent || target.Stats().Waiting != 3 {
		t.Fatalf("got unsent %v, %d waiting; want true, 3", call.Unsent, target.Stats().Waiting)
	}
	close(release)
	sent.Wait()
	if got := target.Stats(); got.Idle != 1 || got.Busy != 0 || s.accepted.Load() != 1 {
		t.Fatalf("got %+v over %d connections; want one, unused", got, s.accepted.Load())
	}
}

func TestAWaiterDialsWhenAConnectionDies(t *testing.T) {
	arrived, die := make(chan struct{}, 10), make(chan struct{})
	s := listen(t, func(p *peer) {
		if _, _, err := p.request(); err != nil {
			return
		}
		if p.n == 1 {
			arrived <- struct{}{}
			<-die
			return
		}
		p.say(hello)
		p.drain()
	})
	r := registry(t, func(c *Config) { c.MaxConnections = 1 })
	target := target(t, r, s.url)
	first := make(chan *exchange.Refusal, 1)
	go func() { first <- target.Send(request("POST", "/"), &Call{}) }()
	<-arrived
	second := make(chan *exchange.Refusal, 1)
	x := request("GET", "/")
	go func() { second <- target.Send(x, &Call{}) }()
	eventually(t, "one waits", func() bool { return target.Stats().Waiting == 1 })
	close(die)
	if got := <-first; got != exchange.ConnectionClosed {
		t.Fatalf("got %v; want the first refused", got)
	}
	if got := <-second; got != nil {
		t.Fatalf("got refusal %s (%v); want an answer over a new connection", got.Cause, x.Cause)
	}
	if got := content(t, x); got != "hello" {
		t.Fatalf("got %q", got)
	}
}

func TestManyShareFewConnections(t *testing.T) {
	s := listen(t, answers(hello))
	r := registry(t, func(c *Config) { c.MaxConnections = 3 })
	target := target(t, r, s.url)
	var sent sync.WaitGroup
	for i := range 16 {
		sent.Add(1)
		go func() {
			defer sent.Done()
			for range 100 {
				x := request("GET", "/")
				if refusal := target.Send(x, &Call{Shard: i}); refusal != nil {
					t.Errorf("got refusal %s (%v)", refusal.Cause, x.Cause)
					return
				}
				if got, err := contentErr(x); got != "hello" || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
			}
		}()
	}
	sent.Wait()
	got := target.Stats()
	if s.accepted.Load() > 3 || got.Busy != 0 || got.Waiting != 0 || target.InFlight() != 0 {
		t.Fatalf("got %+v over %d connections; want at most 3, all unused", got, s.accepted.Load())
	}
}

func TestShardsStealBeforeTheyDial(t *testing.T) {
	s := listen(t, answers(hello))
	target := target(t, registry(t, nil), s.url)
	for shard := range 6 {
		wantRound(t, target, request("GET", "/"), &Call{Shard: shard}, 200, "hello")
	}
	if got := s.accepted.Load(); got != 1 {
		t.Fatalf("got %d connections; want 1", got)
	}
}

func TestMaxIdle(t *testing.T) {
	f := func(maxIdle, want int) {
		t.Helper()
		var heads sync.Map
		s := listen(t, func(p *peer) {
			for {
				head, _, err := p.request()
				if err != nil {
					return
				}
				heads.Store(head, true)
				p.say(hello)
			}
		})
		target := target(t, registry(t, func(c *Config) { c.MaxIdle = maxIdle }), s.url)
		var open []*exchange.Exchange
		for shard := range 4 {
			x := request("GET", "/")
			if r := target.Send(x, &Call{Shard: shard}); r != nil {
				t.Fatalf("got refusal %s", r.Cause)
			}
			open = append(open, x)
		}
		for _, x := range open {
			content(t, x)
		}
		if got := target.Stats(); got.Idle != want || got.Busy != 0 {
			t.Fatalf("at most %d: got %+v; want %d unused", maxIdle, got, want)
		}
		heads.Range(func(head, _ any) bool {
			if got := strings.Contains(head.(string), "Connection: close"); got != (maxIdle == 0) {
				t.Fatalf("at most %d: got %q", maxIdle, head)
			}
			return true
		})
	}
	f(0, 0)
	f(1, 1)
	f(3, 3)
	f(100, 4)
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	ended := make(chan struct{}, 1)
	s := listen(t, func(p *peer) {
		answers(hello)(p)
		ended <- struct{}{}
	})
	target := target(t, registry(t, func(c *Config) { c.IdleLifetime = short }), s.url)
	wantRound(t, target, request("GET", "/"), &Call{}, 200, "hello")
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the unused connection was not closed")
	}
	eventually(t, "no connection is left", func() bool { return target.Stats().Idle == 0 && target.Stats().Busy == 0 })
}

func TestRetain(t *testing.T) {
	ended := make(chan int, 4)
	release := make(chan struct{})
	s := listen(t, func(p *peer) {
		for {
			head, _, err := p.request()
			if err != nil {
				ended <- p.n
				return
			}
			if strings.HasPrefix(head, "GET /held") {
				p.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
				<-release
				p.say("hello")
				continue
			}
			p.say(hello)
		}
	})
	r := registry(t, nil)
	old, same := target(t, r, s.url), target(t, r, s.url)
	if old != same {
		t.Fatal("got two targets for one address")
	}
	held := request("GET", "/held")
	if refusal := old.Send(held, &Call{}); refusal != nil {
		t.Fatalf("got refusal %s", refusal.Cause)
	}
	wantRound(t, old, request("GET", "/"), &Call{}, 200, "hello")
	kept := target(t, r, s.url+"/base")
	wantRound(t, kept, request("GET", "/"), &Call{}, 200, "hello")

	r.Retain([]*Target{kept})
	if got := <-ended; got != 2 {
		t.Fatalf("got connection %d closed first; want 2, the unused one", got)
	}
	close(release)
	if got := content(t, held); got != "hello" {
		t.Fatalf("got %q; want the answer under way to come whole", got)
	}
	if got := <-ended; got != 1 {
		t.Fatalf("got connection %d closed; want 1, whose answer has ended", got)
	}
	if got := kept.Stats().Idle; got != 1 {
		t.Fatalf("got %d unused connections of the kept target; want 1", got)
	}
	wantRound(t, old, request("GET", "/"), &Call{}, 200, "hello") // a request of an older document
	if got := old.Stats(); got.Idle+got.Busy != 0 {
		t.Fatalf("got %+v; want nothing kept for a forgotten target", got)
	}
	if again := target(t, r, s.url); again == old {
		t.Fatal("got the forgotten target; want a new one")
	}
}

func TestUnixSocket(t *testing.T) {
	s := listenUnix(t, answers(hello))
	target := target(t, registry(t, nil), s.url)
	for i := range 2 {
		x := request("GET", "/")
		wantRound(t, target, x, &Call{}, 200, "hello")
		if x.Reused != (i > 0) {
			t.Fatalf("got reused %v", x.Reused)
		}
	}
}

func TestAddresses(t *testing.T) {
	r := registry(t, nil)
	f := func(url, host, scheme, address, base, wantHost string) {
		t.Helper()
		got, err := r.Acquire(Address{URL: url, Host: host})
		if err != nil {
			t.Fatalf("%s: got %v", url, err)
		}
		if got.Scheme() != scheme || got.address != address || got.Base() != base || string(got.Host()) != wantHost || got.Name() != url {
			t.Fatalf("%s: got %s %s %s %s", url, got.Scheme(), got.address, got.Base(), got.Host())
		}
	}
	f("http://a.example", "", "http", "a.example:80", "", "a.example")
	f("https://a.example/", "", "https", "a.example:443", "", "a.example")
	f("http://a.example:8080/v1/", "b.example", "http", "a.example:8080", "/v1", "b.example")
	f("http://[::1]:9000/a%2Fb", "", "http", "[::1]:9000", "/a%2Fb", "[::1]:9000")
	f("unix:/run/a.sock", "", "http", "/run/a.sock", "", "localhost")
	f("unix:/run/b.sock:/v1/", "", "http", "/run/b.sock", "/v1", "localhost")
	for _, bad := range []string{"", "a.example:80", "ftp://a", "http://", "http://u@a", "http://a?b", "http://a#b", "unix:", "http://a:b", "://"} {
		if _, err := r.Acquire(Address{URL: bad}); err == nil || !strings.HasPrefix(err.Error(), "cannot use target ") {
			t.Errorf("%q: got %v; want an error that names it", bad, err)
		}
	}
}

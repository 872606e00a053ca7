package h2

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"weir/proxy/exchange"
	"weir/proxy/front"
)

// TestDrain ends a connection while a request is under way and another one
// comes in before the client can know.
func TestDrain(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{}, 2)
	s := serve(t, handle(func(x *exchange.Exchange) {
		entered <- struct{}{}
		<-release
		answer("done")(x)
	}), nil)
	c, idle := s.open(t), s.open(t)
	c.headers(1, true, get("/")...)
	<-entered
	drained := s.Drain()
	ping := c.wantWarning()
	c.headers(3, true, get("/")...)
	<-entered
	c.do(c.fr.WritePing(true, ping))
	if f, ok := c.next().(*http2.GoAwayFrame); !ok || f.LastStreamID != 3 || f.ErrCode != http2.ErrCodeNo {
		t.Fatalf("got %v; want to be told that stream 3 is the last", f)
	}
	c.headers(5, true, get("/")...)
	// A client that waits for nothing is told too, and then left.
	idle.do(idle.fr.WritePing(true, idle.wantWarning()))
	if code, _ := idle.goneWith(); code != http2.ErrCodeNo {
		t.Fatalf("an idle client: got %s", code)
	}
	select {
	case <-drained:
		t.Fatal("drained while requests are under way")
	default:
	}
	close(release)
	got := 0
	for {
		f := c.next()
		if f == nil {
			break
		}
		if d, ok := f.(*http2.DataFrame); ok && d.StreamEnded() {
			got++
		}
	}
	if got != 2 {
		t.Fatalf("got %d answers; want 2", got)
	}
	<-drained
	if s.Open() != 0 {
		t.Fatalf("%d connections are open", s.Open())
	}
}

// wantWarning reads the first GOAWAY and returns the ping behind it.
func (c *client) wantWarning() [8]byte {
	c.tb.Helper()
	f, ok := c.next().(*http2.GoAwayFrame)
	if !ok || f.LastStreamID != 1<<31-1 || f.ErrCode != http2.ErrCodeNo {
		c.tb.Fatalf("got %v; want a warning", f)
	}
	p, ok := c.next().(*http2.PingFrame)
	if !ok {
		c.tb.Fatalf("got %v; want PING", p)
	}
	return p.Data
}

func TestIdleConnectionEnds(t *testing.T) {
	s := serve(t, answer("x"), func(cfg *front.Config, _ *Config) { cfg.IdleTimeout = 50 * time.Millisecond })
	c := s.open(t)
	c.headers(1, true, get("/")...)
	if r := c.await(1); r.status != "200" {
		t.Fatalf("got %s", r)
	}
	if code, _ := c.goneWith(); code != http2.ErrCodeNo {
		t.Fatalf("got %s", code)
	}
}

func TestSlowClientsEnd(t *testing.T) {
	s := serve(t, answer("x"), func(cfg *front.Config, _ *Config) { cfg.HeadTimeout = 50 * time.Millisecond })
	f := func(code http2.ErrCode, send func(c *client)) {
		t.Helper()
		c := s.dial(t)
		send(c)
		if got, reason := c.goneWith(); got != code {
			t.Fatalf("got %s, %s; want %s", got, reason, code)
		}
	}
	f(http2.ErrCodeNo, func(*client) {})
	f(http2.ErrCodeNo, func(c *client) { c.write([]byte("PRI * HTTP")) })
	f(http2.ErrCodeSettingsTimeout, func(c *client) {
		c.write([]byte(http2.ClientPreface))
		c.do(c.fr.WriteSettings())
	})
	f(http2.ErrCodeNo, func(c *client) {
		c.write([]byte(http2.ClientPreface))
		c.do(c.fr.WriteSettings())
		c.do(c.fr.WriteSettingsAck())
		c.write([]byte{0, 0, 9}) // the start of a frame
	})
	f(http2.ErrCodeNo, func(c *client) {
		c.write([]byte(http2.ClientPreface))
		c.do(c.fr.WriteSettings())
		c.do(c.fr.WriteSettingsAck())
		c.do(c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(get("/")...)}))
		// Each piece would be in time.
		for range 30 {
			if c.fr.WriteContinuation(1, false, nil) != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
}

// gone is a Waker that tells.
type gone chan struct{}

func (g gone) Wake() {
	select {
	case g <- struct{}{}:
	default:
	}
}

// TestLeavingIsNoticed has clients give up a request in every way; who waits
// on its behalf must learn of it at once.
func TestLeavingIsNoticed(t *testing.T) {
	entered, left := make(chan struct{}), make(chan error)
	s := serve(t, handle(func(x *exchange.Exchange) {
		g := make(gone, 1)
		x.Front.Notify(g)
		entered <- struct{}{}
		<-g
		if !x.Front.Gone() {
			t.Error("woken, yet not gone")
		}
		x.Front.Notify(nil)
		x.Response.SetStatusCode(200)
		err := x.Front.Send(x)
		if !x.Aborted {
			t.Error("the exchange was not aborted")
		}
		left <- err
	}), nil)
	f := func(leave func(c *client)) {
		t.Helper()
		c := s.open(t)
		c.headers(1, true, get("/")...)
		<-entered
		leave(c)
		if err := <-left; err == nil {
			t.Fatal("the answer was sent")
		}
	}
	f(func(c *client) { c.do(c.fr.WriteRSTStream(1, http2.ErrCodeCancel)) })
	f(func(c *client) { _ = c.nc.Close() })
	f(func(c *client) { c.do(c.fr.WriteData(7, true, nil)) }) // a connection error
}

// TestBodyEndsWithItsClient has a read of a body end when nothing more comes.
func TestBodyEndsWithItsClient(t *testing.T) {
	entered, read := make(chan struct{}), make(chan error)
	s := serve(t, handle(func(x *exchange.Exchange) {
		entered <- struct{}{}
		_, err := x.RequestBody.Read(make([]byte, 10))
		read <- err
		x.Response.SetStatusCode(200)
		_ = x.Front.Send(x)
	}), func(cfg *front.Config, _ *Config) { cfg.BodyTimeout = 50 * time.Millisecond })
	c := s.open(t)
	c.headers(1, false, post("/")...)
	<-entered
	if err := <-read; err == nil {
		t.Fatal("a body that never came was read")
	}
	if r := c.await(1); r.status != "200" {
		t.Fatalf("got %s", r)
	}
	c.headers(3, false, post("/")...)
	<-entered
	c.do(c.fr.WriteRSTStream(3, http2.ErrCodeCancel))
	if err := <-read; err == nil {
		t.Fatal("a body that was given up was read")
	}
}

// TestPriorities lets four answers wait for the window of the connection and
// looks in which order they get it (RFC 9218).
func TestPriorities(t *testing.T) {
	text := make([]byte, 40_000)
	s := serve(t, handle(func(x *exchange.Exchange) {
		x.Response.SetStatusCode(200)
		x.Bytes = text
		_ = x.Front.Send(x)
	}), nil)
	c := s.open(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
	// The first one takes the whole window.
	c.headers(1, true, get("/")...)
	for got := 0; got < 40_000; {
		if d, ok := c.next().(*http2.DataFrame); ok {
			got += len(d.Data())
		}
	}
	c.headers(3, true, get("/", "priority: u=6")...)
	for got := 0; got < 25_535; {
		if d, ok := c.next().(*http2.DataFrame); ok {
			got += len(d.Data())
		}
	}
	c.headers(5, true, get("/", "priority: u=5")...)
	c.headers(7, true, get("/", "priority: u=1")...)
	c.headers(9, true, get("/", "priority: u=1")...)
	for heads := 0; heads < 3; {
		if _, ok := c.next().(*http2.MetaHeadersFrame); ok {
			heads++
		}
	}
	c.do(c.fr.WritePing(false, [8]byte{}))
	for {
		if _, ok := c.next().(*http2.PingFrame); ok {
			break
		}
	}
	c.do(c.fr.WriteWindowUpdate(0, 1<<20))
	var order []uint32
	for len(order) < 4 {
		if d, ok := c.next().(*http2.DataFrame); ok && d.StreamEnded() {
			order = append(order, d.StreamID)
		}
	}
	// Stream 3 needs one turn only, and gets it when it has waited long enough.
	order = slices.DeleteFunc(order, func(id uint32) bool { return id == 3 })
	if !slices.Equal(order, []uint32{7, 9, 5}) {
		t.Fatalf("got the order %v; want 7, 9, 5", order)
	}
}

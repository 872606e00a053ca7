package h2

import (
	"bytes"

	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"weir/proxy/exchange"
	"weir/proxy/frame"
	"weir/proxy/front"
)

// flood sends frames that make appends, again and again, until the server ends
// the connection, and returns how it ended. The answers are read meanwhile.
func (c *client) flood(most int, make func(dst []byte, i int) []byte) (http2.ErrCode, string) {
	c.tb.Helper()
	stop := atomic.Bool{}
	sent := whenDone(func() {
		var b []byte
		for i := 0; i < most && !stop.Load(); {
			b = b[:0]
			for range 100 {
				b = make(b, i)
				i++
			}
			if _, err := c.nc.Write(b); err != nil {
				return
			}
		}
	})
	code, reason := c.goneWith()
	stop.Store(true)
	_ = c.nc.Close()
	<-sent
	return code, reason
}

func whenDone(f func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return done
}

// heap returns the bytes that live on the heap.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// stacks returns the bytes that stacks take.
func stacks() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.StackInuse)
}

const manyFrames = 10_000_000 // more than any client may send before it is stopped

func TestFloodsEnd(t *testing.T) {
	s := serve(t, answer("x"), nil)
	f := func(name string, make func(dst []byte, i int) []byte) {
		t.Helper()
		c := s.open(t)
		before := s.Stats.Calmed.Load()
		if code, reason := c.flood(manyFrames, make); code != http2.ErrCodeEnhanceYourCalm {
			t.Errorf("%s: got %s, %s; want the connection to be ended", name, code, reason)
		}
		if got := s.Stats.Calmed.Load() - before; got != 1 {
			t.Errorf("%s: counted %d times", name, got)
		}
	}
	f("settings", func(dst []byte, _ int) []byte {
		return frame.AppendSettings(dst, frame.Setting{ID: frame.InitialWindow, Value: 1 << 16})
	})
	f("empty settings", func(dst []byte, _ int) []byte { return frame.AppendSettings(dst) })
	f("acknowledgements", func(dst []byte, _ int) []byte { return frame.AppendSettingsAck(dst) })
	f("pings", func(dst []byte, _ int) []byte { return frame.AppendPing(dst, 0, [8]byte{}) })
	f("answers to pings", func(dst []byte, _ int) []byte { return frame.AppendPing(dst, frame.Ack, [8]byte{}) })
	f("windows", func(dst []byte, _ int) []byte { return frame.AppendWindowUpdate(dst, 0, 1) })
	f("priorities", func(dst []byte, _ int) []byte {
		return append(frame.Append(dst, 5, frame.Priority, 0, 3), 0, 0, 0, 0, 0)
	})
	f("priority updates", func(dst []byte, _ int) []byte { return frame.AppendPriorityUpdate(dst, 3, []byte("u=1")) })
	f("unknown frames", func(dst []byte, _ int) []byte { return frame.Append(dst, 0, 0x77, 0, 0) })
	f("going away", func(dst []byte, _ int) []byte { return frame.AppendGoAway(dst, 0, 0, "") })
}

// TestEmptyFramesOnStreams floods with what belongs to a stream.
func TestEmptyFramesOnStreams(t *testing.T) {
	s := serve(t, handle(echo), nil)
	f := func(name string, make func(dst []byte, i int) []byte, prepare func(c *client)) {
		t.Helper()
		c := s.open(t)
		prepare(c)
		if code, reason := c.flood(manyFrames, make); code != http2.ErrCodeEnhanceYourCalm {
			t.Errorf("%s: got %s, %s; want the connection to be ended", name, code, reason)
		}
	}
	open := func(c *client) { c.headers(1, false, post("/")...) }
	f("empty data", func(dst []byte, _ int) []byte { return frame.Append(dst, 0, frame.Data, 0, 1) }, open)
	f("padding", func(dst []byte, _ int) []byte {
		return append(append(frame.Append(dst, 101, frame.Data, frame.Padded, 1), 100), zeros(100)...)
	}, open)
	f("resets of what has ended", func(dst []byte, _ int) []byte { return frame.AppendRSTStream(dst, 1, frame.Cancel) }, open)
	f("windows of a stream", func(dst []byte, _ int) []byte { return frame.AppendWindowUpdate(dst, 1, 1) }, open)
	f("continuations", func(dst []byte, _ int) []byte { return append(frame.Append(dst, 1, frame.Continuation, 0, 1), 0) },
		func(c *client) { c.do(c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1})) })
	f("empty continuations", func(dst []byte, _ int) []byte { return frame.Append(dst, 0, frame.Continuation, 0, 1) },
		func(c *client) { c.do(c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1})) })
	f("large continuations", func(dst []byte, _ int) []byte {
		return append(frame.Append(dst, 16_000, frame.Continuation, 0, 1), zeros(16_000)...)
	}, func(c *client) { c.do(c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1})) })
}

func zeros(n int) []byte { return make([]byte, n) }

// TestRapidReset opens streams and gives them up at once (CVE-2023-44487), or
// makes the server reset them (CVE-2025-8671). However many come, only so many
// run at once, and soon the connection ends.
func TestRapidReset(t *testing.T) {
	f := func(name string, after func(dst []byte, id uint32) []byte) {
		t.Helper()
		// A server of its own: what ran last for the case before may still be ending.
		var running, most, begun atomic.Int64
		s := serve(t, handle(func(x *exchange.Exchange) {
			begun.Add(1)
			if n := running.Add(1); n > most.Load() {
				most.Store(n)
			}
			g := make(gone, 1)
			x.Front.Notify(g)
			<-g
			x.Front.Notify(nil)
			running.Add(-1)
			x.Response.SetStatusCode(200)
			_ = x.Front.Send(x)
		}), func(_ *front.Config, own *Config) { own.MaxStreams = 50 })
		c := s.open(t)
		block := c.fields(get("/")...)
		again := c.fields(get("/")...)
		code, reason := c.flood(manyFrames, func(dst []byte, i int) []byte {
			id := uint32(2*i + 1)
			if i > 0 {
				block = again
			}
			dst = append(frame.Append(dst, len(block), frame.Headers, frame.EndHeaders, id), block...)
			return after(dst, id)
		})
		if code != http2.ErrCodeEnhanceYourCalm {
			t.Errorf("%s: got %s, %s; want the connection to be ended", name, code, reason)
		}
		if most.Load() > 50 || begun.Load() > 300 {
			t.Errorf("%s: %d requests ran at once, %d in all", name, most.Load(), begun.Load())
		}
	}
	f("reset", func(dst []byte, id uint32) []byte { return frame.AppendRSTStream(dst, id, frame.Cancel) })
	f("no increment", func(dst []byte, id uint32) []byte { return frame.AppendWindowUpdate(dst, id, 0) })
	f("overflow", func(dst []byte, id uint32) []byte { return frame.AppendWindowUpdate(dst, id, frame.MaxWindow) })
	f("dependence", func(dst []byte, id uint32) []byte {
		return append(frame.Append(dst, 5, frame.Priority, 0, id), 0, 0, byte(id>>8), byte(id), 0)
	})
	f("never ended", func(dst []byte, _ uint32) []byte { return dst })
}

func TestStreamsAreRefused(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, handle(func(x *exchange.Exchange) {
		<-release
		answer("late")(x)
	}), func(_ *front.Config, own *Config) { own.MaxStreams = 2 })
	c := s.open(t)
	for id := uint32(1); id <= 5; id += 2 {
		c.headers(id, true, get("/")...)
	}
	if r := c.await(5); r.reset != http2.ErrCodeRefusedStream {
		t.Fatalf("got %s", r)
	}
	close(release)
	if r := c.await(1); r.status != "200" && r.status != "" {
		t.Fatalf("got %s", r)
	}
	c.headers(7, true, get("/")...)
	if r := c.await(7); r.String() != "200 late" {
		t.Fatalf("got %s", r)
	}
	if s.Stats.Refused.Load() != 1 {
		t.Fatalf("counted %d", s.Stats.Refused.Load())
	}
}

// TestBombIsRefused has a small block decode to a large head, again and again.
func TestBombIsRefused(t *testing.T) {
	s := serve(t, answer("x"), nil)
	c := s.open(t)
	first := append(c.fields(get("/", "x: "+strings.Repeat("a", 3000))...), bytes.Repeat([]byte{0xbe}, 12_000)...)
	before := heap()
	for id := uint32(1); id < 200; id += 2 {
		c.do(c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: first, EndStream: true, EndHeaders: true}))
		if r := c.await(id); r.status != "431" {
			t.Fatalf("got %s", r)
		}
	}
	if grown := heap() - before; grown > 2<<20 {
		t.Fatalf("the heap has grown by %d bytes", grown)
	}
}

// endless is content that never ends and counts what is taken of it.
type endless struct{ taken atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.taken.Add(int64(len(p)))
	return len(p), nil
}
func (e *endless) Done() bool       { return false }
func (e *endless) Ready() bool      { return true }
func (e *endless) Trailers() []byte { return nil }
func (e *endless) Close() error     { return nil }

// TestTinyWindows has clients take answers byte by byte: no more is fetched for
// them than a buffer each.
func TestTinyWindows(t *testing.T) {
	const streams = 100
	var source endless
	var ended atomic.Int64
	s := serve(t, handle(func(x *exchange.Exchange) {
		x.Response.SetStatusCode(200)
		x.Stream, x.Length = &source, exchange.Chunked
		_ = x.Front.Send(x)
		ended.Add(1)
	}), nil)
	c := s.open(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
	before := heap()
	for i := range uint32(streams) {
		c.headers(2*i+1, true, get("/")...)
	}
	for got := 0; got < streams; {
		if d, ok := c.next().(*http2.DataFrame); ok {
			got += len(d.Data())
		}
	}
	if taken := source.taken.Load(); taken > streams*relaySmall {
		t.Errorf("%d bytes were fetched for windows of one byte", taken)
	}
	if grown := heap() - before; grown > streams*(relaySmall+16<<10) {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	_ = c.nc.Close()
	for deadline := time.Now().Add(10 * time.Second); ended.Load() < streams; {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d streams have ended", ended.Load(), streams)
		}
		runtime.Gosched()
	}
}

// TestSlowReader has a client with open windows read nothing: the connection
// ends when its time is over, and gathers no more than its buffers meanwhile.
func TestSlowReader(t *testing.T) {
	const streams = 50
	var source endless
	ended := make(chan error, streams)
	s := serve(t, handle(func(x *exchange.Exchange) {
		x.Response.SetStatusCode(200)
		x.Stream, x.Length = &source, exchange.Chunked
		ended <- x.Front.Send(x)
	}), func(cfg *front.Config, _ *Config) { cfg.SendTimeout = 300 * time.Millisecond })
	c := s.open(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
	c.do(c.fr.WriteWindowUpdate(0, 1<<30))
	before := heap()
	for i := range uint32(streams) {
		c.headers(2*i+1, true, get("/")...)
	}
	for i := range streams {
		if err := <-ended; err == nil {
			t.Fatal("an endless answer was sent")
		}
		if i == 0 {
			if grown := heap() - before; grown > streams*2*relaySize {
				t.Errorf("the heap has grown by %d bytes", grown)
			}
		}
	}
	if s.Stats.Timeouts.Load() == 0 {
		t.Error("not counted")
	}
}

// TestUnreadAnswers has a client that may send any number of pings read none of
// the answers.
func TestUnreadAnswers(t *testing.T) {
	s := serve(t, answer("x"), func(cfg *front.Config, own *Config) {
		own.FrameBurst = 1 << 30
		cfg.SendTimeout = 300 * time.Millisecond
	})
	c := s.open(t)
	before := heap()
	_ = c.nc.SetDeadline(time.Now().Add(20 * time.Second))
	pings := []byte{}
	for range 1000 {
		pings = frame.AppendPing(pings, 0, [8]byte{})
	}
	for i := 0; ; i++ {
		if _, err := c.nc.Write(pings); err != nil {
			if !isEnd(err) {
				t.Fatalf("the connection was not ended: %v", err)
			}
			break
		}
		if i > 100_000 {
			t.Fatal("a hundred million pings")
		}
	}
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
}

// TestOverruns has a client send more than it may, or open too much.
func TestOverruns(t *testing.T) {
	hold := make(chan struct{})
	defer close(hold)
	s := serve(t, handle(func(x *exchange.Exchange) {
		<-hold
		answer("x")(x)
	}), func(_ *front.Config, own *Config) { own.Window, own.ConnectionWindow = 70_000, 100_000 })
	f := func(want http2.ErrCode, send func(c *client)) {
		t.Helper()
		c := s.open(t)
		send(c)
		if code, reason := c.goneWith(); code != want {
			t.Errorf("got %s, %s; want %s", code, reason, want)
		}
	}
	f(http2.ErrCodeFlowControl, func(c *client) { c.do(c.fr.WriteWindowUpdate(0, 1<<31-1)) })
	f(http2.ErrCodeFlowControl, func(c *client) {
		for id := uint32(1); id <= 3; id += 2 {
			c.headers(id, false, post("/")...)
			for range 4 {
				c.do(c.fr.WriteData(id, false, make([]byte, 16_000)))
			}
		}
	})
	c := s.open(t)
	c.headers(1, false, post("/")...)
	for range 5 {
		c.do(c.fr.WriteData(1, false, make([]byte, 16_000)))
	}
	if r := c.await(1); r.reset != http2.ErrCodeFlowControl {
		t.Errorf("got %s", r)
	}
}

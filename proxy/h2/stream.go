package h2

import (
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"weir/proxy/exchange"
	"weir/proxy/frame"
	"weir/proxy/front"
	"weir/proxy/wire"
)

// stream is one request of a connection and the front end of its exchange. It
// is pooled; the connection finds it by its number until its goroutine ends.
// What is not the goroutine's own is guarded by the connection's lock.
type stream struct {
	x     exchange.Exchange
	c     *conn
	id    uint32
	runFn func() // run; a method value would be allocated for each request

	gone  atomic.Bool // nobody takes an answer any more
	ours  bool        // reset by this side
	ended bool        // the answer is complete
	quiet bool        // no longer one of the busy streams

	connect, versioned bool // an extended CONNECT, with its version
	challenge          front.Challenge
	tunnel             bool
	readBy, writeBy    time.Time // deadlines of a tunnel

	window  frame.Window  // what may be sent
	in      frame.Inbound // what may come
	urgency frame.Urgency
	urged   bool // the client said so
	turn    uint64

	waker exchange.Waker
	body  body
	room  waiter // for room in the connection's buffer, or in the windows
}

func newStream() *stream {
	s := &stream{urgency: frame.DefaultUrgency()}
	s.body.s = s
	s.runFn = s.run
	return s
}

// forget makes s ready for another request.
func (s *stream) forget() {
	s.x.Reset()
	s.body.forget()
	s.c, s.id, s.waker = nil, 0, nil
	s.gone.Store(false)
	s.ours, s.ended, s.quiet, s.connect, s.versioned, s.tunnel, s.urged = false, false, false, false, false, false, false
	s.urgency, s.turn, s.readBy, s.writeBy = frame.DefaultUrgency(), 0, time.Time{}, time.Time{}
}

// run serves the request.
func (s *stream) run() {
	c := s.c
	c.server.handler.Serve(&s.x)
	c.mu.Lock()
	c.finish(s)
	c.mu.Unlock()
	c.server.release(s)
	c.running.Done()
}

// finish takes a stream out of the connection.
func (c *conn) finish(s *stream) {
	if !s.ended && !s.gone.Load() && !c.dead {
		c.reset(s, frame.InternalError) // an answer that was cut short
	}
	s.body.drop()
	c.free(s)
	c.streams.remove(s)
	c.remember(s)
	if c.streams.count == 0 {
		c.idle = wire.Now()
		c.leave()
	}
	c.send()
}

// remember keeps of a stream what late frames are judged by.
func (c *conn) remember(s *stream) {
	b := &s.body
	c.closing(closedStream{
		id: s.id, ours: s.ours, theirs: b.ended || s.gone.Load(), declared: b.declared, received: b.received, window: s.window,
	})
}

// free makes room for another busy stream.
func (c *conn) free(s *stream) {
	if !s.quiet {
		s.quiet = true
		c.busy--
	}
}

// reset ends a stream at once, from this side.
func (c *conn) reset(s *stream, code frame.Code) {
	if s.ours || c.dead {
		return
	}
	s.ours, s.ended = true, true
	c.remember(s)
	c.find(s.id).tell(c, code)
}

// kill wakes whoever waits for the stream or on its behalf: nobody takes its
// answer any more.
func (s *stream) kill() {
	s.gone.Store(true)
	s.body.wait.wake()
	s.room.wake()
	if s.waker != nil {
		s.waker.Wake()
	}
}

// isClosed tells whether the stream has ended for the client, although its
// goroutine may not have. The lock must be held.
func (s *stream) isClosed() bool { return s.gone.Load() || s.ended && (s.body.ended || s.ours) }

// Gone tells whether the client has left or given the stream up.
func (s *stream) Gone() bool { return s.gone.Load() }

// Notify has w.Wake called when the client gives the stream up or leaves.
func (s *stream) Notify(w exchange.Waker) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.waker = w
	if w != nil && s.gone.Load() {
		w.Wake()
	}
}

// StopBody ends a read of the request body that another goroutine is in.
func (s *stream) StopBody() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.body.ended && s.body.at == len(s.body.buf) {
		return
	}
	s.body.drop()
	s.body.wait.wake()
}

// Interim sends a 1xx answer.
func (s *stream) Interim(h *fasthttp.ResponseHeader) error {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.gone.Load() || s.ended {
		return errGone
	}
	c.appendInterim(s, h)
	c.send()
	return nil
}

package upstream

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/frame"
	"weir/proxy/hpack"
	"weir/proxy/wire"
)

const (
	aheadMost   = 16 << 10 // of a body that is there already, which leaves with the head
	movesMost   = 3        // how often a request that nobody acted on is sent again
	missesMost  = 10       // and how often one that was not even sent
	streamTick  = 500 * time.Millisecond
	fieldsSmall = 8 << 10
)

var errCut = errors.New("request was given up")

// stream is one exchange on its way over HTTP/2. Its exchange's goroutine waits
// on wake, its pump on room. As the answer's content it lives until Close,
// after which it serves another exchange.
type stream struct {
	leg
	c    *session
	id   uint32
	wake chan struct{}
	room chan struct{}

	timer   *time.Timer // wakes, at armed
	armed   int64
	thirst  *time.Timer
	writeBy atomic.Int64 // limit of a tunnel's writes, on the clock of wire

	ahead    []byte // start of the body, or all of it
	trailing []byte // trailers of a body that is all ahead
	gathered bool   // x.RequestBytes is ahead
	head     wire.Head
	text     []byte // of a head, as HTTP/1.1 writes it
	replay   replay
	mine     *hpack.Fields

	// The answer's content, of the exchange's goroutine.
	own    []byte // being read
	ownBuf []byte
	total  int64 // bytes that came
	eaten  int   // bytes that were read and not yet given back to the window
	want   int64 // bytes that were announced, or exchange.Chunked
	tail   bool  // nothing comes behind own
	broken error

	// Guarded by c.mu while the stream is open.
	window      frame.Window
	inbound     frame.Inbound
	list        []*hpack.Fields // heads, of which seen were taken
	have, seen  int
	heads       int  // that came
	final       bool // the last of them is no interim one
	in, trailer []byte
	ended       bool // END_STREAM came
	closed      bool // END_STREAM was sent
	halted      bool // nothing more of the request is to be sent
	thirsty     bool // the pump waits for room
	unprocessed bool // the target has not acted on the request
	err         error
}

func newStream() *stream {
	s := &stream{wake: make(chan struct{}, 1), room: make(chan struct{}, 1), mine: &hpack.Fields{}}
	s.timer = time.AfterFunc(time.Hour, s.signal)
	s.timer.Stop()
	return s
}

// signal makes the exchange's goroutine look again. Anybody may call it, also
// for what the stream was used for before.
func (s *stream) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Wake implements exchange.Waker.
func (s *stream) Wake() { s.signal() }

func (s *stream) signalPump() {
	select {
	case s.room <- struct{}{}:
	default:
	}
}

// fail notes why there is no answer, or no more of it; c.mu is held. What came
// whole stays whole.
func (s *stream) fail(err error) {
	if s.err == nil && !s.ended {
		s.err = err
	}
	s.halted = true
	s.signalPump()
}

// nextHead returns where the next head is decoded to; c.mu is held.
func (s *stream) nextHead() *hpack.Fields {
	if s.seen == s.have {
		s.seen, s.have = 0, 0
	}
	if s.have == len(s.list) {
		s.list = append(s.list, &hpack.Fields{})
	}
	return s.list[s.have]
}

// sendHTTP2 is Send over HTTP/2. It falls back to HTTP/1.1 where the target
// speaks nothing else and may.
func (t *Target) sendHTTP2(x *exchange.Exchange, call *Call) *exchange.Refusal {
	s, ok := t.registry.streams.Get().(*stream)
	if !ok {
		s = newStream()
	}
	s.begin(t, x, call)
	at, r := s.run()
	if at.http1 {
		s.free()
		t.inFlight.Add(-1)
		return t.sendHTTP1(x, call, at.plain)
	}
	if r != nil || (x.Stream == nil && x.Tunnel == nil) {
		s.free()
	}
	return r
}

// run sends the request until it is answered or may not be sent again.
func (s *stream) run() (place, *exchange.Refusal) {
	x := s.x
	if r, err := s.gather(); r != nil {
		x.Cause = err
		s.t.inFlight.Add(-1)
		return place{}, r
	}
	for tries, misses := 1, 0; ; tries++ {
		at, r, err := s.t.sessions.take(s.shard, s.connect)
		if at.http1 {
			return at, nil
		}
		if r != nil {
			return place{}, s.giveUp(r, err, true)
		}
		if len(s.call.Upgrade) > 0 && !(s.connects() && at.session.takesConnect()) {
			at.session.quit()
			if s.t.tls != nil {
				return place{http1: true}, nil
			}
			return place{}, s.giveUp(exchange.ProtocolMismatch, errNoConnect, true)
		}
		used := s.enter(at.session)
		r, err = s.attempt()
		if r == nil {
			x.Cause = nil
			return place{}, nil
		}
		moved := s.unprocessed && s.isWhole()
		again := (moved && err != errOnlyH1 && tries <= movesMost) || (tries == 1 && s.mayRepeat(r, used))
		missed := s.id == 0 && misses < missesMost
		s.release(false)
		if missed { // the session ended between being chosen and being used
			tries, misses = tries-1, misses+1
			continue
		}
		if moved && err == errOnlyH1 && s.t.protocol == speaksAny {
			s.t.http1At.Store(wire.Now())
			return place{http1: true}, nil
		}
		if !again {
			return place{}, s.giveUp(r, err, moved)
		}
		x.Retries++
	}
}

func (s *stream) giveUp(r *exchange.Refusal, err error, unsent bool) *exchange.Refusal {
	s.x.Cause, s.call.Unsent = err, unsent
	if s.gathered && unsent {
		// Somebody else may send it, when this stream serves another exchange.
		s.x.RequestBytes, s.gathered = slices.Clone(s.x.RequestBytes), false
	}
	s.t.inFlight.Add(-1)
	return r
}

// gather takes what has come of the body already: it leaves with the head, and
// a body that is all there, as of most gRPC calls, can be sent again.
func (s *stream) gather() (*exchange.Refusal, error) {
	x := s.x
	if x.RequestBytes != nil || x.RequestBody == nil {
		return nil, nil
	}
	if cap(s.ahead) == 0 {
		s.ahead = make([]byte, 0, aheadMost)
	}
	for len(s.ahead) < aheadMost && x.RequestBody.Ready() && !x.RequestBody.Done() {
		n, err := x.RequestBody.Read(s.ahead[len(s.ahead):aheadMost])
		s.ahead = s.ahead[:len(s.ahead)+n]
		if err != nil && !x.RequestBody.Done() {
			return refusalOfBody(err), err
		}
	}
	if !x.RequestBody.Done() {
		return nil, nil
	}
	if x.RequestLength >= 0 && x.RequestLength != int64(len(s.ahead)) {
		return refusalOfBody(errShort), errShort
	}
	x.RequestBytes, s.gathered, s.trailing = s.ahead, true, x.RequestBody.Trailers()
	return nil, nil
}

// enter begins an attempt on c, where there is a right to open a stream.
func (s *stream) enter(c *session) (used bool) {
	s.c, s.id = c, 0
	s.have, s.seen, s.heads = 0, 0, 0
	s.final, s.ended, s.closed, s.halted, s.thirsty, s.unprocessed = false, false, false, false, false, false
	s.in, s.trailer, s.err = s.in[:0], s.trailer[:0], nil
	s.own, s.total, s.eaten, s.tail, s.broken = nil, 0, 0, false, nil
	for len(s.wake) > 0 {
		<-s.wake
	}
	for len(s.room) > 0 {
		<-s.room
	}
	c.mu.Lock()
	used = c.used
	c.used = true
	c.mu.Unlock()
	s.attempting(used)
	return used
}

// attempt sends the request and waits for the final head of its answer.
func (s *stream) attempt() (*exchange.Refusal, error) {
	if s.x.Front != nil {
		s.x.Front.Notify(s)
	}
	if err := s.send(); err != nil {
		return s.refusal(err), err
	}
	if r, err := s.readFinal(); r != nil {
		if s.pump != nil {
			s.cut()
			if !s.pump.finish() {
				r, err = s.blame(r, err)
			}
		}
		return r, err
	}
	return s.receive()
}

// park waits until something is to be looked at. It ends with an error when
// until, 0 for never, has passed, or, if it waits again, when the client has left.
func (s *stream) park(until int64, again bool) error {
	if again && s.x.Front != nil && s.x.Front.Gone() {
		return wire.ErrAbandoned
	}
	now := wire.Now()
	if until != 0 && now >= until {
		return wire.ErrTimeout
	}
	// One timer serves many waits: it is armed when it has fired, and not stopped.
	next := now + int64(streamTick)
	if until != 0 {
		next = min(next, until)
	}
	if s.armed <= now || s.armed > next {
		s.armed = next
		s.timer.Reset(time.Duration(next - now))
	}
	<-s.wake
	return nil
}

// release ends the use of the session. An answer that is not whole, or is not
// wanted to its end, costs the stream.
func (s *stream) release(whole bool) {
	c := s.c
	if !whole {
		s.cut()
	}
	s.finishPump()
	if s.x.Front != nil {
		s.x.Front.Notify(nil)
	}
	s.c = nil
	c.mu.Lock()
	if c.streams[s.id] == s {
		switch {
		case !s.ended:
			c.abandon(s, frame.Cancel)
		case !s.closed:
			c.abandon(s, frame.NoError)
		default:
			delete(c.streams, s.id)
		}
	}
	c.leave()
	c.flush()
	s.t.sessions.wakeOne()
}

// cut implements outlet: the target is told that nobody waits any more.
func (s *stream) cut() {
	c := s.c
	c.mu.Lock()
	if c.streams[s.id] != s || (s.ended && s.closed) {
		c.mu.Unlock()
		return
	}
	c.abandon(s, frame.Cancel)
	s.fail(errCut)
	s.signal()
	c.flush()
}

// stop implements outlet.
func (s *stream) stop() {
	s.c.mu.Lock()
	s.fail(errStopped)
	s.c.mu.Unlock()
	s.signal()
}

// free gives the stream back. It owns no session any more.
func (s *stream) free() {
	r := s.t.registry
	if s.gathered {
		s.x.RequestBytes = nil
	}
	s.leg = leg{}
	s.gathered, s.trailing, s.ahead = false, nil, s.ahead[:0]
	s.in, s.ownBuf, s.text = small(s.in), small(s.ownBuf), small(s.text)
	s.own, s.trailer = nil, small(s.trailer)
	if s.mine.Cap() > fieldsSmall {
		s.mine = &hpack.Fields{}
	}
	if len(s.list) > 1 || (len(s.list) == 1 && s.list[0].Cap() > fieldsSmall) {
		s.list = nil
	}
	r.streams.Put(s)
}

func small(b []byte) []byte {
	if cap(b) > keptBuffer {
		return nil
	}
	return b[:0]
}

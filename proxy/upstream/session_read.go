package upstream

import (
	"bytes"
	"time"

	"weir/proxy/frame"
	"weir/proxy/wire"
)

// Lend implements wire.Lender. A connection with many streams is seldom idle
// for long, so that it keeps its buffer.
func (c *session) Lend() []byte { return c.buf[c.filled:] }

// TakeBack implements wire.Lender.
func (c *session) TakeBack() {}

// read is the goroutine. It ends with the connection.
func (c *session) read() {
	for {
		n, err := c.wire.ReadLent(c)
		if n > 0 {
			c.filled += n
			c.lastRead.Store(wire.Now())
			err = c.take()
		} else if err == wire.ErrTimeout {
			err = c.quiet()
		}
		if err != nil {
			c.mu.Lock()
			c.end(err)
			c.mu.Unlock()
			c.target.sessions.forget(c)
			return
		}
	}
}

// calmPing is how long a target that answers is left alone after a PING while
// nothing else comes: gRPC servers hang up on clients that ping more often than
// every five minutes.
const calmPing = int64(6 * 60e9)

// quiet runs when nothing came for the time of a ping.
func (c *session) quiet() error {
	now := wire.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	ping := int64(c.target.registry.config.Ping)
	switch {
	case c.err != nil:
		return c.err
	case c.pings > 0 && now-c.pingedAt >= ping:
		return errSilent
	case len(c.streams) == 0 || c.pings > 0 || (!c.heard && now-c.pingedAt < calmPing):
		return nil
	}
	c.ping()
	c.flushLater()
	return nil
}

// ping queues a PING; mu is held.
func (c *session) ping() {
	c.pings++
	c.pingedAt, c.heard = wire.Now(), false
	c.out = frame.AppendPing(c.out, 0, [8]byte{'w', 'e', 'i', 'r'})
}

// take handles the frames that are buffered, and keeps the rest.
func (c *session) take() error {
	b := c.buf[:c.filled]
	c.mu.Lock()
	err := c.err
	for err == nil && len(b) >= frame.HeaderLen {
		h := frame.Parse(b)
		if !c.greeted && (h.Type != frame.Settings || h.Flags.Has(frame.Ack)) {
			err = notH2(b)
			break
		}
		if err = badFrame(h); err != nil {
			break
		}
		if len(b) < frame.HeaderLen+h.Length {
			break
		}
		payload := b[frame.HeaderLen : frame.HeaderLen+h.Length]
		b = b[frame.HeaderLen+h.Length:]
		err = c.handle(h, payload)
	}
	if err == nil {
		c.flushLater()
	}
	c.mu.Unlock()
	for i, s := range c.woken {
		s.signal()
		c.woken[i] = nil
	}
	c.woken = c.woken[:0]
	c.filled = copy(c.buf, b)
	return err
}

// notH2 tells another protocol from HTTP/2 that is broken.
func notH2(b []byte) error {
	if bytes.HasPrefix(b, []byte("HTTP/1.")) {
		return errNotH2
	}
	return breachFirst
}

func badFrame(h frame.Header) error {
	switch code := h.Check(frame.MinMaxFrame); {
	case code == frame.NoError || h.OfStream(code):
		return nil
	case code == frame.FrameSizeError:
		return breachFrame
	}
	return breachStream
}

// wake has s woken when mu is free again.
func (c *session) wake(s *stream) {
	if n := len(c.woken); n == 0 || c.woken[n-1] != s {
		c.woken = append(c.woken, s)
	}
}

// reply notes n queued bytes that the target has made weir say.
func (c *session) reply(n int) error {
	if c.owed += n; c.owed > repliesMost {
		return breachDeaf
	}
	return c.chat()
}

// chat counts a frame that carries nothing on.
func (c *session) chat() error {
	if at := c.lastRead.Load(); at-c.chatAt > int64(time.Second) {
		c.chatter, c.chatAt = 0, at // an idle connection may be pinged for days
	}
	if c.chatter++; c.chatter > chatterMost {
		return breachFlood
	}
	return nil
}

// lateFrames is what a target may have sent before it learned that a stream was
// given up, content aside: head, trailers, a window and a reset.
const lateFrames = 4

// abandon closes s although the target may send more on it; mu is held.
func (c *session) abandon(s *stream, code frame.Code) {
	delete(c.streams, s.id)
	c.out = frame.AppendRSTStream(c.out, s.id, code)
	if !s.ended {
		c.late += lateFrames
		c.lateData += s.inbound.Left()
	}
}

// stray counts a frame on a closed stream: those are rare, or late.
func (c *session) stray(h frame.Header) error {
	if h.Type == frame.Data && h.Length > 0 {
		if c.lateData -= h.Length; c.lateData < 0 {
			return breachClosed
		}
		return nil
	}
	if c.late > 0 {
		c.late--
		return nil
	}
	return c.chat()
}

func (c *session) handle(h frame.Header, payload []byte) error {
	if c.blockOf.Stream != 0 && (h.Type != frame.Continuation || h.Stream != c.blockOf.Stream) {
		return breachBlock
	}
	switch h.Type {
	case frame.Data:
		return c.onData(h, payload)
	case frame.Headers:
		return c.onHeaders(h, payload)
	case frame.Continuation:
		return c.onContinuation(h, payload)
	case frame.RSTStream:
		return c.onReset(h, frame.Code(frame.Uint32(payload)))
	case frame.Settings:
		return c.onSettings(h, payload)
	case frame.PushPromise:
		return breachPush
	case frame.Ping:
		return c.onPing(h, payload)
	case frame.GoAway:
		return c.onGoAway(payload)
	case frame.WindowUpdate:
		return c.onWindow(h, frame.Uint32(payload)&frame.MaxStream)
	}
	return c.chat() // priorities, and what weir does not know
}

// find returns the stream of a frame, nil if it is closed.
func (c *session) find(h frame.Header) (*stream, error) {
	if s := c.streams[h.Stream]; s != nil {
		return s, nil
	}
	if h.Stream&1 == 0 || h.Stream >= c.next {
		return nil, breachIdle
	}
	return nil, c.stray(h)
}

func (c *session) onData(h frame.Header, payload []byte) error {
	if !c.inbound.Receive(h.Length) {
		return breachWindow
	}
	if grow := c.inbound.Consume(h.Length); grow > 0 {
		c.out = frame.AppendWindowUpdate(c.out, 0, grow)
	}
	data, code := frame.Unpad(h, payload)
	if code != frame.NoError {
		return breachPadding
	}
	s, err := c.find(h)
	if s == nil {
		return err
	}
	switch {
	case s.ended:
		return breachClosed
	case !s.final:
		c.reset(s, breachEarly)
		return nil
	case !s.inbound.Receive(h.Length):
		c.reset(s, breachWindow)
		return nil
	}
	if pad := h.Length - len(data); pad > 0 {
		c.credit(s, pad)
	}
	if len(data) == 0 && !h.Flags.Has(frame.EndStream) {
		return c.chat()
	}
	c.chatter, c.heard = 0, true
	s.in = append(s.in, data...)
	s.ended = h.Flags.Has(frame.EndStream)
	c.wake(s)
	return nil
}

// credit lets the target send n bytes more on s; mu is held.
func (c *session) credit(s *stream, n int) {
	if grow := s.inbound.Consume(n); grow > 0 && !s.ended && s.err == nil {
		c.out = frame.AppendWindowUpdate(c.out, s.id, grow)
	}
}

// reset ends one stream that broke the rules; mu is held.
func (c *session) reset(s *stream, why *breach) {
	c.abandon(s, why.code)
	s.fail(why)
	c.wake(s)
}

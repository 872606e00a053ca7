package h2

import (
	"weir/proxy/exchange"
	"weir/proxy/frame"
	"weir/proxy/wire"
)

// take looks at n more bytes of the connection. What has to be sent meanwhile
// is sent together, at its end.
func (c *conn) take(n int) *fault {
	w := c.work
	w.end += n
	c.mu.Lock()
	mine := !c.flusher
	c.flusher = true
	c.mu.Unlock()
	c.spawned = 0
	f := c.parse()
	switch {
	case w.start == w.end:
		w.start, w.end = 0, 0
	case len(w.buf)-w.end < len(w.buf)/2:
		w.end = copy(w.buf, w.buf[w.start:w.end])
		w.start = 0
	}
	if f == nil && !c.acked && c.server.cfg.HeadTimeout > 0 && wire.Now()-c.begun > int64(c.server.cfg.HeadTimeout) {
		f = c.overdue()
	}
	if !mine {
		return f
	}
	if c.spawned > 0 {
		c.sock.Yield() // what was begun may be answered already: that leaves in the same write
	}
	c.mu.Lock()
	if len(c.blocked) > 0 && c.filled() >= quantum {
		// A client that is slow to take its answers must not be read slowly too.
		c.flusher = false
		c.blocked[0].room.wake()
	} else {
		c.flush()
	}
	c.mu.Unlock()
	return f
}

// parse takes whole frames from the buffer.
func (c *conn) parse() *fault {
	w := c.work
	if !c.greeted {
		have := w.buf[w.start:w.end]
		n := min(len(have), len(frame.Preface))
		if string(have[:n]) != frame.Preface[:n] {
			return faultPreface
		}
		if n < len(frame.Preface) {
			return nil
		}
	}
	for {
		at := w.start
		if !c.greeted {
			at += len(frame.Preface)
		}
		if w.end-at < frame.HeaderLen {
			return nil
		}
		h := frame.Parse(w.buf[at:])
		if code := h.Check(c.server.own.MaxFrame); code != frame.NoError && !h.OfStream(code) {
			return faultOf(code)
		}
		if !c.greeted && (h.Type != frame.Settings || h.Flags.Has(frame.Ack)) {
			return faultSettings
		}
		if w.end-at-frame.HeaderLen < h.Length {
			return nil
		}
		payload := w.buf[at+frame.HeaderLen:][:h.Length]
		w.start = at + frame.HeaderLen + h.Length
		c.greeted = true
		if f := c.frame(h, payload); f != nil {
			return f
		}
		if c.block.stream == 0 {
			c.waiting = 0
		}
	}
}

// frame acts on one frame.
func (c *conn) frame(h frame.Header, payload []byte) *fault {
	if c.block.stream != 0 && (h.Type != frame.Continuation || h.Stream != c.block.stream) {
		return faultSequence
	}
	switch h.Type {
	case frame.Data:
		return c.data(h, payload)
	case frame.Headers:
		return c.headers(h, payload)
	case frame.Continuation:
		return c.continuation(h, payload)
	case frame.PushPromise:
		return faultPush
	case frame.RSTStream:
		return c.rstStream(h)
	}
	// What remains moves nothing, and a client may not send it without end.
	if !c.frames.spend(wire.Now()) {
		return faultManyFrames
	}
	switch h.Type {
	case frame.Settings:
		return c.settings(h, payload)
	case frame.Ping:
		return c.ping(h, payload)
	case frame.WindowUpdate:
		return c.windowUpdate(h, payload)
	case frame.Priority:
		return c.priority(h, payload)
	case frame.PriorityUpdate:
		return c.priorityUpdate(payload)
	}
	return nil
}

// isIdle tells whether the client has not yet begun a stream.
func (c *conn) isIdle(id uint32) bool { return id > c.last || id&1 == 0 }

// controlMost is how many answers to control frames may wait to be sent.
const controlMost = 2_000

// reply counts an answer to a control frame, which a client that reads nothing
// must not pile up.
func (c *conn) reply() *fault {
	if c.control++; c.control > controlMost {
		return faultUnread
	}
	return nil
}

func (c *conn) settings(h frame.Header, payload []byte) *fault {
	if h.Flags.Has(frame.Ack) {
		if !c.acked {
			c.agree()
		}
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.their.InitialWindow
	switch c.their.Apply(payload) {
	case frame.NoError:
	case frame.FlowControlError:
		return faultWindow
	default:
		return faultValue
	}
	c.enc.SetLimit(int(min(c.their.TableSize, 1<<20)))
	if grow := int64(c.their.InitialWindow) - int64(before); grow != 0 {
		for _, s := range c.streams.slots {
			if s != nil && !s.window.Grow(grow) {
				return faultWindow
			}
		}
		c.wakeNext()
	}
	b := c.room()
	*b = frame.AppendSettingsAck(*b)
	return c.reply()
}

// agree makes the settings hold that the client has acknowledged. Until then it
// may go by the initial ones, where those allow more.
func (c *conn) agree() {
	c.acked = true
	own := &c.server.own
	c.dec.SetLimit(own.TableSize)
	if own.Window >= frame.DefaultWindow {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.streams.slots {
		if s == nil {
			continue
		}
		s.in.Shrink(int32(frame.DefaultWindow - own.Window))
		if grow := s.in.Consume(0); grow > 0 && !s.body.ended {
			// What was read may be much of the smaller window, and no more may come before this.
			b := c.room()
			*b = frame.AppendWindowUpdate(*b, s.id, grow)
		}
	}
}

func (c *conn) ping(h frame.Header, payload []byte) *fault {
	if h.Flags.Has(frame.Ack) {
		if c.parting == warned && [8]byte(payload) == partingPing {
			c.depart()
		}
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.room()
	*b = frame.AppendPing(*b, frame.Ack, [8]byte(payload))
	return c.reply()
}

func (c *conn) windowUpdate(h frame.Header, payload []byte) *fault {
	grow := int64(frame.Uint32(payload) & frame.MaxWindow)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frames.earn(float64(c.earned))
	c.earned = 0
	if h.Stream == 0 {
		if grow == 0 {
			return faultIncrement
		}
		if !c.window.Grow(grow) {
			return faultWindow
		}
		c.wakeNext()
		return nil
	}
	if c.isIdle(h.Stream) {
		return faultStream
	}
	s := c.streams.get(h.Stream)
	switch {
	case s == nil || s.isClosed() || s.ours:
		return c.lateWindow(c.late(h.Stream, s), grow)
	case grow == 0:
		return c.breach(s, frame.ProtocolError)
	case !s.window.Grow(grow):
		return c.breach(s, frame.FlowControlError)
	}
	c.wakeNext()
	return nil
}

// priority takes the old way to tell priorities, which is out of use: only its
// errors are left (RFC 9113 §5.3.2).
func (c *conn) priority(h frame.Header, payload []byte) *fault {
	code := frame.NoError
	switch {
	case len(payload) != 5:
		code = frame.FrameSizeError
	case frame.DependsOn(payload) == h.Stream:
		code = frame.ProtocolError
	default:
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.streams.get(h.Stream); s != nil && !s.isClosed() {
		return c.breach(s, code)
	}
	b := c.room()
	*b = frame.AppendRSTStream(*b, h.Stream, code)
	return c.reply()
}

func (c *conn) priorityUpdate(payload []byte) *fault {
	id := frame.DependsOn(payload)
	if id == 0 {
		return faultStream
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.streams.get(id); s != nil {
		s.urgency, s.urged = frame.ParseUrgency(payload[4:]), true
	}
	return nil
}

func (c *conn) rstStream(h frame.Header) *fault {
	if c.isIdle(h.Stream) {
		return faultStream
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.streams.get(h.Stream)
	if s == nil || s.isClosed() {
		c.lateReset(c.late(h.Stream, s))
		if !c.frames.spend(wire.Now()) {
			return faultManyFrames
		}
		return nil
	}
	c.server.Stats.Reset.Add(1)
	s.kill()
	if !c.resets.spend(wire.Now()) {
		return faultManyResets
	}
	return nil
}

// breach resets a stream because of what the client has sent. That counts like
// a reset by the client: it costs the gateway the same (CVE-2025-8671).
func (c *conn) breach(s *stream, code frame.Code) *fault {
	c.server.Stats.Invalid.Add(1)
	c.reset(s, code)
	s.kill()
	if !c.resets.spend(wire.Now()) {
		return faultManyResets
	}
	return nil
}

// refuse is breach for a stream that was not begun.
func (c *conn) refuse(id uint32, code frame.Code) *fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing(closedStream{id: id, ours: true, declared: exchange.Chunked})
	return c.object(id, code)
}

// data takes content of a request.
func (c *conn) data(h frame.Header, payload []byte) *fault {
	if c.isIdle(h.Stream) {
		return faultStream
	}
	content, code := frame.Unpad(h, payload)
	if code != frame.NoError {
		return faultPadding
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.in.Receive(h.Length) {
		return faultOverrun
	}
	ended := h.Flags.Has(frame.EndStream)
	if len(content) == 0 && !ended && !c.frames.spend(wire.Now()) {
		return faultManyFrames
	}
	s := c.streams.get(h.Stream)
	if s == nil || s.gone.Load() || s.body.ended || s.ours {
		c.credit(nil, h.Length)
		return c.lateData(h.Stream, s, len(content), ended)
	}
	if !s.in.Receive(h.Length) {
		c.credit(nil, h.Length)
		return c.breach(s, frame.FlowControlError)
	}
	c.credit(s, h.Length-len(content))
	if !s.body.take(content, ended) {
		c.credit(nil, len(content))
		return c.breach(s, frame.ProtocolError)
	}
	return nil
}

// credit lets the client send n bytes more, s included unless it is nil.
func (c *conn) credit(s *stream, n int) {
	if n == 0 {
		return
	}
	if s != nil && !s.body.ended {
		if grow := s.in.Consume(n); grow > 0 {
			b := c.room()
			*b = frame.AppendWindowUpdate(*b, s.id, grow)
		}
	}
	if grow := c.in.Consume(n); grow > 0 {
		b := c.room()
		*b = frame.AppendWindowUpdate(*b, 0, grow)
	}
}

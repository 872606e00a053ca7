package upstream

import (
	"bytes"
	"io"
	"time"

	"weir/proxy/frame"
	"weir/proxy/hpack"
	"weir/proxy/wire"
)

var (
	breachFrame     = &breach{frame.FrameSizeError, "upstream sent a frame of a wrong size"}
	breachStream    = &breach{frame.ProtocolError, "upstream sent a frame on a wrong stream"}
	breachIdle      = &breach{frame.ProtocolError, "upstream sent a frame on a stream that nobody opened"}
	breachPush      = &breach{frame.ProtocolError, "upstream pushes although it must not"}
	breachBlock     = &breach{frame.ProtocolError, "upstream sent a frame within a field block"}
	breachPadding   = &breach{frame.ProtocolError, "upstream sent more padding than there is room for"}
	breachFlood     = &breach{frame.EnhanceYourCalm, "upstream sends frames that carry nothing on"}
	breachDeaf      = &breach{frame.EnhanceYourCalm, "upstream does not read what it asks for"}
	breachHead      = &breach{frame.EnhanceYourCalm, "header section of the upstream's answer is too large"}
	breachFields    = &breach{frame.CompressionError, "upstream sent a field block that cannot be decoded"}
	breachWindow    = &breach{frame.FlowControlError, "upstream sent more than it may"}
	breachIncrement = &breach{frame.FlowControlError, "upstream made a window too large"}
	breachZero      = &breach{frame.ProtocolError, "upstream made a window larger by nothing"}
	breachSetting   = &breach{frame.ProtocolError, "upstream sent a setting that is not allowed"}
	breachFirst     = &breach{frame.ProtocolError, "upstream does not begin with its settings"}
	breachClosed    = &breach{frame.StreamClosed, "upstream goes on after the end of a stream"}
	breachEarly     = &breach{frame.ProtocolError, "upstream sent content ahead of the answer's head"}
	breachInterim   = &breach{frame.ProtocolError, "upstream ended a stream with an interim answer"}
	breachHeads     = &breach{frame.ProtocolError, "upstream sent a head behind the answer's head"}
	breachDepends   = &breach{frame.ProtocolError, "upstream made a stream depend on itself"}
	breachTrailer   = &breach{frame.ProtocolError, "upstream sent a malformed trailer section"}
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

func (c *session) onHeaders(h frame.Header, payload []byte) error {
	block, code, depends := frame.Block(h, payload)
	switch {
	case code != frame.NoError:
		return breachPadding
	case depends:
		return breachDepends
	case h.Stream&1 == 0 || h.Stream >= c.next:
		return breachIdle
	case h.Flags.Has(frame.EndHeaders):
		return c.fields(h, block)
	}
	c.blockOf, c.pieces = h, 0
	c.block = append(c.block[:0], block...)
	return nil
}

func (c *session) onContinuation(h frame.Header, payload []byte) error {
	if c.blockOf.Stream == 0 {
		return breachBlock
	}
	// What is dropped could not be decoded, and the tables of both sides would differ.
	if c.pieces++; c.pieces > blockFrames || len(c.block)+len(payload) > c.target.registry.config.HeadLimit {
		return breachHead
	}
	c.block = append(c.block, payload...)
	if !h.Flags.Has(frame.EndHeaders) {
		return nil
	}
	of := c.blockOf
	c.blockOf = frame.Header{}
	err := c.fields(of, c.block)
	if cap(c.block) > keptBuffer {
		c.block = nil
	}
	return err
}

// fields decodes a whole field block: a head, or the trailers.
func (c *session) fields(h frame.Header, block []byte) error {
	s := c.streams[h.Stream]
	into := &c.waste
	if s != nil && !s.final {
		into = s.nextHead()
	}
	into.Reset(c.target.registry.config.HeadLimit)
	if c.dec.Decode(block, into) != nil {
		return breachFields
	}
	if s == nil {
		return c.stray(h)
	}
	c.chatter, c.heard = 0, true
	end := h.Flags.Has(frame.EndStream)
	switch {
	case s.ended:
		return breachClosed
	case into.Over() || into.Len() > maxFields:
		c.reset(s, breachHead)
	case !s.final:
		c.head(s, into, end)
	case !end:
		c.reset(s, breachHeads)
	default:
		s.trailer = appendTrailers(s.trailer[:0], into)
		if s.trailer == nil {
			c.reset(s, breachTrailer)
			return nil
		}
		s.ended = true
		c.wake(s)
	}
	return nil
}

// head takes a head, whose status alone is looked at here.
func (c *session) head(s *stream, fields *hpack.Fields, end bool) {
	interim := fields.Len() > 0 && fields.Token(0) == hpack.Status && isInterim(fields.Value(0))
	switch {
	case interim && end:
		c.reset(s, breachInterim)
		return
	case interim && s.heads > maxInterims:
		s.fail(errInterims)
		c.reset(s, breachHeads)
		return
	}
	s.final, s.ended = !interim, end
	s.have++
	s.heads++
	c.wake(s)
}

func isInterim(status []byte) bool { return len(status) == 3 && status[0] == '1' }

func (c *session) onReset(h frame.Header, code frame.Code) error {
	s, err := c.find(h)
	if s == nil {
		return err
	}
	c.chatter = 0
	delete(c.streams, h.Stream)
	switch {
	case s.ended: // the answer is whole; the rest of the request is not wanted
		s.halted = true
		s.signalPump()
		return nil
	case code == frame.RefusedStream:
		s.unprocessed = true
		s.fail(errRefused)
	case code == frame.HTTP11Required:
		s.unprocessed = true
		s.fail(errOnlyH1)
	default:
		s.fail(resetBy(code))
	}
	c.wake(s)
	return nil
}

func (c *session) onSettings(h frame.Header, payload []byte) error {
	if h.Flags.Has(frame.Ack) {
		return c.chat()
	}
	before, push := c.peer.InitialWindow, c.peer.Push
	if code := c.peer.Apply(payload); code != frame.NoError || c.peer.Push != push {
		return breachSetting
	}
	for _, s := range c.streams {
		if !s.window.Grow(int64(c.peer.InitialWindow) - int64(before)) {
			return breachIncrement
		}
	}
	c.enc.SetLimit(int(min(c.peer.TableSize, hpack.DefaultTableSize)))
	c.limit = int(min(c.peer.MaxStreams, uint32(c.target.registry.config.MaxStreams)))
	c.out = frame.AppendSettingsAck(c.out)
	c.wakePumps()
	if !c.greeted {
		c.greeted = true
		close(c.settled)
	}
	return c.reply(frame.HeaderLen)
}

func (c *session) onPing(h frame.Header, payload []byte) error {
	if !h.Flags.Has(frame.Ack) {
		c.out = frame.AppendPing(c.out, frame.Ack, [8]byte(payload))
		return c.reply(frame.HeaderLen + len(payload))
	}
	c.pings = 0
	for _, waiting := range c.pong {
		close(waiting)
	}
	c.pong = c.pong[:0]
	return c.chat()
}

// onGoAway lets the streams end that the target still works on. The others
// were not acted on (RFC 9113 §6.8, §8.7).
func (c *session) onGoAway(payload []byte) error {
	c.goaway = true
	last := frame.Uint32(payload) & frame.MaxStream
	for id, s := range c.streams {
		if id > last && !s.final {
			delete(c.streams, id)
			s.unprocessed = true
			s.fail(errGoAway)
			c.wake(s)
		}
	}
	if c.open == 0 {
		return errSessionUp
	}
	return c.chat()
}

func (c *session) onWindow(h frame.Header, n uint32) error {
	if err := c.chat(); err != nil {
		return err
	}
	if h.Stream == 0 {
		if n == 0 {
			return breachZero
		}
		if !c.window.Grow(int64(n)) {
			return breachIncrement
		}
		c.wakePumps()
		return nil
	}
	s, err := c.find(h)
	if s == nil {
		return err
	}
	switch {
	case n == 0:
		c.reset(s, breachZero)
	case !s.window.Grow(int64(n)):
		c.reset(s, breachIncrement)
	case s.thirsty:
		s.thirsty = false
		s.signalPump()
	}
	return nil
}

// reset ends one stream that broke the rules; mu is held.
func (c *session) reset(s *stream, why *breach) {
	c.abandon(s, why.code)
	s.fail(why)
	c.wake(s)
}

// resetError is a RST_STREAM of the target.
type resetError struct{ code frame.Code }

func (e *resetError) Error() string { return "upstream reset the stream with " + e.code.String() }

// Is tells that the answer, if it had begun, is not whole.
func (e *resetError) Is(target error) bool { return target == io.ErrUnexpectedEOF }

func resetBy(code frame.Code) error { return &resetError{code} }

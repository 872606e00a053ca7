package upstream

import (
	"weir/proxy/frame"
	"weir/proxy/hpack"
)

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

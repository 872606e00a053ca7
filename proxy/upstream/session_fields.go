package upstream

import (
	"weir/proxy/frame"
	"weir/proxy/hpack"
)

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

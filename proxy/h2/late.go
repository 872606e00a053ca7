package h2

import (
	"weir/proxy/frame"
	"weir/proxy/wire"
)

// What comes for a stream after this side has ended it was under way, and is
// dropped (RFC 9113 §5.1). It must still be what an open stream could have got:
// a client that breaks the rules learns of it, however early its answer was.

// closing remembers a stream that has ended.
func (c *conn) closing(s closedStream) {
	if known := c.find(s.id); known != nil {
		known.theirs = known.theirs || s.theirs
		return
	}
	if old := &c.closed[c.next]; old.left > 0 && !old.told && !old.theirs && !c.dead {
		old.tell(c, frame.NoError) // or what still comes would be an error
	}
	c.closed[c.next] = s
	c.next = (c.next + 1) % len(c.closed)
}

// find returns what is remembered of a stream, nil for nothing.
func (c *conn) find(id uint32) *closedStream {
	for i := range c.closed {
		if c.closed[i].id == id {
			return &c.closed[i]
		}
	}
	return nil
}

// late returns what late frames for a stream are judged by, nil if it is
// forgotten; s is the stream, if somebody still works on it.
func (c *conn) late(id uint32, s *stream) *closedStream {
	if s != nil {
		c.remember(s)
	}
	return c.find(id)
}

// tell resets the stream.
func (s *closedStream) tell(c *conn, code frame.Code) {
	s.told = true
	b := c.room()
	*b = frame.AppendRSTStream(*b, s.id, code)
}

// object resets a stream that is none any more.
func (c *conn) object(id uint32, code frame.Code) *fault {
	if late := c.find(id); late != nil {
		late.tell(c, code)
	} else {
		b := c.room()
		*b = frame.AppendRSTStream(*b, id, code)
	}
	if !c.resets.spend(wire.Now()) {
		return faultManyResets
	}
	return nil
}

// lateData judges n bytes of content for a stream that takes none.
func (c *conn) lateData(id uint32, s *stream, n int, ended bool) *fault {
	if s != nil && !s.isClosed() && !s.ours {
		return c.breach(s, frame.StreamClosed)
	}
	late := c.late(id, s)
	if late == nil || !late.ours || late.theirs {
		c.closing(closedStream{id: id, theirs: true})
		return c.object(id, frame.StreamClosed)
	}
	late.received += int64(n)
	late.theirs = ended
	if late.declared >= 0 && (late.received > late.declared || ended && late.received < late.declared) {
		return c.object(id, frame.ProtocolError)
	}
	if late.left -= n; !ended && !late.told && late.left <= 0 {
		late.tell(c, frame.NoError)
	}
	return nil
}

// lateSection judges a field section for a stream that takes none.
func (c *conn) lateSection(late *closedStream, b block, w *work) *fault {
	if late.theirs {
		return faultClosed
	}
	late.theirs = true
	if b.self || !b.ended || !isTrailers(&w.fields) {
		return c.object(late.id, frame.ProtocolError)
	}
	return nil
}

// lateReset notes that the client has given up a stream, too.
func (c *conn) lateReset(late *closedStream) {
	if late != nil {
		late.theirs = true
	}
}

// lateWindow judges an update of a window that nothing is sent by any more.
func (c *conn) lateWindow(late *closedStream, grow int64) *fault {
	switch {
	case late == nil:
		return nil
	case grow == 0:
		return c.object(late.id, frame.ProtocolError)
	case !late.window.Grow(grow):
		return c.object(late.id, frame.FlowControlError)
	}
	return nil
}

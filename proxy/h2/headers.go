package h2

import (
	"weir/proxy/frame"
	"weir/proxy/hpack"
	"weir/proxy/wire"
)

const (
	// blockFrames is how many frames one field block may come in. Clients that
	// need more than a few would use larger frames.
	blockFrames = 32
	// blockMost is by how much a block may be larger than the fields that it may
	// decode to: beyond it they are not even decoded, to be refused with 431.
	blockMost = 4
)

// headers takes the start of a field block, or all of it.
func (c *conn) headers(h frame.Header, payload []byte) *fault {
	fragment, code, self := frame.Block(h, payload)
	switch {
	case code == frame.FrameSizeError:
		return faultLength
	case code != frame.NoError:
		return faultPadding
	case h.Stream&1 == 0:
		return faultStream
	}
	c.block = block{stream: h.Stream, ended: h.Flags.Has(frame.EndStream), self: self, frames: 1}
	if h.Flags.Has(frame.EndHeaders) {
		return c.section(fragment)
	}
	c.work.block = append(c.work.block[:0], fragment...)
	return nil
}

// continuation takes more of a field block (RFC 9113 §6.10).
func (c *conn) continuation(h frame.Header, payload []byte) *fault {
	w := c.work
	if c.block.stream == 0 {
		return faultStream
	}
	if c.block.frames++; c.block.frames > blockFrames || len(w.block)+len(payload) > blockMost*c.server.cfg.MaxHead {
		return faultLongBlock
	}
	w.block = append(w.block, payload...)
	if !h.Flags.Has(frame.EndHeaders) {
		return nil
	}
	return c.section(w.block)
}

// section takes a whole field section: a request's head or its trailers.
func (c *conn) section(fragment []byte) *fault {
	w, b := c.work, c.block
	c.block = block{}
	w.fields.Reset(c.server.cfg.MaxHead)
	if c.dec.Decode(fragment, &w.fields) != nil {
		return faultFields
	}
	if b.stream > c.last {
		c.last = b.stream
		return c.begin(b)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s, late := c.streams.get(b.stream), c.find(b.stream)
	switch {
	case late != nil && late.ours:
		return c.lateSection(late, b, w)
	case s == nil && late != nil, s != nil && s.isClosed():
		return faultClosed
	case s == nil:
		return faultStream
	case s.body.ended:
		// A fault of the connection, as on a closed stream (§5.1): a client that has the whole answer may be
		// heard before it is noted here that the stream is over.
		return faultClosed
	case b.self, !b.ended, !s.trailers(w):
		return c.breach(s, frame.ProtocolError)
	}
	return nil
}

// begin begins a request.
func (c *conn) begin(b block) *fault {
	if c.parting == departed {
		return nil // the client was told that nobody looks at it
	}
	if b.self {
		c.server.Stats.Invalid.Add(1)
		return c.refuse(b.stream, frame.ProtocolError)
	}
	c.mu.Lock()
	full := c.busy >= c.server.own.MaxStreams
	c.mu.Unlock()
	if full {
		c.server.Stats.Refused.Add(1)
		return c.refuse(b.stream, frame.RefusedStream)
	}
	s := c.server.stream(c, b.stream)
	if code := c.request(s, c.work, b.ended); code != frame.NoError {
		c.server.release(s)
		c.server.Stats.Invalid.Add(1)
		return c.refuse(b.stream, code)
	}
	c.server.Stats.Streams.Add(1)
	c.spawned++
	c.running.Add(1)
	c.mu.Lock()
	s.window = frame.Window(c.their.InitialWindow)
	s.in = frame.NewInbound(int32(c.firstWindow()))
	s.turn = c.turns
	c.streams.put(s)
	c.busy++
	c.mu.Unlock()
	go s.runFn()
	return nil
}

// firstWindow is the window of a request that begins.
func (c *conn) firstWindow() int {
	if c.acked {
		return c.server.own.Window
	}
	return max(c.server.own.Window, frame.DefaultWindow)
}

const trailersMost = 16 << 10

// trailers takes the trailer section of the request; false means that it is
// malformed. Fields that trailers may not carry are dropped (RFC 9110 §6.5.1).
func (s *stream) trailers(w *work) bool {
	b, f := &s.body, &w.fields
	if !b.complete() || f.Over() {
		return false
	}
	if !isTrailers(f) {
		return false
	}
	for i := range f.Len() {
		token := f.Token(i)
		if !wire.TrailerAllowed(f.Name(i)) {
			continue
		}
		name := token.Canonical()
		if token == 0 {
			name = f.Name(i)
		}
		if b.lines = appendLine(b.lines, name, f.Value(i)); len(b.lines) > trailersMost {
			return false
		}
	}
	b.end()
	return true
}

// isTrailers tells whether a section has only fields that HTTP/2 lets trailers have.
func isTrailers(f *hpack.Fields) bool {
	for i := range f.Len() {
		switch token := f.Token(i); {
		case f.Mark(i) != 0, isPseudo(token):
			return false
		case token == hpack.Connection, token == hpack.KeepAlive, token == hpack.ProxyConnection,
			token == hpack.TransferEncoding, token == hpack.Upgrade:
			return false
		}
	}
	return true
}

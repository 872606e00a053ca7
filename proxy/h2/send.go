package h2

import (
	"bytes"
	"errors"
	"strconv"
	"sync"

	"github.com/valyala/fasthttp"

	"weir/proxy/exchange"
	"weir/proxy/frame"
	"weir/proxy/front"
	"weir/proxy/hpack"
	"weir/proxy/wire"
)

// relaySize is the buffer that long answers flow through; where the client takes
// less than that at once, a smaller one does.
const (
	relaySize  = 64 << 10
	relaySmall = quantum
)

// Send sends the answer of x. exchange.ErrUnsent means that its content failed
// before anything was sent, so that another answer can still be given.
func (s *stream) Send(x *exchange.Exchange) error {
	if x.Tunnel != nil {
		return s.sendTunnel(x)
	}
	status := x.Response.StatusCode()
	if s.connect && status < 300 {
		// To the client it would mean that the WebSocket is open.
		if x.Stream != nil {
			_ = x.Stream.Close()
			x.Stream = nil
		}
		return errors.Join(exchange.ErrUnsent, front.ErrNotChanged)
	}
	bare := x.Request.IsHead() || status == fasthttp.StatusNoContent || status == fasthttp.StatusNotModified
	if x.Stream != nil {
		return s.sendStream(x, bare)
	}
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.gone.Load() || c.dead {
		return s.abandoned(x, errGone)
	}
	last := bare || len(x.Bytes) == 0
	c.appendHead(s, x, bare, last)
	if !last {
		if err := c.content(s, x.Bytes, true); err != nil {
			return s.abandoned(x, err)
		}
		x.BytesOut = int64(len(x.Bytes))
	}
	c.answered(s)
	return nil
}

// spillMost is how much of a request may still come behind its answer before
// the client is told that nobody needs it (RFC 9113 §8.1). Some clients wait for
// ever when they are told so while they send: curl 7.88 is one.
const spillMost = 8 << 20

// answered ends the stream from this side. What is under way of the request,
// and a rest of some size, is dropped as it comes.
func (c *conn) answered(s *stream) {
	s.ended = true
	c.free(s)
	if b := &s.body; !b.ended {
		s.ours = true
		c.remember(s)
		if b.declared-b.received <= spillMost && s.in.Size() <= frame.MaxWindow-spillMost {
			c.find(s.id).left = s.in.Left() + spillMost
			o := c.room()
			*o = frame.AppendWindowUpdate(*o, s.id, spillMost)
		}
		b.drop()
	}
	c.sendSoon()
}

// abandoned ends an answer whose client does not take it. The lock must be held.
func (s *stream) abandoned(x *exchange.Exchange, err error) error {
	x.Aborted = true
	if errors.Is(err, wire.ErrTimeout) {
		s.c.server.Stats.Timeouts.Add(1)
		s.c.reset(s, frame.Cancel)
		s.kill()
	}
	return err
}

// taker is content that can be had without copying it.
type taker interface{ Take() []byte }

// sendStream sends the head and the content behind it as it comes.
func (s *stream) sendStream(x *exchange.Exchange, bare bool) error {
	var relay *[]byte
	c := s.c
	defer func() {
		_ = x.Stream.Close()
		x.Stream = nil
		if relay != nil {
			c.server.relay(len(*relay)).Put(relay)
		}
	}()
	headed := bare || !x.Stream.Ready() // the head must not wait for content that may come much later
	if headed {
		if err := s.sendHead(x, bare); err != nil || bare {
			return err
		}
	}
	take, _ := x.Stream.(taker)
	for {
		var p []byte
		if take != nil {
			p = take.Take()
		}
		if len(p) == 0 && !x.Stream.Done() {
			if relay == nil {
				relay = c.server.relay(s.atOnce()).Get().(*[]byte)
			}
			n, err := x.Stream.Read(*relay)
			if err != nil && !x.Stream.Done() {
				return s.broken(x, headed, err)
			}
			p = (*relay)[:n]
		}
		done := x.Stream.Done()
		if err := s.sendContent(x, p, headed, done); err != nil || done {
			return err
		}
		headed = headed || len(p) > 0
	}
}

// atOnce returns how much the client takes now, at most.
func (s *stream) atOnce() int {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return int(min(s.window, s.c.window))
}

// relay returns the pool of buffers for content of which n bytes move at once.
func (s *Server) relay(n int) *sync.Pool {
	if n < relaySize {
		return &s.smallRelays
	}
	return &s.relays
}

// sendHead sends the head alone.
func (s *stream) sendHead(x *exchange.Exchange, bare bool) error {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.gone.Load() || c.dead {
		return s.abandoned(x, errGone)
	}
	c.appendHead(s, x, bare, bare)
	if bare {
		c.answered(s)
		return nil
	}
	c.sendSoon()
	return nil
}

// sendContent sends p, and around it the head and the end where they are due.
func (s *stream) sendContent(x *exchange.Exchange, p []byte, headed, done bool) error {
	if len(p) == 0 && !done {
		return nil
	}
	c := s.c
	var trailers []byte
	if done {
		trailers = x.Stream.Trailers()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.gone.Load() || c.dead {
		return s.abandoned(x, errGone)
	}
	last := done && len(trailers) == 0
	if !headed {
		c.appendHead(s, x, false, last && len(p) == 0)
	}
	if len(p) > 0 || headed && last {
		if err := c.content(s, p, last); err != nil {
			return s.abandoned(x, err)
		}
		x.BytesOut += int64(len(p))
	}
	if !done {
		c.sendSoon()
		return nil
	}
	if len(trailers) > 0 {
		c.appendTrailers(s, trailers)
	}
	c.answered(s)
	return nil
}

// broken ends an answer whose content failed.
func (s *stream) broken(x *exchange.Exchange, sent bool, err error) error {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case errors.Is(err, wire.ErrAbandoned):
		x.Aborted = true
	case !sent:
		return errors.Join(exchange.ErrUnsent, err)
	}
	c.reset(s, frame.InternalError)
	c.send()
	return err
}

// appendHead appends the head of the answer.
func (c *conn) appendHead(s *stream, x *exchange.Exchange, bare, last bool) {
	h := &x.Response
	o := c.room()
	at := len(*o)
	b := c.enc.AppendStatus(c.enc.Begin(append(*o, noHeader...)), h.StatusCode())
	dated := false
	for name, value := range h.All() {
		token := hpack.Lookup(name)
		if isOfConnection(token) || token == hpack.ContentLength {
			continue
		}
		dated = dated || token == hpack.Date
		b = c.enc.Append(b, token, name, value)
	}
	b = c.appendLines(b, x.Lines)
	var scratch [32]byte
	if !dated && len(x.Lines) == 0 {
		b = c.enc.AppendToken(b, hpack.Date, c.server.date.Append(scratch[:0], x.Start))
	}
	if n := lengthOf(x, bare); n >= 0 {
		b = c.enc.AppendToken(b, hpack.ContentLength, strconv.AppendInt(scratch[:0], n, 10))
	}
	*o = c.endSection(b, at, s.id, last)
}

// noHeader keeps the place of a frame's head until its length is known.
var noHeader = make([]byte, frame.HeaderLen)

// isOfConnection tells whether a field belongs to an HTTP/1.1 connection, and so
// may not be sent (RFC 9113 §8.2.2).
func isOfConnection(token hpack.Token) bool {
	switch token {
	case hpack.Connection, hpack.KeepAlive, hpack.ProxyConnection, hpack.TransferEncoding, hpack.Upgrade:
		return true
	}
	return false
}

// lengthOf returns the Content-Length of the answer, below 0 for none. An
// answer without content has that of the GET's (RFC 9110 §8.6).
func lengthOf(x *exchange.Exchange, bare bool) int64 {
	switch {
	case bare && x.Response.StatusCode() == fasthttp.StatusNoContent:
		return -1
	case x.Stream == nil && (!bare || x.Bytes != nil):
		return int64(len(x.Bytes))
	case !bare || x.Request.IsHead() || x.Stream != nil:
		return x.Length
	}
	return -1
}

// endSection makes a frame of the field block at b[at:], or several if the
// client takes no frame as large as that.
func (c *conn) endSection(b []byte, at int, id uint32, last bool) []byte {
	flags := frame.Flags(0)
	if last {
		flags = frame.EndStream
	}
	n := len(b) - at - frame.HeaderLen
	if n <= quantum {
		frame.Put(b[at:], n, frame.Headers, flags|frame.EndHeaders, id)
		return b
	}
	rest := bytes.Clone(b[at+frame.HeaderLen+quantum:])
	b = b[:at+frame.HeaderLen+quantum]
	frame.Put(b[at:], quantum, frame.Headers, flags, id)
	for len(rest) > 0 {
		n, flags = min(len(rest), quantum), 0
		if n == len(rest) {
			flags = frame.EndHeaders
		}
		b = append(frame.Append(b, n, frame.Continuation, flags, id), rest[:n]...)
		rest = rest[n:]
	}
	return b
}

// appendTrailers appends trailer field lines, each ended by CRLF.
func (c *conn) appendTrailers(s *stream, lines []byte) {
	o := c.room()
	at := len(*o)
	b := c.appendLines(c.enc.Begin(append(*o, noHeader...)), lines)
	*o = c.endSection(b, at, s.id, true)
}

// appendLines appends field lines, each ended by CRLF, but those of a connection.
func (c *conn) appendLines(dst, lines []byte) []byte {
	for len(lines) > 0 {
		line, rest, _ := bytes.Cut(lines, crlf)
		lines = rest
		name, value, _ := bytes.Cut(line, colon)
		if token := hpack.Lookup(name); !isOfConnection(token) && token != hpack.ContentLength {
			dst = c.enc.Append(dst, token, name, bytes.TrimSpace(value))
		}
	}
	return dst
}

var (
	crlf  = []byte("\r\n")
	colon = []byte(":")
)

// appendContinue appends 100 Continue.
func (c *conn) appendContinue(s *stream) {
	o := c.room()
	at := len(*o)
	*o = c.endSection(c.enc.AppendStatus(c.enc.Begin(append(*o, noHeader...)), fasthttp.StatusContinue), at, s.id, false)
}

// appendInterim appends a 1xx answer.
func (c *conn) appendInterim(s *stream, h *fasthttp.ResponseHeader) {
	o := c.room()
	at := len(*o)
	b := c.enc.AppendStatus(c.enc.Begin(append(*o, noHeader...)), h.StatusCode())
	for name, value := range h.All() {
		if token := hpack.Lookup(name); !isOfConnection(token) && token != hpack.ContentLength {
			b = c.enc.Append(b, token, name, value)
		}
	}
	*o = c.endSection(b, at, s.id, false)
}

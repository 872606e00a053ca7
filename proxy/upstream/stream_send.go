package upstream

import (
	"bytes"
	"strconv"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/frame"
	"weir/proxy/hpack"
	"weir/proxy/wire"
)

// send queues the head, and a small body with it. A larger or a coming one is
// left to a pump.
func (s *stream) send() error {
	c, x := s.c, s.x
	body, rest := x.RequestBytes, x.RequestBytes == nil && s.length != 0
	c.mu.Lock()
	if err := c.admits(); err != nil {
		s.unprocessed = true
		c.mu.Unlock()
		return err
	}
	s.id = c.next
	c.next += 2
	c.streams[s.id] = s
	s.window = frame.Window(c.peer.InitialWindow)
	s.inbound = frame.NewInbound(int32(s.t.registry.config.Window))
	c.chatter = 0

	fits := !rest && len(body) <= oneWrite && len(body) <= int(min(c.window, s.window))
	fits = fits && len(s.call.Upgrade) == 0
	end := fits && len(body) == 0 && len(s.trailing) == 0
	c.out = s.appendHead(c.out, end)
	if fits && !end {
		c.appendData(s, body, len(s.trailing) == 0)
		if len(s.trailing) > 0 {
			c.out = s.appendTrailers(c.out, s.trailing)
		}
	}
	s.closed = fits
	s.written = 1
	c.flush()
	switch {
	case rest:
		s.startPump(s, s.ahead, x.RequestBody, nil)
	case !fits && len(s.call.Upgrade) == 0:
		s.startPump(s, nil, nil, body)
	}
	return nil
}

// admits tells why no stream can begin; mu is held.
func (c *session) admits() error {
	switch {
	case c.err != nil:
		return c.err
	case c.goaway:
		return errGoAway
	case c.next > frame.MaxStream-2:
		c.goaway = true
		return errGoAway
	}
	return nil
}

// appendData queues DATA frames, for which there is room; mu is held.
func (c *session) appendData(s *stream, b []byte, last bool) {
	s.window.Take(len(b))
	c.window.Take(len(b))
	for {
		n := min(len(b), c.peer.MaxFrame)
		flags := frame.Flags(0)
		if last && n == len(b) {
			flags = frame.EndStream
		}
		c.out = frame.Append(c.out, n, frame.Data, flags, s.id)
		c.out = append(c.out, b[:n]...)
		if b = b[n:]; len(b) == 0 {
			return
		}
	}
}

// appendHead appends the head of the request (RFC 9113 §8.3.1). Fields that
// belong to one connection are not the exchange's to give.
func (s *stream) appendHead(dst []byte, end bool) []byte {
	from, h, enc := len(dst), &s.x.Request, &s.c.enc
	dst = append(dst, make([]byte, frame.HeaderLen)...)
	dst = enc.Begin(dst)
	connects := len(s.call.Upgrade) > 0
	if connects {
		dst = s.appendConnect(dst)
	} else {
		dst = enc.AppendToken(dst, hpack.Method, h.Method())
		dst = enc.AppendToken(dst, hpack.Scheme, []byte(s.t.scheme))
		dst = enc.AppendToken(dst, hpack.Authority, h.Host())
		dst = enc.AppendToken(dst, hpack.Path, h.RequestURI())
	}
	for name, value := range h.All() {
		token := hpack.Lookup(name)
		switch token {
		case hpack.Host, hpack.Connection, hpack.KeepAlive, hpack.ProxyConnection, hpack.Upgrade,
			hpack.TransferEncoding, hpack.ContentLength, hpack.Expect:
		case hpack.SecWebSocketKey: // proves nothing here (RFC 8441 §5)
			if !connects {
				dst = enc.AppendToken(dst, token, value)
			}
		case hpack.TE: // RFC 9113 §8.2.2
			if bytes.EqualFold(value, trailersOption) {
				dst = enc.AppendToken(dst, token, trailersOption)
			}
		case hpack.Trailer:
			if s.length == exchange.Chunked {
				dst = enc.AppendToken(dst, token, value)
			}
		case 0:
			if !is(name, "HTTP2-Settings") {
				dst = enc.AppendField(dst, name, value)
			}
		default:
			dst = enc.AppendToken(dst, token, value)
		}
	}
	if s.length > 0 || (s.length == 0 && expectsLength(h.Method())) {
		var digits [20]byte
		dst = enc.AppendToken(dst, hpack.ContentLength, strconv.AppendInt(digits[:0], s.length, 10))
	}
	return s.frameBlock(dst, from, end)
}

var trailersOption = []byte("trailers")

// appendTrailers appends trailer field lines as the end of the request.
func (s *stream) appendTrailers(dst, lines []byte) []byte {
	from, enc := len(dst), &s.c.enc
	dst = append(dst, make([]byte, frame.HeaderLen)...)
	dst = enc.Begin(dst)
	for len(lines) > 0 {
		end := bytes.IndexByte(lines, '\n')
		if end < 0 {
			break
		}
		line := bytes.TrimSuffix(lines[:end], []byte{'\r'})
		lines = lines[end+1:]
		if colon := bytes.IndexByte(line, ':'); colon > 0 {
			dst = enc.AppendField(dst, line[:colon], bytes.TrimSpace(line[colon+1:]))
		}
	}
	return s.frameBlock(dst, from, true)
}

// frameBlock frames the block behind dst[from:], where room for one frame's
// head was left.
func (s *stream) frameBlock(dst []byte, from int, end bool) []byte {
	flags := frame.Flags(0)
	if end {
		flags = frame.EndStream
	}
	most, n := s.c.peer.MaxFrame, len(dst)-from-frame.HeaderLen
	if n <= most {
		frame.Put(dst[from:], n, frame.Headers, flags|frame.EndHeaders, s.id)
		return dst
	}
	frame.Put(dst[from:], most, frame.Headers, flags, s.id)
	rest := append([]byte(nil), dst[from+frame.HeaderLen+most:]...)
	dst = dst[:from+frame.HeaderLen+most]
	for len(rest) > 0 {
		n, flags := min(len(rest), most), frame.Flags(0)
		if n == len(rest) {
			flags = frame.EndHeaders
		}
		dst = append(frame.Append(dst, n, frame.Continuation, flags, s.id), rest[:n]...)
		rest = rest[n:]
	}
	return dst
}

// sendPart implements outlet.
func (s *stream) sendPart(p *pump, n int, last bool) error {
	var trailers []byte
	if last {
		trailers = p.body.Trailers()
	}
	return s.sendData(p.buf[sizeRoom:sizeRoom+n], last, trailers)
}

// sendRest implements outlet.
func (s *stream) sendRest(b []byte) error { return s.sendData(b, true, s.trailing) }

// sendData sends b as the target has room for it, and the end of the request.
func (s *stream) sendData(b []byte, last bool, trailers []byte) error {
	if len(b) == 0 && !last {
		return nil
	}
	c := s.c
	for {
		c.mu.Lock()
		if s.err != nil || s.halted {
			err := s.err
			c.mu.Unlock()
			if err == nil {
				err = errStopped
			}
			return err
		}
		n := max(min(len(b), int(c.window), int(s.window), outMost-len(c.out)), 0)
		if n == 0 && len(b) > 0 {
			s.thirsty = true
			c.mu.Unlock()
			if err := s.awaitRoom(); err != nil {
				return err
			}
			continue
		}
		whole := last && n == len(b)
		c.chatter = 0
		if n > 0 || (whole && len(trailers) == 0) {
			c.appendData(s, b[:n], whole && len(trailers) == 0)
		}
		if whole && len(trailers) > 0 {
			c.out = s.appendTrailers(c.out, trailers)
		}
		s.closed = whole
		c.flush()
		if b = b[n:]; len(b) == 0 {
			return nil
		}
	}
}

// awaitRoom waits until the target may have made room, within the limits.
func (s *stream) awaitRoom() error {
	limit, by := s.idle, s.by
	if at := s.writeBy.Load(); at != 0 {
		by = at
	}
	if by != 0 {
		left := time.Duration(by - wire.Now())
		if left <= 0 {
			return wire.ErrTimeout
		}
		if limit == 0 || left < limit {
			limit = left
		}
	}
	if limit == 0 {
		<-s.room
		return nil
	}
	if s.thirst == nil {
		s.thirst = time.NewTimer(limit)
	} else {
		s.thirst.Reset(limit)
	}
	defer s.thirst.Stop()
	select {
	case <-s.room:
		return nil
	case <-s.thirst.C:
		return wire.ErrTimeout
	}
}

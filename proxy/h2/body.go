package h2

import (
	"io"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// body is the content of a request as it arrives: what was not read yet waits
// in it, within the stream's window. The connection's lock guards it.
type body struct {
	s        *stream
	buf      []byte // unread from at on
	at       int
	declared int64 // Content-Length, or exchange.Chunked
	received int64
	count    int64
	lines    []byte // of the trailer section
	ended    bool   // all has arrived
	stopped  bool   // nobody reads any more
	expect   bool   // 100 Continue was asked for and not sent
	wait     waiter
}

func (b *body) forget() {
	buf := b.buf[:0]
	if cap(buf) > keptBuffer {
		buf = nil
	}
	*b = body{s: b.s, buf: buf, lines: b.lines[:0], wait: b.wait}
}

// take takes content that has arrived; false means that it is not as long as
// was declared (RFC 9113 §8.1.1).
func (b *body) take(content []byte, ended bool) bool {
	b.received += int64(len(content))
	if b.declared >= 0 && (b.received > b.declared || ended && b.received < b.declared) {
		return false
	}
	if b.stopped {
		b.s.c.credit(b.s, len(content))
	} else if len(content) > 0 {
		if b.at > 0 && len(b.buf)+len(content) > cap(b.buf) {
			b.buf = b.buf[:copy(b.buf, b.buf[b.at:])]
			b.at = 0
		}
		b.buf = append(b.buf, content...)
	}
	if ended {
		b.end()
		return true
	}
	b.wait.wake()
	return true
}

// complete tells whether as much has arrived as was declared.
func (b *body) complete() bool { return b.declared < 0 || b.received == b.declared }

// end notes that all has arrived.
func (b *body) end() {
	b.ended = true
	b.wait.wake()
}

// drop gives up what was not read, and lets the client send that much more.
func (b *body) drop() {
	b.stopped = true
	b.s.c.credit(nil, len(b.buf)-b.at)
	b.buf, b.at = b.buf[:0], 0
}

// Read implements io.Reader within the exchange's MaxBody.
func (b *body) Read(p []byte) (int, error) {
	s := b.s
	c := s.c
	if len(p) == 0 {
		return 0, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.expect {
		b.expect = false
		if !s.ended && !s.gone.Load() {
			c.appendContinue(s)
			c.send()
		}
	}
	for {
		switch {
		case b.at < len(b.buf) && !b.stopped:
			n := copy(p, b.buf[b.at:])
			if b.at += n; b.at == len(b.buf) {
				b.buf, b.at = b.buf[:0], 0
			}
			b.count += int64(n)
			c.credit(s, n)
			c.send()
			if limit := s.x.MaxBody; limit >= 0 && b.count > limit {
				return 0, exchange.ErrBodyTooLarge
			}
			return n, nil
		case s.gone.Load():
			return 0, wire.ErrTruncated
		case b.stopped:
			return 0, wire.ErrInterrupted
		case b.ended:
			return 0, io.EOF
		case !b.wait.wait(&c.mu, c.server.cfg.BodyTimeout):
			return 0, wire.ErrTimeout
		}
	}
}

// Done tells whether the whole body was read.
func (b *body) Done() bool {
	b.s.c.mu.Lock()
	defer b.s.c.mu.Unlock()
	return b.ended && b.at == len(b.buf) && !b.s.gone.Load()
}

// Ready tells whether Read would return without waiting.
func (b *body) Ready() bool {
	b.s.c.mu.Lock()
	defer b.s.c.mu.Unlock()
	return b.ended || b.stopped || b.at < len(b.buf) || b.s.gone.Load()
}

// Count returns how many bytes were read.
func (b *body) Count() int64 { return b.count }

// Trailers returns the trailer field lines, once the body is done.
func (b *body) Trailers() []byte {
	b.s.c.mu.Lock()
	defer b.s.c.mu.Unlock()
	if !b.ended || b.at < len(b.buf) {
		return nil
	}
	return b.lines
}

// Close gives up what was not read.
func (b *body) Close() error {
	b.s.StopBody()
	return nil
}

var _ exchange.Body = (*body)(nil)

package upstream

import (
	"io"

	"weir/proxy/exchange"
)

// Read implements exchange.Body: the answer's content. The target may send more
// as it is read. The stream is over as soon as all of it was read.
func (s *stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	until, again := int64(0), false
	for len(s.own) == 0 {
		if s.Done() {
			s.finish(true)
			return 0, io.EOF
		}
		if err := s.failure(); err != nil {
			return 0, err
		}
		if s.refill() {
			continue
		}
		if until == 0 {
			until = s.until(s.idle)
		}
		if err := s.park(until, again); err != nil {
			return 0, s.fault(err)
		}
		again = true
	}
	n := copy(p, s.own)
	s.own = s.own[n:]
	s.eat(n)
	if s.Done() {
		s.finish(true)
	}
	return n, nil
}

// Take returns content that is there already, without copying it. It is valid
// until the next call.
func (s *stream) Take() []byte {
	if s.c == nil || s.broken != nil || (len(s.own) == 0 && !s.refill()) {
		return nil
	}
	p := s.own
	s.own = nil
	s.eat(len(p))
	return p
}

// refill takes what has come over from the reader; false means that nothing did.
func (s *stream) refill() bool {
	c := s.c
	if c == nil {
		return false
	}
	c.mu.Lock()
	s.ownBuf, s.in = s.in, s.ownBuf[:0]
	s.tail = s.ended
	c.mu.Unlock()
	s.own = s.ownBuf
	s.total += int64(len(s.own))
	if length := s.want; length >= 0 && (s.total > length || (s.tail && s.total < length)) {
		_ = s.fault(breachSum)
		s.own = nil
		return true
	}
	return len(s.own) > 0 || s.tail
}

// eat gives room for n bytes back to the target, in large steps.
func (s *stream) eat(n int) {
	s.eaten += n
	c := s.c
	if c == nil || s.tail || s.eaten < s.t.registry.config.Window/2 {
		return
	}
	c.mu.Lock()
	c.credit(s, s.eaten)
	s.eaten = 0
	c.flush()
}

// failure returns why no more content comes.
func (s *stream) failure() error {
	c := s.c
	if s.broken != nil || c == nil {
		return s.broken
	}
	c.mu.Lock()
	err := s.err
	waiting := len(s.in) > 0
	c.mu.Unlock()
	if err == nil || waiting {
		return nil
	}
	return s.fault(err)
}

// fault ends the stream because its content cannot be had. It returns err, or
// the reason behind it.
func (s *stream) fault(err error) error {
	if s.broken != nil {
		return s.broken
	}
	if s.pump != nil {
		s.cut()
		if !s.pump.finish() {
			if _, cause := s.blame(nil, nil); cause != nil {
				err = cause
			}
		}
	}
	s.x.Cause, s.broken = err, err
	s.finish(false)
	return err
}

// finish frees the session when the content has ended, well or not.
func (s *stream) finish(whole bool) {
	if s.c != nil {
		s.release(whole)
		s.t.inFlight.Add(-1)
	}
}

// Done implements exchange.Body.
func (s *stream) Done() bool {
	if len(s.own) > 0 || s.broken != nil {
		return false
	}
	if !s.tail && s.c != nil {
		s.c.mu.Lock()
		s.tail = s.ended && len(s.in) == 0
		s.c.mu.Unlock()
		if length := s.want; s.tail && length >= 0 && s.total != length {
			_ = s.fault(breachSum)
			return false
		}
	}
	return s.tail
}

// Ready implements exchange.Body.
func (s *stream) Ready() bool {
	if len(s.own) > 0 || s.tail || s.broken != nil || s.c == nil {
		return true
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return len(s.in) > 0 || s.ended || s.err != nil
}

// Trailers implements exchange.Body.
func (s *stream) Trailers() []byte {
	if !s.tail {
		return nil
	}
	return s.trailer
}

// Close implements exchange.Body: unread content costs the stream. It must be
// called once, and the stream not be used after it.
func (s *stream) Close() error {
	if s.t == nil {
		return nil
	}
	s.finish(s.tail && s.broken == nil)
	s.free()
	return nil
}

var _ exchange.Body = (*stream)(nil)

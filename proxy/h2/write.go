package h2

import (
	"errors"
	"time"

	"weir/proxy/frame"
	"weir/proxy/wire"
)

const (
	outStart = 18 << 10 // one full record of TLS, and some
	// outMost is how much content gathers before who has more must wait: what
	// leaves in one send.
	outMost = 64 << 10
	// quantum is how much of one stream stands together at most.
	quantum = frame.MinMaxFrame
)

// out gathers frames.
type out struct{ b []byte }

// room returns what frames are appended to. The lock must be held.
func (c *conn) room() *[]byte {
	if c.out == nil {
		c.out = c.server.outs.Get().(*out)
	}
	return &c.out.b
}

func (c *conn) append(b []byte) {
	o := c.room()
	*o = append(*o, b...)
}

// send has what was appended sent, by who sends already or by the caller. The
// lock must be held; it is given up meanwhile.
func (c *conn) send() {
	if c.flusher || c.out == nil {
		return
	}
	c.flusher = true
	c.flush()
}

// sendSoon is send for the end of an answer: other streams that can run get a
// turn first, so that their answers leave in the same write.
func (c *conn) sendSoon() {
	if c.flusher || c.out == nil {
		return
	}
	c.flusher = true
	c.mu.Unlock()
	wire.GiveWay()
	c.mu.Lock()
	c.flush()
}

// flush writes out until nothing is left, or until somebody else will: who
// waits for room writes out what it appends. The caller has set flusher.
func (c *conn) flush() {
	for c.out != nil {
		if c.writing {
			return // quit was quicker; it writes on
		}
		o := c.out
		c.out, c.control, c.writing = nil, 0, true
		c.mu.Unlock()
		_, err := c.sock.Write(o.b)
		if cap(o.b) <= 2*outMost {
			o.b = o.b[:0]
			c.server.outs.Put(o)
		}
		c.mu.Lock()
		c.writing = false
		if err != nil {
			c.unsendable(err)
			break
		}
		if c.wakeNext() {
			break
		}
	}
	c.flusher = false
	c.ended.wake()
}

// unsendable ends a connection whose client does not take what it is sent.
func (c *conn) unsendable(err error) {
	if c.out != nil {
		c.out.b = c.out.b[:0]
		c.server.outs.Put(c.out)
		c.out = nil
	}
	if errors.Is(err, wire.ErrTimeout) {
		c.server.Stats.Timeouts.Add(1)
		// The kernel would keep what it holds for the client long after a mere close.
		_ = c.sock.Abort()
	} else {
		_ = c.sock.Close()
	}
	c.die()
}

// mayAppend returns how many of n bytes of content s may append now. Streams of
// more urgency go first, and among equals those that had their turn longer ago.
func (c *conn) mayAppend(s *stream, n int) int {
	n = min(n, quantum, int(s.window), int(c.window), outMost-c.filled())
	if n <= 0 || c.woken != nil && c.woken != s || c.best(s) != s {
		return 0
	}
	return n
}

func (c *conn) filled() int {
	if c.out == nil {
		return 0
	}
	return len(c.out.b)
}

// fairly is how often the stream that has waited longest goes first, whatever
// its urgency, so that none starves.
const fairly = 8

// best returns which of the streams that wait, and s, is next; s may be nil.
func (c *conn) best(s *stream) *stream {
	fair := c.turns%fairly == fairly-1
	for _, other := range c.blocked {
		if other.window > 0 && !other.gone.Load() && (s == nil || other.before(s, fair)) {
			s = other
		}
	}
	return s
}

// before tells whether s goes before other (RFC 9218 §10). Answers that are of
// use only when they are whole go one after the other, where the client has said so.
func (s *stream) before(other *stream, fair bool) bool {
	if fair || s.urgency.Level == other.urgency.Level {
		if !fair && s.urged && other.urged && !s.urgency.Incremental && !other.urgency.Incremental {
			return s.id < other.id
		}
		return s.turn < other.turn
	}
	return s.urgency.Level < other.urgency.Level
}

// wakeNext gives the next turn to a stream that waits, if it can use it, and
// tells whether there is one that has it.
func (c *conn) wakeNext() bool {
	if c.woken != nil {
		return true
	}
	if len(c.blocked) == 0 || c.window <= 0 || c.filled() >= outMost {
		return false
	}
	s := c.best(nil)
	if s == nil {
		return false
	}
	c.woken = s
	s.room.wake()
	return true
}

// wait waits until s may append, or until it cannot any more. The lock must be
// held; it is given up meanwhile.
func (c *conn) wait(s *stream) (err error) {
	c.blocked = append(c.blocked, s) // first, so that who writes knows that it waits
	c.send()
	c.wakeNext()
	for c.woken != s && !s.gone.Load() {
		d := s.patience()
		if d < 0 || !s.room.wait(&c.mu, d) && c.woken != s && !s.tunnel {
			err = wire.ErrTimeout
			break
		}
		c.send() // the reader may have left that to whoever waits
	}
	for i, other := range c.blocked {
		if other == s {
			last := len(c.blocked) - 1
			c.blocked[i], c.blocked[last] = c.blocked[last], nil
			c.blocked = c.blocked[:last]
			break
		}
	}
	if c.woken == s {
		c.woken = nil
		if s.gone.Load() {
			c.wakeNext()
			c.send()
		}
	}
	return err
}

// patience is how long the client may take nothing: in a tunnel, until when its
// end says; below 0 that has passed.
func (s *stream) patience() time.Duration {
	if s.tunnel {
		return untilOf(s.writeBy)
	}
	return s.c.server.cfg.SendTimeout
}

var errGone = errors.New("the client has given the stream up")

// framesEarned is how many frames without content a client may send for each
// frame of content that it gets: windows have to be kept open.
const framesEarned = 4

// content appends p to the stream, and its end if it is the last; it waits for
// the windows and for room. The lock must be held; it is given up meanwhile.
func (c *conn) content(s *stream, p []byte, last bool) error {
	for {
		if s.gone.Load() || c.dead {
			return errGone
		}
		n := 0
		if len(p) > 0 {
			if n = c.mayAppend(s, len(p)); n == 0 {
				if err := c.wait(s); err != nil {
					return err
				}
				continue
			}
		}
		flags := frame.Flags(0)
		if last && n == len(p) {
			flags = frame.EndStream
		}
		b := c.room()
		*b = append(frame.Append(*b, n, frame.Data, flags, s.id), p[:n]...)
		p = p[n:]
		s.window.Take(n)
		c.window.Take(n)
		c.turns++
		s.turn = c.turns
		c.earned += framesEarned
		if len(p) == 0 {
			return nil
		}
		c.wakeNext()
	}
}

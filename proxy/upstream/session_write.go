package upstream

import (
	"time"

	"weir/proxy/wire"
)

// farewellTime bounds the last words to a target that may not be listening.
const farewellTime = time.Second

// flush sends what is queued, and what is queued meanwhile, unless somebody
// else does so already. It does not wait: another goroutine does, when the
// target takes nothing now. mu is held, and released.
func (c *session) flush() {
	if c.flushing || len(c.out) == 0 {
		c.mu.Unlock()
		return
	}
	c.flushing = true
	if c.open > 1 {
		// Others that can run now queue theirs first: 5 to 10 % of a request's
		// CPU with 64 at once, half of it in BenchmarkSendParallel.
		c.mu.Unlock()
		c.wire.Yield()
		c.mu.Lock()
	}
	for range flushRounds {
		if len(c.out) == 0 || len(c.out) > wire.SomeMost || c.err != nil {
			break
		}
		out := c.swap()
		c.mu.Unlock()
		rest, err := c.wire.WriteSome(out, &c.spill)
		c.mu.Lock()
		c.written(out, err)
		if len(rest) > 0 {
			c.mu.Unlock()
			go c.drain(rest)
			return
		}
	}
	if len(c.out) > 0 || c.err != nil {
		c.mu.Unlock()
		go c.drain(nil)
		return
	}
	c.flushing = false
	c.mu.Unlock()
}

// flushRounds is how often an exchange's goroutine writes for others before it
// goes on with what is its own.
const flushRounds = 4

// flushLater leaves it to another goroutine. mu is held.
func (c *session) flushLater() {
	if !c.flushing && len(c.out) > 0 {
		c.flushing = true
		go c.drain(nil)
	}
}

// drain is a goroutine that writes rest, which a flush has left, and all that
// is queued, and waits for the target to take it.
func (c *session) drain(rest []byte) {
	var err error
	if len(rest) > 0 {
		err = c.wire.WriteRest(rest)
	}
	c.mu.Lock()
	if err != nil {
		c.end(err)
	}
	for len(c.out) > 0 && c.err == nil {
		out := c.swap()
		c.mu.Unlock()
		_, err = c.wire.Write(out)
		c.mu.Lock()
		c.written(out, err)
	}
	if c.err != nil {
		c.mu.Unlock()
		c.farewell()
		return
	}
	c.flushing = false
	c.mu.Unlock()
}

// swap takes what is queued to be written; mu is held.
func (c *session) swap() []byte {
	out := c.out
	c.out, c.spare, c.owed = c.spare[:0], nil, 0
	return out
}

// written takes back the buffer of what was written; mu is held.
func (c *session) written(out []byte, err error) {
	if cap(out) <= outMost {
		c.spare = out
	}
	if err != nil {
		c.end(err)
	}
	if len(out) > keptBuffer {
		c.wakePumps()
	}
}

// farewell sends what is queued and closes the connection. Nobody else writes.
func (c *session) farewell() {
	c.mu.Lock()
	out := c.out
	c.out = nil
	c.mu.Unlock()
	c.wire.WriteLimits(wire.Now()+int64(farewellTime), 0)
	if len(out) > 0 {
		_, _ = c.wire.Write(out)
	}
	c.wire.End()
}

// wakePumps lets those look again who wait for room; mu is held.
func (c *session) wakePumps() {
	for _, s := range c.streams {
		if s.thirsty {
			s.thirsty = false
			s.signalPump()
		}
	}
}

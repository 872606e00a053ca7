package upstream

import (
	"time"

	"weir/proxy/wire"
)

// farewellTime bounds the last words to a target that may not be listening.
const farewellTime = time.Second

// flush sends what is queued, and what is queued meanwhile, unless somebody
// else does so already. mu is held, and released.
func (c *session) flush() {
	if c.flushing || len(c.out) == 0 {
		c.mu.Unlock()
		return
	}
	c.flushing = true
	c.drain()
}

// flushLater leaves it to another goroutine: the reader must never wait for a
// target that does not read. mu is held.
func (c *session) flushLater() {
	if !c.flushing && len(c.out) > 0 {
		c.flushing = true
		go func() {
			c.mu.Lock()
			c.drain()
		}()
	}
}

// drain writes until nothing is queued. mu is held, and released.
func (c *session) drain() {
	for len(c.out) > 0 && c.err == nil {
		out := c.out
		c.out, c.spare, c.owed = c.spare[:0], nil, 0
		c.mu.Unlock()
		_, err := c.wire.Write(out)
		c.mu.Lock()
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
	if c.err != nil {
		c.mu.Unlock()
		c.farewell()
		return
	}
	c.flushing = false
	c.mu.Unlock()
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

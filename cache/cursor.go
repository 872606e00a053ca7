package cache

import (
	"io"
	"math"
	"slices"
	"sync/atomic"
)

// Cursor reads a body, or a part of it, from one goroutine. The zero value reads
// nothing; Begin makes it ready. It must not be copied while it is in use.
type Cursor struct {
	body    *Body
	piece   *piece // that at was in last, nil before
	at, end int64  // places in the body

	waker  Waker // nil while it does not watch; this and what follows guarded by body.mu
	before *Cursor
	behind *Cursor
	round  uint32

	flows bool         // it stands among those of Body.flow
	taken atomic.Int64 // at, for the writer of a body that flows

	stopped atomic.Bool
	signal  signal
}

// Waker is told that something is to be looked at again. Wake must not wait, and
// may be called by any goroutine.
type Waker interface{ Wake() }

// signal wakes one goroutine that waits on it.
type signal chan struct{}

// Wake implements Waker.
func (s signal) Wake() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// Begin readies c to read n bytes of b from offset on, -1 for all that come.
func (c *Cursor) Begin(b *Body, offset, n int64) {
	c.Close()
	c.body, c.at, c.end = b, max(offset, 0), math.MaxInt64
	if n >= 0 && n < c.end-c.at {
		c.end = c.at + n
	}
	if c.taken.Store(c.at); b.told < 0 && c.at == 0 {
		b.flow.enter(b, c)
	}
}

// Close gives up the body. The cursor can begin anew.
func (c *Cursor) Close() {
	if c.body == nil {
		return
	}
	c.Unwatch(c.waker)
	if c.flows {
		c.body.flow.leave(c.body, c)
	}
	c.body, c.piece, c.at, c.end = nil, nil, 0, 0
	c.stopped.Store(false)
	select {
	case <-c.signal:
	default:
	}
}

// Take returns what is there behind the cursor, without copying it, and moves
// the cursor behind it; nil when nothing is there yet, or all was taken.
func (c *Cursor) Take() []byte {
	content := c.peek()
	c.advance(len(content))
	return content
}

// Copy is Take into p.
func (c *Cursor) Copy(p []byte) int {
	n := copy(p, c.peek())
	c.advance(n)
	return n
}

func (c *Cursor) advance(n int) {
	c.at += int64(n)
	if c.flows && n > 0 {
		c.taken.Store(c.at)
		c.body.flow.wake()
	}
}

// peek returns what Take does, and leaves the cursor where it is.
func (c *Cursor) peek() []byte {
	if c.body == nil {
		return nil
	}
	until := min(c.body.size.Load(), c.end)
	if c.at >= until {
		return nil
	}
	p := c.piece
	if p == nil || c.at >= p.stop() {
		// The begin may have been put together with what follows since.
		if first := c.body.first.Load(); p == nil || c.at >= first.start && c.at < first.stop() {
			if p = first; c.at < p.start {
				return nil // see Err
			}
		}
		for c.at >= p.stop() {
			p = p.next.Load()
		}
		c.piece = p
	}
	return slices.Clip(p.bytes[c.at-p.start : min(until, p.stop())-p.start])
}

// Read waits for content and copies it. It returns io.EOF behind all of it, why
// there is no more where the body broke off, and ErrStopped after Stop. It
// watches by itself while it waits: not to be mixed with Watch.
func (c *Cursor) Read(p []byte) (int, error) {
	if n, err := c.look(p); n > 0 || err != nil || len(p) == 0 {
		return n, err
	}
	if c.signal == nil {
		c.signal = make(signal, 1)
	}
	c.Watch(c.signal)
	defer c.Unwatch(c.signal)
	for {
		if n, err := c.look(p); n > 0 || err != nil {
			return n, err
		}
		<-c.signal
	}
}

// look is Read without waiting: 0 and nil where there is nothing yet.
func (c *Cursor) look(p []byte) (int, error) {
	switch n := c.Copy(p); {
	case n > 0:
		return n, nil
	case c.Done():
		return 0, io.EOF
	case c.stopped.Load():
		return 0, ErrStopped
	}
	return 0, c.Err()
}

// Stop ends the Read that another goroutine is in, and those to come until Close.
func (c *Cursor) Stop() {
	c.stopped.Store(true)
	if c.body == nil {
		return
	}
	c.body.mu.Lock()
	w := c.waker
	c.body.mu.Unlock()
	if w != nil {
		w.Wake()
	}
}

// Done tells whether all was taken and is known to be all.
func (c *Cursor) Done() bool {
	if c.body == nil || c.at == c.end {
		return true
	}
	e := c.body.end.Load()
	return e != nil && e.err == nil && c.at >= c.body.size.Load()
}

// Err returns why there will be no more, nil as long as there may be, and after
// all that was asked for.
func (c *Cursor) Err() error {
	if c.body == nil || c.at == c.end {
		return nil
	}
	if first := c.body.first.Load(); c.piece == nil && first != nil && c.at < first.start {
		return ErrFlown
	}
	if e := c.body.end.Load(); e != nil && c.at >= c.body.size.Load() {
		return e.err
	}
	return nil
}

// Ready tells whether Read would return without waiting.
func (c *Cursor) Ready() bool {
	return len(c.peek()) > 0 || c.Done() || c.Err() != nil
}

// Trailers returns the trailer field lines behind the whole content, each ended
// by CRLF, once all was taken: nil for a part. They belong to the body.
func (c *Cursor) Trailers() []byte {
	if c.body == nil || c.end != math.MaxInt64 || !c.Done() {
		return nil
	}
	if e := c.body.end.Load(); e != nil {
		return e.trailers
	}
	return nil
}

// Watch has w woken whenever something changes for the cursor, from now on until
// Unwatch. What has changed before is not told: look after Watch. One waker
// watches at a time.
func (c *Cursor) Watch(w Waker) {
	if c.body == nil {
		return
	}
	c.body.mu.Lock()
	if c.waker == nil {
		c.body.watched.Add(1)
		c.body.add(c)
	}
	c.waker = w
	c.body.mu.Unlock()
}

// Unwatch ends Watch. The waker may be woken once more.
func (c *Cursor) Unwatch(w Waker) {
	if c.body == nil || c.waker == nil || c.waker != w {
		return
	}
	c.body.mu.Lock()
	c.body.remove(c)
	c.waker = nil
	c.body.watched.Add(-1)
	c.body.mu.Unlock()
}

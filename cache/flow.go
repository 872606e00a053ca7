package cache

import (
	"errors"
	"sync/atomic"
)

// ErrFlown is what a reader sees who comes to a body whose begin is no longer kept.
var ErrFlown = errors.New("the begin of the content is no longer kept")

// flow is what a body of unknown length has beside, for the case that it turns
// out to be too large to be kept: then a piece lives only as long as a cursor is
// in it or before it, and the writer keeps to the pace of the readers.
type flow struct {
	is    atomic.Bool // it flows: nothing is kept
	moved signal      // wakes the writer; made by Flow
	// The rest is guarded by Body.mu.
	begin *piece // an empty piece before the first; nil once it flows or has ended
	open  map[*Cursor]struct{}
}

// enter notes a cursor at the begin of a growing body, so that it has the way to
// the first piece in hand.
func (f *flow) enter(b *Body, c *Cursor) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f.begin == nil {
		return
	}
	if f.open == nil {
		f.open = make(map[*Cursor]struct{})
	}
	f.open[c], c.flows, c.piece = struct{}{}, true, f.begin
}

// leave takes a cursor back.
func (f *flow) leave(b *Body, c *Cursor) {
	b.mu.Lock()
	delete(f.open, c)
	b.mu.Unlock()
	c.flows = false
	f.wake()
}

func (f *flow) wake() {
	if f.is.Load() {
		f.moved.Wake()
	}
}

// forget lets the begin go of a body that has ended.
func (f *flow) forget(b *Body) {
	b.mu.Lock()
	f.begin = nil
	b.mu.Unlock()
}

// Readers returns how many cursors read a body of unknown length that grows.
func (b *Body) Readers() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.flow.open)
}

// Flow ends the keeping of a body of unknown length that has become too large:
// the cursors that are on it go on, further ones come too late. It is the
// writer's, who calls Pace before each Room from then on.
func (b *Body) Flow() {
	b.flow.moved = make(signal, 1)
	b.mu.Lock()
	b.flow.begin = nil
	b.mu.Unlock()
	b.first.Store(b.last)
	b.flow.is.Store(true)
}

// Pace waits until some reader is within ahead bytes of the end of what is
// there, and all are within behind. It returns false when nobody reads any more.
func (b *Body) Pace(ahead, behind int64) bool {
	for {
		size, nearest, farthest := b.size.Load(), int64(0), int64(-1)
		b.mu.Lock()
		n := len(b.flow.open)
		for c := range b.flow.open {
			at := c.taken.Load()
			nearest = max(nearest, at)
			if farthest < 0 || at < farthest {
				farthest = at
			}
		}
		b.mu.Unlock()
		switch {
		case n == 0:
			return false
		case size-nearest <= ahead && size-farthest <= behind:
			return true
		}
		<-b.flow.moved
	}
}

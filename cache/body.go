package cache

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// Errors that readers of a body see.
var (
	// ErrLength is the end of a body that has not the length it was made for.
	ErrLength = errors.New("the content has not the length that was told")
	// ErrStopped is what Read returns after Stop.
	ErrStopped = errors.New("reading was stopped")
)

const (
	firstPiece = 4 << 10   // of a body of unknown length; most are smaller
	trustPiece = 64 << 10  // what a told length is trusted for before a byte came
	largePiece = 256 << 10 // pieces of large bodies
	maxWhole   = 1 << 20   // bodies of known length up to here end in one piece

	// What the allocator takes for the types themselves.
	bodyBytes, pieceBytes, endingBytes = 144, 48, 48
)

// Body is the content of an entry: whole, or growing while it is fetched. One
// goroutine fills it, any number read it at once, each with a cursor of its own.
// What was committed does not change or move.
type Body struct {
	told  int64                  // length, -1 when it is not known
	size  atomic.Int64           // bytes that are committed
	first atomic.Pointer[piece]  // begin of the content
	end   atomic.Pointer[ending] // nil while it grows
	last  *piece                 // that Room is in; the writer's
	only  piece                  // the one piece of a body that has one; set once

	flow flow // of a body of unknown length

	watched atomic.Int32 // cursors in the list
	round   uint32       // of wakes; guarded by mu, as is the list
	mu      sync.Mutex
	oldest  *Cursor
	newest  *Cursor
}

// piece is a part of a body. Pieces may overlap: where content was put together,
// readers of the old pieces go on behind them in the new one.
type piece struct {
	start int64 // where in the body
	bytes []byte
	next  atomic.Pointer[piece]
}

// stop returns where in the body the piece ends, when full.
func (p *piece) stop() int64 { return p.start + int64(len(p.bytes)) }

// ending says how a body ended.
type ending struct {
	err      error
	trailers []byte
}

// NewBody makes a body that is yet to be filled; length is what it will have, -1
// when that is not known. Memory is taken as content comes, not ahead of it.
func NewBody(length int64) *Body {
	b := &Body{told: max(length, -1)}
	if b.told < 0 {
		b.flow.begin = &piece{}
		b.last = b.flow.begin
	}
	return b
}

// WholeBody makes a body of content, which belongs to it from then on.
func WholeBody(content []byte) *Body {
	b := &Body{told: int64(len(content))}
	if b.only.bytes = content; content == nil {
		b.only.bytes = []byte{}
	}
	b.size.Store(b.told)
	b.first.Store(&b.only)
	b.end.Store(&ending{})
	return b
}

// Room returns where the next content can be read to: at least 1 byte. It is the
// writer's, as are Commit and End.
func (b *Body) Room() []byte {
	size := b.size.Load()
	if size == b.told {
		// Whoever reads to the end of a stream asks once more; what comes then is
		// no content, and End says so.
		return make([]byte, 1)
	}
	if b.last == nil || size == b.last.stop() {
		b.grow(size)
	}
	return slices.Clip(b.last.bytes[size-b.last.start:])
}

// grow adds a piece at the end of the content.
func (b *Body) grow(size int64) {
	if b.told >= 0 && b.told <= maxWhole {
		b.enlarge(size)
		return
	}
	n := int64(trustPiece)
	switch {
	case b.last != nil && len(b.last.bytes) > 0:
		n = min(4*int64(len(b.last.bytes)), largePiece)
	case b.told < 0:
		n = firstPiece
	}
	if b.told >= 0 {
		n = min(n, b.told-size)
	}
	next := &piece{start: size, bytes: allocate(n)}
	b.link(next)
	if b.first.Load() == nil || b.flow.is.Load() {
		b.first.Store(next)
	}
}

// enlarge moves a body that will end in one piece to a larger one: four times
// what has come is what its told length is trusted for.
func (b *Body) enlarge(size int64) {
	n := min(max(trustPiece, 4*size), b.told)
	next := &b.only
	if n < b.told {
		next = &piece{}
	}
	next.bytes = allocate(n)
	if b.last != nil {
		copy(next.bytes, b.last.bytes)
	}
	b.link(next)
	b.first.Store(next)
}

// link puts next behind the last piece. It must come before its content is
// committed: readers go there by the size.
func (b *Body) link(next *piece) {
	if b.last != nil {
		b.last.next.Store(next)
	}
	b.last = next
}

// allocate returns n bytes; their capacity is what the allocator took.
func allocate(n int64) []byte {
	return slices.Grow([]byte(nil), int(n))[:n]
}

// Commit makes the first n bytes of Room readable.
func (b *Body) Commit(n int) {
	if n == 0 || b.end.Load() != nil {
		return
	}
	size := b.size.Load()
	if size == b.told {
		b.finish(&ending{err: ErrLength})
		return
	}
	b.size.Store(size + int64(n))
	b.wake()
}

// End tells readers that nothing follows: err is nil when the content is whole.
// Trailers are field lines, each ended by CRLF; they are copied. What comes
// after the first End is passed over.
func (b *Body) End(trailers []byte, err error) {
	if b.end.Load() != nil {
		return
	}
	if err == nil && b.told >= 0 && b.size.Load() != b.told {
		err = ErrLength
	}
	if err == nil && !b.flow.is.Load() {
		b.trim()
	}
	b.finish(&ending{err: err, trailers: bytes.Clone(trailers)})
}

func (b *Body) finish(e *ending) {
	b.last = nil
	b.end.Store(e)
	b.flow.forget(b)
	b.wake()
}

// trim gives back what the content does not fill. A body of a few pieces is put
// together, for whoever can send it at once.
func (b *Body) trim() {
	size, first := b.size.Load(), b.first.Load()
	switch {
	case first == nil:
		b.only.bytes = []byte{}
		b.first.Store(&b.only)
	case b.last == &b.only, b.last.stop() == size && (b.last == first || size > largePiece):
	case size <= largePiece:
		content := allocate(size)[:0]
		for p := first; p != nil; p = p.next.Load() {
			content = append(content, p.bytes[:min(size, p.stop())-p.start]...)
		}
		b.only.bytes = content
		b.first.Store(&b.only)
	default:
		before := first
		for before.next.Load() != b.last {
			before = before.next.Load()
		}
		var exact *piece
		if b.last.start < size {
			exact = &piece{start: b.last.start, bytes: append([]byte(nil), b.last.bytes[:size-b.last.start]...)}
		}
		before.next.Store(exact)
	}
}

// wake tells those who watch. They are called without the lock, so that a waker
// may take locks of its own.
func (b *Body) wake() {
	if b.watched.Load() == 0 {
		return
	}
	var batch [16]Waker
	b.mu.Lock()
	for b.round++; ; b.mu.Lock() {
		n := 0
		for ; n < len(batch) && b.oldest != nil && b.oldest.round != b.round; n++ {
			c := b.oldest
			b.remove(c)
			b.add(c)
			batch[n] = c.waker
		}
		b.mu.Unlock()
		if n == 0 {
			return
		}
		for _, w := range batch[:n] {
			w.Wake()
		}
	}
}

// add puts c at the end of the list, as one that needs no telling of this round.
func (b *Body) add(c *Cursor) {
	c.round, c.before, c.behind = b.round, b.newest, nil
	if b.newest == nil {
		b.oldest = c
	} else {
		b.newest.behind = c
	}
	b.newest = c
}

func (b *Body) remove(c *Cursor) {
	if c.before == nil {
		b.oldest = c.behind
	} else {
		c.before.behind = c.behind
	}
	if c.behind == nil {
		b.newest = c.before
	} else {
		c.behind.before = c.before
	}
	c.before, c.behind = nil, nil
}

// Length returns the length, -1 while it is not known.
func (b *Body) Length() int64 {
	if e := b.end.Load(); b.told < 0 && e != nil && e.err == nil {
		return b.size.Load()
	}
	return b.told
}

// Size returns how many bytes are there now.
func (b *Body) Size() int64 { return b.size.Load() }

// Ended tells whether nothing follows, and why where the content is not whole.
func (b *Body) Ended() (bool, error) {
	e := b.end.Load()
	if e == nil {
		return false, nil
	}
	return true, e.err
}

// Whole returns the content of a body that is whole and lies in one piece, nil
// otherwise. An empty body is not nil.
func (b *Body) Whole() []byte {
	if e := b.end.Load(); e == nil || e.err != nil {
		return nil
	}
	if p := b.first.Load(); p != nil && p.start == 0 && p.stop() == b.size.Load() {
		return p.bytes
	}
	return nil
}

// Cost returns the bytes of memory that it takes, as the allocator rounds them.
func (b *Body) Cost() int64 {
	n := int64(bodyBytes)
	for p := b.first.Load(); p != nil; p = p.next.Load() {
		n += roundUp(uintptr(cap(p.bytes)))
		if p != &b.only {
			n += pieceBytes
		}
	}
	if e := b.end.Load(); e != nil {
		n += endingBytes + int64(cap(e.trailers))
	}
	return n
}

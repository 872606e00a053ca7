package cache

// Body is the content of an entry: whole, or growing while it is fetched. One
// goroutine fills it, any number read it at once, each with a cursor of its own.
// What was committed does not change or move.
type Body struct{}

// NewBody makes a body that is yet to be filled; length is what it will have, -1
// when that is not known. Memory is taken as content comes, not ahead of it.
func NewBody(length int64) *Body { panic("not built") }

// WholeBody makes a body of content, which belongs to it from then on.
func WholeBody(content []byte) *Body { panic("not built") }

// Room returns where the next content can be read to: at least 1 byte.
func (b *Body) Room() []byte { panic("not built") }

// Commit makes the first n bytes of Room readable.
func (b *Body) Commit(n int) { panic("not built") }

// End tells readers that nothing follows: err is nil when the content is whole.
// Trailers are field lines, each ended by CRLF.
func (b *Body) End(trailers []byte, err error) { panic("not built") }

// Length returns the length, -1 while it is not known.
func (b *Body) Length() int64 { panic("not built") }

// Size returns how many bytes are there now.
func (b *Body) Size() int64 { panic("not built") }

// Whole returns the content of a body that is whole and lies in one piece, nil
// otherwise. An empty body is not nil.
func (b *Body) Whole() []byte { panic("not built") }

// Cost returns the bytes of memory that it takes, as the allocator rounds them.
func (b *Body) Cost() int64 { panic("not built") }

// Cursor reads a body, or a part of it, from one goroutine. The zero value reads
// nothing; Begin makes it ready.
type Cursor struct{}

// Begin readies c to read n bytes of b from offset on, -1 for all that come.
func (c *Cursor) Begin(b *Body, offset, n int64) { panic("not built") }

// Take returns what is there behind the cursor, without copying it, and moves
// the cursor behind it; nil when nothing is there yet, or all was taken.
func (c *Cursor) Take() []byte { panic("not built") }

// Done tells whether all was taken and is known to be all.
func (c *Cursor) Done() bool { panic("not built") }

// Err returns why there will be no more, nil as long as there may be.
func (c *Cursor) Err() error { panic("not built") }

// Watch has w woken whenever something changes for the cursor, from now on until
// Unwatch. What has changed before is not told: look after Watch.
func (c *Cursor) Watch(w Waker) { panic("not built") }

// Unwatch ends Watch. The waker may be woken once more.
func (c *Cursor) Unwatch(w Waker) { panic("not built") }

// Waker is told that something is to be looked at again. Wake must not wait.
type Waker interface{ Wake() }

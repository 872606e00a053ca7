package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// content returns n bytes that tell where they are.
func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

// fill writes all of content in portions of at most n bytes.
func fillBody(b *Body, content []byte, n int) {
	for len(content) > 0 {
		room := b.Room()
		k := copy(room[:min(n, len(room))], content)
		b.Commit(k)
		content = content[k:]
	}
}

func TestBodyIsWhatWasCommitted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := content(rapid.OneOf(rapid.IntRange(0, 9000), rapid.IntRange(0, 700_000), rapid.SampledFrom([]int{
			0, 1, firstPiece, firstPiece + 1, trustPiece, trustPiece + 1, largePiece, largePiece + 1, maxWhole, maxWhole + 1,
		})).Draw(t, "length"))
		told := int64(-1)
		if rapid.Bool().Draw(t, "told") {
			told = int64(len(want))
		}
		b := NewBody(told)
		type reader struct {
			c       Cursor
			at, end int
		}
		var readers []*reader
		written := 0
		read := func(r *reader) {
			have := min(written, r.end)
			if got := r.c.Take(); len(got) > 0 {
				if r.at+len(got) > have || !bytes.Equal(got, want[r.at:r.at+len(got)]) {
					t.Fatalf("took %d bytes at %d of %d that are not the content", len(got), r.at, have)
				}
				r.at += len(got)
			} else if r.at < have {
				t.Fatalf("took nothing at %d of %d", r.at, have)
			}
		}
		for written < len(want) {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				r := &reader{at: rapid.IntRange(0, len(want)).Draw(t, "offset"), end: len(want)}
				n := -1
				if rapid.Bool().Draw(t, "part") {
					n = rapid.IntRange(0, len(want)-r.at).Draw(t, "n")
					r.end = r.at + n
				}
				r.c.Begin(b, int64(r.at), int64(n))
				readers = append(readers, r)
			case 1, 2:
				room := b.Room()
				n := rapid.IntRange(1, len(room)).Draw(t, "commit")
				n = copy(room[:n], want[written:])
				b.Commit(n)
				written += n
			case 3:
				for _, r := range readers {
					read(r)
				}
			}
			if b.Size() != int64(written) {
				t.Fatalf("Size: got %d; want %d", b.Size(), written)
			}
		}
		b.End(nil, nil)
		for _, r := range readers {
			for !r.c.Done() {
				read(r)
			}
			if r.at != r.end || r.c.Take() != nil || r.c.Err() != nil {
				t.Fatalf("a cursor ended at %d with %v; want %d", r.at, r.c.Err(), r.end)
			}
		}
		var c Cursor
		c.Begin(b, 0, -1)
		if got, err := io.ReadAll(&c); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("read anew: %d bytes, %v; want %d", len(got), err, len(want))
		}
		if b.Length() != int64(len(want)) {
			t.Fatalf("Length: got %d; want %d", b.Length(), len(want))
		}
		whole := b.Whole()
		one := len(want) <= largePiece || told >= 0 && told <= maxWhole
		if one && (whole == nil || !bytes.Equal(whole, want)) || !one && whole != nil {
			t.Fatalf("Whole of %d bytes: got %d", len(want), len(whole))
		}
		// The allocator's classes and pages, and what the pieces themselves take.
		if most := int64(len(want)) + int64(len(want))/8 + 9000; b.Cost() < int64(len(want)) || b.Cost() > most {
			t.Fatalf("Cost of %d bytes: got %d; want at most %d", len(want), b.Cost(), most)
		}
	})
}

func TestCostOfTypes(t *testing.T) {
	class := func(n uintptr) int { return cap(append([]byte(nil), make([]byte, n)...)) }
	for _, c := range []struct {
		name string
		size uintptr
		want int
	}{
		{"Body", unsafe.Sizeof(Body{}), bodyBytes},
		{"piece", unsafe.Sizeof(piece{}), pieceBytes},
		{"ending", unsafe.Sizeof(ending{}), endingBytes},
	} {
		if got := class(c.size); got != c.want {
			t.Errorf("%s takes %d bytes; want %d", c.name, got, c.want)
		}
	}
}

func TestBodyTakesMemoryAsContentComes(t *testing.T) {
	f := func(told int64, written int, most int64) {
		t.Helper()
		b := NewBody(told)
		b.Room()
		fillBody(b, content(written), 1000)
		if got := b.Cost(); got > most {
			t.Errorf("%d bytes of %d cost %d; want at most %d", written, told, got, most)
		}
	}
	f(10<<20, 0, trustPiece+500)
	f(1<<62, 0, trustPiece+500)
	f(1<<20, 0, trustPiece+500)
	f(1<<20, trustPiece+1, 4*trustPiece+500)
	f(100, 0, 112+bodyBytes)
	f(-1, 0, firstPiece+500)
	f(-1, 5000, 5*firstPiece+500)
	f(10<<20, 5<<20, 5<<20+2*largePiece)
}

func TestBodyOfAnotherLength(t *testing.T) {
	broken := errors.New("broken")
	f := func(told int64, written int, end error, want error, readable int) {
		t.Helper()
		b := NewBody(told)
		fillBody(b, content(written), 1<<20)
		b.End(nil, end)
		if b.Whole() != nil {
			t.Errorf("%d of %d: a body that broke off is whole", written, told)
		}
		var c Cursor
		c.Begin(b, 0, -1)
		got, err := io.ReadAll(&c)
		if len(got) != readable || !errors.Is(err, want) {
			t.Errorf("%d of %d: read %d bytes, %v; want %d, %v", written, told, len(got), err, readable, want)
		}
		if c.Done() {
			t.Errorf("%d of %d: a cursor is done behind an error", written, told)
		}
		if readable > 1 {
			c.Begin(b, 1, 1)
			if got, err := io.ReadAll(&c); len(got) != 1 || err != nil || !c.Done() {
				t.Errorf("a part of what is there: got %d bytes, %v", len(got), err)
			}
			c.Begin(b, int64(readable)-1, 2)
			if got, err := io.ReadAll(&c); len(got) != 1 || !errors.Is(err, want) || c.Done() {
				t.Errorf("a part behind the end: got %d bytes, %v", len(got), err)
			}
		}
	}
	f(100, 99, nil, ErrLength, 99)
	f(100, 0, nil, ErrLength, 0)
	f(100, 101, nil, ErrLength, 100)
	f(0, 1, nil, ErrLength, 0)
	f(100, 100, broken, broken, 100)
	f(-1, 0, broken, broken, 0)
	f(-1, 300_000, broken, broken, 300_000)
	f(2<<20, 1<<20, broken, broken, 1<<20)
	f(2<<20, 2<<20+1, nil, ErrLength, 2<<20)
}

func TestBodyEndsOnce(t *testing.T) {
	b := NewBody(-1)
	fillBody(b, []byte("abc"), 10)
	trailers := []byte("X: y\r\n")
	b.End(trailers, nil)
	trailers[0] = '?'
	b.End(nil, io.ErrUnexpectedEOF)
	b.Room()[0] = 'z'
	b.Commit(1)
	var c Cursor
	c.Begin(b, 0, -1)
	if c.Trailers() != nil {
		t.Error("trailers before the content was taken")
	}
	if got, err := io.ReadAll(&c); string(got) != "abc" || err != nil || string(c.Trailers()) != "X: y\r\n" {
		t.Errorf("got %q, %v, trailers %q", got, err, c.Trailers())
	}
	c.Begin(b, 0, 3)
	c.Take()
	if !c.Done() || c.Trailers() != nil {
		t.Error("a part has trailers")
	}
}

func TestCursorOfNothing(t *testing.T) {
	var c Cursor
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF || !c.Done() || c.Err() != nil || c.Take() != nil || c.Trailers() != nil {
		t.Errorf("the zero cursor reads %d, %v", n, err)
	}
	c.Watch(make(signal, 1))
	c.Unwatch(nil)
	c.Close()
	for _, b := range []*Body{NewBody(0), NewBody(-1), WholeBody(nil), WholeBody([]byte{})} {
		b.End(nil, nil)
		c.Begin(b, 0, -1)
		if !c.Done() || c.Take() != nil || b.Whole() == nil || b.Length() != 0 {
			t.Errorf("an empty body: done %t, whole %v, length %d", c.Done(), b.Whole(), b.Length())
		}
		c.Begin(b, 5, 10)
		if !c.Done() || c.Err() != nil {
			t.Error("a cursor behind an empty body is not done")
		}
		c.Begin(b, 1<<63-1, 1<<63-1)
		if !c.Done() || c.Trailers() != nil {
			t.Error("a cursor at the end of all is not done")
		}
	}
}

func TestManyReadersOfAGrowingBody(t *testing.T) {
	for _, told := range []int64{100, 70_000, 1 << 20, 3 << 20, -1, -200_000, -3 << 20} {
		n := told
		if told < 0 {
			n, told = -told, -1
		}
		t.Run(fmt.Sprint(n, told), func(t *testing.T) { readGrowing(t, told, content(int(n))) })
	}
}

func readGrowing(t *testing.T, told int64, want []byte) {
	b := NewBody(told)
	begun := make(chan struct{}, 100)
	var readers sync.WaitGroup
	read := func(offset, n int64, slow bool) {
		var c Cursor
		c.Begin(b, offset, n)
		defer c.Close()
		begun <- struct{}{}
		end := int64(len(want))
		if n >= 0 {
			end = min(end, offset+n)
		}
		wanted := want[min(offset, end):end]
		w := make(signal, 1)
		p := make([]byte, 1500)
		for at := 0; ; {
			var got []byte
			if slow {
				k, err := c.Read(p)
				if err == io.EOF {
					break
				}
				got = p[:k]
			} else {
				got = c.Take()
				if got == nil {
					if c.Done() {
						break
					}
					c.Watch(w)
					if !c.Ready() {
						<-w
					}
					c.Unwatch(w)
					continue
				}
			}
			if at+len(got) > len(wanted) || !bytes.Equal(got, wanted[at:at+len(got)]) {
				t.Errorf("bytes at %d of [%d, %d) are not the content", at, offset, end)
				return
			}
			if at += len(got); at == len(wanted) && !c.Done() && c.Ready() {
				t.Errorf("a cursor at its end is ready and not done")
			}
		}
		if !c.Done() || c.Err() != nil {
			t.Errorf("ended with done %t, %v", c.Done(), c.Err())
		}
	}
	const many = 12
	for i := range int64(many) {
		offset, n := int64(0), int64(-1)
		if i%3 == 1 {
			offset = rand.Int64N(int64(len(want)))
		}
		if i%3 == 2 {
			offset = rand.Int64N(int64(len(want)))
			n = rand.Int64N(int64(len(want)) - offset)
		}
		readers.Go(func() { read(offset, n, i%2 == 0) })
	}
	for range many / 2 {
		<-begun // the others begin while it grows
	}
	for rest := want; len(rest) > 0; {
		room := b.Room()
		k := copy(room[:min(len(room), 1+rand.IntN(40_000))], rest)
		b.Commit(k)
		rest = rest[k:]
	}
	b.End(nil, nil)
	readers.Wait()
	if b.watched.Load() != 0 || b.oldest != nil || b.newest != nil {
		t.Errorf("%d watchers are left", b.watched.Load())
	}
}

func TestReadIsStopped(t *testing.T) {
	b := NewBody(-1)
	var c Cursor
	c.Begin(b, 0, -1)
	got := make(chan error)
	go func() {
		_, err := c.Read(make([]byte, 1))
		got <- err
	}()
	for b.watched.Load() == 0 {
	}
	c.Stop()
	if err := <-got; err != ErrStopped {
		t.Errorf("got %v; want %v", err, ErrStopped)
	}
	c.Begin(b, 0, -1)
	fillBody(b, []byte("x"), 1)
	if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("a cursor that was stopped and begun anew reads %d, %v", n, err)
	}
}

// locking is a waker that takes a lock which is also held around Watch and
// Unwatch, as a connection does.
type locking struct {
	mu    sync.Mutex
	woken int
}

func (l *locking) Wake() {
	l.mu.Lock()
	l.woken++
	l.mu.Unlock()
}

func TestWakersMayLock(t *testing.T) {
	b := NewBody(-1)
	var l locking
	var all sync.WaitGroup
	all.Go(func() {
		for range 300 {
			fillBody(b, []byte("xy"), 1)
		}
		b.End(nil, nil)
	})
	for range 4 {
		all.Go(func() {
			var c Cursor
			c.Begin(b, 0, -1)
			for !c.Done() {
				l.mu.Lock()
				c.Watch(&l)
				c.Take()
				c.Unwatch(&l)
				l.mu.Unlock()
			}
			c.Close()
		})
	}
	all.Wait()
}

func TestEveryWatcherIsWoken(t *testing.T) {
	b := NewBody(-1)
	cursors, wakers := make([]Cursor, 50), make([]locking, 50)
	for i := range cursors {
		cursors[i].Begin(b, 0, -1)
		cursors[i].Watch(&wakers[i])
	}
	for i := range 3 {
		fillBody(b, []byte("x"), 1)
		for j := range wakers {
			if wakers[j].woken != i+1 {
				t.Fatalf("after %d commits waker %d was woken %d times", i+1, j, wakers[j].woken)
			}
		}
	}
	for i := range cursors {
		if i%2 == 0 {
			cursors[i].Close()
		}
	}
	b.End(nil, nil)
	for j := range wakers {
		if want := 3 + j%2; wakers[j].woken != want {
			t.Errorf("waker %d was woken %d times; want %d", j, wakers[j].woken, want)
		}
	}
}

func BenchmarkBody(b *testing.B) {
	const n = 1 << 20
	block := content(32 << 10)
	for _, told := range []int64{n, -1} {
		for _, many := range []int{0, 8} {
			b.Run(fmt.Sprintf("1MiB/told=%t/readers=%d", told >= 0, many), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(n)
				cursors := make([]Cursor, many)
				for b.Loop() {
					body := NewBody(told)
					var readers sync.WaitGroup
					for i := range cursors {
						cursors[i].Begin(body, 0, -1)
						readers.Go(func() {
							c, w := &cursors[i], make(signal, 1)
							c.Watch(w)
							for !c.Done() {
								if c.Take() == nil && !c.Ready() {
									<-w
								}
							}
							c.Close()
						})
					}
					for written := 0; written < n; {
						k := copy(body.Room(), block[:min(len(block), n-written)])
						body.Commit(k)
						written += k
					}
					body.End(nil, nil)
					readers.Wait()
				}
			})
		}
	}
}

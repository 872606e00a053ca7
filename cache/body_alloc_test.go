//go:build !race

package cache

import "testing"

func TestAllocsOfACursor(t *testing.T) {
	b := WholeBody(content(5000))
	var c Cursor
	w := make(signal, 1)
	n := 0
	if got := testing.AllocsPerRun(100, func() {
		c.Begin(b, 0, -1)
		for !c.Done() {
			n += len(c.Take())
		}
		c.Begin(b, 100, 50)
		n += len(c.Take())
		c.Watch(w)
		c.Unwatch(w)
		c.Close()
	}); got != 0 {
		t.Errorf("a cursor over a whole body allocates %v times; want 0", got)
	}
}

func TestAllocsOfABody(t *testing.T) {
	small, some := content(1000), content(200_000)
	f := func(told int64, content []byte, want float64) {
		t.Helper()
		if got := testing.AllocsPerRun(50, func() {
			b := NewBody(told)
			fillBody(b, content, 1<<20)
			b.End(nil, nil)
		}); got > want {
			t.Errorf("a body of %d bytes, told %d, allocates %v times; want at most %v", len(content), told, got, want)
		}
	}
	// The body, its content and its ending.
	f(1000, small, 3)
	f(-1, small, 6) // and the place before the first piece, for it may flow
	f(200_000, some, 5)
}

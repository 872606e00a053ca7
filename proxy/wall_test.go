package proxy

import (
	"testing"
	"time"
)

func TestWallFollowsTheSystemsClock(t *testing.T) {
	t.Parallel()
	var w wall
	began := time.Now()
	if got := w.at(began); got.Before(began) || time.Since(got) > time.Minute {
		t.Errorf("got %s; want the time", got)
	}
	read := *w.read.Load()
	if got, want := w.at(read.Add(wallAge-1)), read.Add(wallAge-1); !got.Equal(want) {
		t.Errorf("got %s; want %s, counted on from the last reading", got, want)
	}
	// What is too old, or of later than now, is read anew.
	for _, off := range []time.Duration{-wallAge, time.Hour} {
		stale := time.Now().Add(off)
		w.read.Store(&stale)
		before := time.Now()
		if got := w.at(before); got.Before(before) || time.Since(got) > time.Minute {
			t.Errorf("%s off: got %s; want the time", off, got)
		}
	}
}

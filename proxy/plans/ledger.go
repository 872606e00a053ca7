package plans

import (
	"sync"
	"sync/atomic"
	"time"

	"weir/ratelimit"
)

// ledger knows which day it is and what has to be written.
type ledger struct {
	now   atomic.Pointer[calendar]
	mutex sync.Mutex
	dirty []*use
	wake  chan struct{} // has room for one; filled when the first is added
}

// calendar is a day, in UTC, and the periods it is in. It is immutable.
type calendar struct {
	day      uint16 // since 1970
	from, to int64  // in Unix seconds
	start    [3]uint16
	end      [3]time.Time
}

const secondsOfDay = 24 * 60 * 60

// calendar returns that of now.
func (l *ledger) calendar(now time.Time) *calendar {
	c, unix := l.now.Load(), now.Unix()
	if c == nil || unix < c.from || unix >= c.to {
		c = calendarOf(now)
		l.now.Store(c)
	}
	return c
}

func calendarOf(now time.Time) *calendar {
	day := dayOf(now)
	c := &calendar{day: day, from: int64(day) * secondsOfDay, to: (int64(day) + 1) * secondsOfDay}
	for _, p := range []ratelimit.Period{ratelimit.Day, ratelimit.Week, ratelimit.Month} {
		start, end := p.Window(now)
		c.start[p], c.end[p] = dayOf(start), end
	}
	return c
}

// dayOf counts days since 1970, in UTC; 0 for what is before.
func dayOf(t time.Time) uint16 {
	return uint16(min(max(t.Unix()/secondsOfDay, 0), 1<<16-1))
}

func midnight(day uint16) time.Time { return time.Unix(int64(day)*secondsOfDay, 0).UTC() }

func (l *ledger) add(u *use) {
	l.mutex.Lock()
	l.dirty = append(l.dirty, u)
	l.mutex.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// drain returns what has to be written; what is counted from now on marks it
// again.
func (l *ledger) drain() []*use {
	l.mutex.Lock()
	dirty := l.dirty
	l.dirty = nil
	l.mutex.Unlock()
	for _, u := range dirty {
		u.marked.Store(false)
	}
	return dirty
}

func (l *ledger) waiting() int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return len(l.dirty)
}

package plans

import (
	"sync"
	"time"
)

// ledger knows what has to be written.
type ledger struct {
	mutex sync.Mutex
	dirty []*use
	wake  chan struct{} // has room for one; filled when something is added
}

const secondsOfDay = 24 * 60 * 60

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

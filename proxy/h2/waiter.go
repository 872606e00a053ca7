package h2

import (
	"sync"
	"time"
)

// waiter lets one goroutine wait for another under a lock, with a limit and
// without allocating each time. The zero value is ready.
type waiter struct {
	ch      chan struct{}
	timer   *time.Timer
	waiting bool
}

// wait waits until wake is called or d has passed (0: no limit), with mu
// unlocked meanwhile. It tells whether it was woken.
func (w *waiter) wait(mu *sync.Mutex, d time.Duration) (woken bool) {
	if d < 0 {
		return false
	}
	if w.ch == nil {
		w.ch = make(chan struct{}, 1)
	}
	w.waiting = true
	var passed <-chan time.Time
	if d > 0 {
		if w.timer == nil {
			w.timer = time.NewTimer(d)
		} else {
			w.timer.Reset(d)
		}
		passed = w.timer.C
	}
	mu.Unlock()
	select {
	case <-w.ch:
		woken = true
	case <-passed:
	}
	mu.Lock()
	if d > 0 {
		w.timer.Stop()
	}
	if !woken {
		select {
		case <-w.ch: // woken between the end of the time and here
			woken = true
		default:
		}
	}
	w.waiting = false
	return woken
}

// wake ends a wait, if there is one. The lock must be held.
func (w *waiter) wake() {
	if w.waiting {
		w.waiting = false
		w.ch <- struct{}{}
	}
}

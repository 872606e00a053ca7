package cache

import (
	"errors"
	"sync"
	"sync/atomic"
)

// ErrAbandoned is how the body of a fill ends that is given up.
var ErrAbandoned = errors.New("the fetch was given up")

// Fill is one fetch of one key, for all who want it while it lasts. Whoever
// fetches ends it by exactly one of Pass, Fail, Refreshed, Abandon, or Answer and
// then Done; those are for one goroutine, everything else is for any. All who had
// it of Begin, the request that leads too, follow it, and may after its end.
type Fill struct {
	cache   *Cache
	address *address
	born    uint64 // number of purges before it began
	stale   *Entry

	varies   bool     // it is known what the answer varies by:
	names    []string // Vary, as far as known when it began,
	selected []byte   // and the values of the request that it began for

	next     *Fill // of the same hash, guarded by the table
	interest atomic.Int32
	ended    bool // by whoever fetches

	state  atomic.Uint32 // a FillState; what follows is set before, and then no more
	entry  *Entry
	reason any

	mu       sync.Mutex
	watchers []Waker
	notify   Waker
}

// FillState says how far a fill is.
type FillState uint8

// The states. It changes once, from Fetching to one of the others.
const (
	Fetching FillState = iota // nothing is known yet
	Answered                  // the answer's head is there; the body is, or comes
	Passed                    // the answer is not for others: each goes alone
	Failed                    // there is no answer
)

// settled returns a fill that has ended before anybody waited for it.
func settled(c *Cache, state FillState, e *Entry) *Fill {
	f := &Fill{cache: c, entry: e, ended: true}
	f.interest.Store(1)
	f.state.Store(uint32(state))
	return f
}

// Leave is to be called once by everybody who has followed, once he needs the
// fill no more: after the body where he reads that.
func (f *Fill) Leave() {
	if f.interest.Add(-1) > 0 {
		return
	}
	f.mu.Lock()
	w := f.notify
	f.mu.Unlock()
	if w != nil {
		w.Wake()
	}
}

// Interested returns how many follow, the request that leads included.
func (f *Fill) Interested() int { return int(f.interest.Load()) }

// Waiting returns how many others than one that leads follow.
func (f *Fill) Waiting() int { return max(f.Interested()-1, 0) }

// Notify has w woken whenever nobody is interested any more; nil takes that
// back. Look at Interested after it: others may have come since.
func (f *Fill) Notify(w Waker) {
	f.mu.Lock()
	f.notify = w
	f.mu.Unlock()
}

// State returns how far the fill is: the entry once it is Answered, and what was
// given to Fail.
func (f *Fill) State() (state FillState, e *Entry, reason any) {
	if state = FillState(f.state.Load()); state == Fetching {
		return Fetching, nil, nil
	}
	return state, f.entry, f.reason
}

// Watch has w woken when the state changes, until Unwatch. Look after Watch.
func (f *Fill) Watch(w Waker) {
	f.mu.Lock()
	if f.state.Load() == uint32(Fetching) {
		f.watchers = append(f.watchers, w)
	}
	f.mu.Unlock()
}

// Unwatch ends Watch. The waker may be woken once more.
func (f *Fill) Unwatch(w Waker) {
	f.mu.Lock()
	for i, watcher := range f.watchers {
		if watcher == w {
			last := len(f.watchers) - 1
			f.watchers[i], f.watchers[last] = f.watchers[last], nil
			f.watchers = f.watchers[:last]
			break
		}
	}
	f.mu.Unlock()
}

// Stale returns what is validated.
func (f *Fill) Stale() *Entry { return f.stale }

// Pass tells the followers that the answer is not for them, and has whoever asks
// for the key within the next seconds, 0 for nobody, not wait for others.
func (f *Fill) Pass(seconds int) {
	if f.ended || f.breakOff(ErrAbandoned) {
		return
	}
	if seconds > 0 {
		f.cache.markPass(f.address, f.cache.Now()+int64(seconds)*1e9)
	}
	f.leaveTable()
	f.settle(Passed, nil, nil)
}

// Fail tells the followers why there is no answer. After Answer it is Done with
// an error.
func (f *Fill) Fail(reason any) {
	if f.ended || f.breakOff(ErrAbandoned) {
		return
	}
	f.leaveTable()
	f.settle(Failed, nil, reason)
}

// Close fails the fill if it has not ended. Whoever fetches defers it, so that
// nobody waits for a fetch that is no more.
func (f *Fill) Close() { f.Fail(ErrAbandoned) }

// Abandon ends the fill as Close does, if nobody is interested in it, and tells
// whether that was so.
func (f *Fill) Abandon() bool {
	if f.ended || !f.cache.fills.remove(f, isAlone) {
		return false
	}
	f.Close()
	return true
}

func isAlone(f *Fill) bool { return f.Interested() <= 0 }

// Answer gives the head of an answer that may be stored; its body is filled by
// the caller, who calls Done at its end. s is the request that it was fetched for.
func (f *Fill) Answer(e *Entry, s Selector) {
	if f.ended {
		return
	}
	f.cache.locate(e, f.address, appendSelected(nil, e.Vary, s), f.born)
	f.settle(Answered, e, nil)
}

// Done ends an answered fill: the entry is published if its body is whole and err
// is nil. A body that has not ended is ended with err.
func (f *Fill) Done(err error) {
	if f.ended {
		return
	}
	state, e, _ := f.State()
	if state != Answered {
		panic("BUG: a fill is done before it was answered")
	}
	e.Body.End(nil, err)
	if _, broken := e.Body.Ended(); err == nil && broken == nil {
		f.cache.publish(e)
	}
	f.leaveTable()
}

// Outgrow tells of an answered fill that its body is too large to be kept: those
// who have it read on, nobody else joins, and for the next seconds nobody waits
// for others. Done, with an error, ends it as ever.
func (f *Fill) Outgrow(seconds int) {
	f.cache.markPass(f.address, f.cache.Now()+int64(seconds)*1e9)
	f.leaveTable()
}

// Refreshed publishes e in the place of Stale, whose body it shares: after a 304.
// s is the request that it was validated for.
func (f *Fill) Refreshed(e *Entry, s Selector) {
	if f.ended || f.breakOff(ErrAbandoned) {
		return
	}
	f.cache.locate(e, f.address, appendSelected(nil, e.Vary, s), f.born)
	f.cache.publish(e)
	f.settle(Answered, e, nil)
	f.leaveTable()
}

// breakOff ends a fill that was answered, and tells whether it was.
func (f *Fill) breakOff(err error) bool {
	if state, _, _ := f.State(); state != Answered {
		return false
	}
	f.Done(err)
	return true
}

func (f *Fill) leaveTable() {
	f.ended = true
	f.cache.fills.remove(f, nil)
}

// settle sets the state and wakes those who wait for it, without the lock, so
// that a waker may take locks of its own.
func (f *Fill) settle(state FillState, e *Entry, reason any) {
	f.mu.Lock()
	f.entry, f.reason = e, reason
	f.state.Store(uint32(state))
	watchers := f.watchers
	f.watchers = nil
	f.mu.Unlock()
	for _, w := range watchers {
		w.Wake()
	}
}

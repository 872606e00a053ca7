package cache

// Fill is one fetch of one key, for all who want it while it lasts. Its leader
// ends it by exactly one of Pass, Fail, Refreshed, or Answer and then Done.
// Everything may be called from any goroutine.
type Fill struct{}

// FillState says how far a fill is.
type FillState uint8

// The states.
const (
	Fetching FillState = iota // nothing is known yet
	Answered                  // the answer's head is there; the body is, or comes
	Passed                    // the answer is not for others: each goes alone
	Failed                    // there is no answer
)

// Begin joins the fill of a key, or begins one and leads it. Those whose
// selected fields are known to differ have fills of their own, and so has
// whoever comes after a purge that concerns a fill under way. stale is what is
// validated, nil for a fetch from nothing.
func (c *Cache) Begin(k *Key, s Selector, stale *Entry) (f *Fill, leads bool) { panic("not built") }

// Leave is to be called by everybody who has joined or leads, once he needs the
// fill no more; Done, Pass, Fail and Refreshed do it for the leader.
func (f *Fill) Leave() { panic("not built") }

// Waiting returns how many others than the leader are there.
func (f *Fill) Waiting() int { panic("not built") }

// State returns how far the fill is: the entry once it is Answered, and what was
// given to Fail.
func (f *Fill) State() (state FillState, e *Entry, reason any) { panic("not built") }

// Watch has w woken when the state changes, until Unwatch. Look after Watch.
func (f *Fill) Watch(w Waker) { panic("not built") }

// Unwatch ends Watch. The waker may be woken once more.
func (f *Fill) Unwatch(w Waker) { panic("not built") }

// Stale returns what is validated.
func (f *Fill) Stale() *Entry { panic("not built") }

// Selects tells whether e may serve the request that s stands for.
func (c *Cache) Selects(e *Entry, k *Key, s Selector) bool { panic("not built") }

// Pass tells the followers that the answer is not for them, and has whoever asks
// for the key within the next seconds not wait for others.
func (f *Fill) Pass(seconds int) { panic("not built") }

// Fail tells the followers why there is no answer.
func (f *Fill) Fail(reason any) { panic("not built") }

// Answer gives the head of an answer that may be stored; its body is filled by
// the caller, who calls Done at its end. s is the request that it was fetched for.
func (f *Fill) Answer(e *Entry, s Selector) { panic("not built") }

// Done ends an answered fill: without an error the entry is published.
func (f *Fill) Done(err error) { panic("not built") }

// Refreshed publishes e in the place of Stale, whose body it shares: after a 304.
func (f *Fill) Refreshed(e *Entry) { panic("not built") }

// fills are the fetches under way.
type fills struct{}

// each calls yield for all that are under way, with the number of purges when
// they began. It holds their locks meanwhile: yield must not wait.
func (f *fills) each(yield func(a *address, born uint64)) {}

// count returns how many there are.
func (f *fills) count() int64 { return 0 }

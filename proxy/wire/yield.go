package wire

import (
	"runtime"
	"sync/atomic"
)

// yieldCores is up to how many cores giving way pays: the queue that it goes
// through is one for the process, behind one lock.
const yieldCores = 8

var yields = runtime.GOMAXPROCS(0) <= yieldCores

// polled changes whenever the poller has ended a wait.
var polled atomic.Int64

// Yield lets other connections run before a read that will probably have to
// wait. Under load the bytes are there when the turn comes back, which saves
// the read that finds nothing, the parking, and the poller's wake-up: 5 to 7 %
// of a small request's CPU. With nothing else to run it costs next to nothing.
//
// A socket gives way once between two turns of the poller: Go's scheduler asks
// that only when nobody can run, so that connections which wait would starve
// behind those that give way to each other.
func (s *Sock) Yield() {
	if p := polled.Load(); yields && p != s.yielded {
		s.yielded = p
		runtime.Gosched()
	}
}

// GiveWay lets whoever can run do so before a write that they may add to. It is
// asked for once an answer, by who has all of it in hand.
func GiveWay() {
	if yields {
		runtime.Gosched()
	}
}

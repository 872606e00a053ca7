package wire

import "runtime"

// yieldCores is up to how many cores giving way pays: the queue that it goes
// through is one for the process, behind one lock.
const yieldCores = 8

var yields = runtime.GOMAXPROCS(0) <= yieldCores

// Yield lets other connections run before a read that will probably have to
// wait. Under load the bytes are there when the turn comes back, which saves
// the read that finds nothing, the parking, and the poller's wake-up: 5 to 7 %
// of a small request's CPU. With nothing else to run it costs next to nothing.
func Yield() {
	if yields {
		runtime.Gosched()
	}
}

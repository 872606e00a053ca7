package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// sleep waits in the kernel: the runtime's own timers are up to 1 ms late when nothing else happens, because its
// poller counts in milliseconds.
func sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	left := unix.NsecToTimespec(d.Nanoseconds())
	for unix.Nanosleep(&left, &left) == unix.EINTR {
	}
}

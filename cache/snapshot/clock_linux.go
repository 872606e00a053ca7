package snapshot

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// now reads both clocks.
func now() moment {
	m := moment{wall: time.Now().UnixNano()}
	var t unix.Timespec
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err == nil && unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) == nil {
		m.boot, m.running = strings.TrimSpace(string(boot)), t.Nano()
	}
	return m
}

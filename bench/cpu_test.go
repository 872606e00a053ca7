package bench

import (
	"syscall"
	"testing"
	"time"
)

// cpuTime returns what the process has used of all processors, kernel included.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// reportCPU adds the processor time of one operation since begun. It holds
// client and upstream too, but unlike the time on the clock not the waiting.
func reportCPU(b *testing.B, begun time.Duration) {
	b.ReportMetric(float64(cpuTime()-begun)/float64(b.N), "cpu-ns/op")
}

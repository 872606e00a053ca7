//go:build !race

package h2

import (
	"runtime"
	"testing"
)

// BenchmarkIdleConnection reports what a connection holds that has had its
// request, in clear: heap and stack, its client's socket included.
func BenchmarkIdleConnection(b *testing.B) {
	const conns = 500
	s := serve(b, answer("x"), nil)
	for b.Loop() {
		for s.Open() > 0 {
			runtime.Gosched()
		}
		before := heap() + stacks()
		clients := make([]*lean, conns)
		for i := range clients {
			clients[i] = newLean(b, s)
			clients[i].ask(0)
			clients[i].exchange(1)
			clients[i].in, clients[i].out, clients[i].unread = nil, nil, nil
		}
		b.ReportMetric(float64(heap()+stacks()-before)/conns, "B/conn")
		for _, c := range clients {
			_ = c.nc.Close()
		}
	}
}

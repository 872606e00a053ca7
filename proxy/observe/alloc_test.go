//go:build !race

package observe

import (
	"bytes"
	"testing"
	"time"
)

func TestHotPathsAllocateNothing(t *testing.T) {
	r := sampleRecord()
	f := func(name string, run func()) {
		t.Helper()
		run() // counters come into being at the first use
		if got := testing.AllocsPerRun(1000, run); got != 0 {
			t.Errorf("%s: got %v allocations; want none", name, got)
		}
	}
	m := NewMetrics(2, "test")
	route, upstream, listener, cause := m.Route("petstore", "prod", "/pets/{id}"), m.Upstream("pets", "10.0.0.1:8080"), m.Listener(":8080"), m.Cause("no_route")
	f("RouteStats.Observe", func() { route.Observe(r) })
	f("RouteStats.ObserveCall", func() { route.ObserveCall(1, GRPCStatusOf(0)) })
	f("UpstreamStats", func() {
		upstream.Observe(1, 200, time.Millisecond)
		upstream.Fail(cause)
		upstream.Retry(0)
		upstream.Open(0)
		upstream.Reuse(0)
	})
	f("ListenerStats", func() {
		listener.Accept(0)
		listener.Close(0)
		listener.Refuse(0)
		listener.Handshake(0, HandshakeFull)
	})
	f("Refuse", func() { m.Refuse(0, cause) })

	hostile := sampleRecord()
	hostile.UserAgent = []byte("\r\n\"\\\x00\xff evil \u2028")
	hostile.Path = bytes.Repeat([]byte("/\u00e9"), 1000) // longer than the scratch at first
	typical, full := typicalRecord(), fullRecord()
	for _, format := range []string{"json", "clf", "combined", benchFormat} {
		l, err := NewAccessLog(LogConfig{Format: format, Output: "/dev/null"}, 2)
		if err != nil {
			t.Fatal(err)
		}
		f("AccessLog.Write in "+format, func() { l.Write(r) })
		f("AccessLog.Write of the usual in "+format, func() { l.Write(typical) })
		f("AccessLog.Write of everything in "+format, func() { l.Write(full) })
		f("AccessLog.Write of hostile bytes in "+format, func() { l.Write(hostile) })
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

//go:build !race

package h3

import (
	"testing"

	"weir/proxy/exchange"
)

// TestAllocNothing holds that a request costs no memory beyond what quic-go
// needs for a stream.
func TestAllocNothing(t *testing.T) {
	s := New(testConfig(), 1, handlerFunc(func(*exchange.Exchange) {}))
	r := newRequest(s)
	frame := get([2]string{"user-agent", "test"}, [2]string{"accept", "*/*"}, [2]string{"cookie", "a=b"}, [2]string{"cookie", "c=d"})
	block := append([]byte(nil), frame[2:]...)
	if block[0] != 0 {
		block = block[1:]
	}
	x := &r.x
	lines := []byte("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Line: value\r\n")
	allocs := testing.AllocsPerRun(1000, func() {
		r.section.Begin(s.readers, &s.limits)
		if err := r.decoder.decode(block, &r.section); err != nil {
			t.Fatal(err)
		}
		if fault := r.section.Finish(x, true, nil); fault != nil {
			t.Fatal(fault)
		}
		x.Response.SetNoDefaultContentType(true)
		x.Response.SetStatusCode(200)
		x.Response.Set("Content-Type", "text/plain")
		x.Response.Set("X-Other", "value")
		x.Lines = lines
		r.out = r.appendHead(r.out[:0], x, false)
		x.Reset()
	})
	if allocs != 0 {
		t.Fatalf("got %v allocations a request; want none", allocs)
	}
}

//go:build !race

package grpc

import (
	"bytes"
	"testing"
	"time"

	"weir/proxy/exchange"
)

// TestAllocs holds what runs for every call to no allocation.
func TestAllocs(t *testing.T) {
	contentType, timeout, lines := []byte("application/grpc-web-text+proto"), []byte("100m"), []byte("grpc-status: 0\r\n")
	encoded := AppendText(nil, bytes.Repeat([]byte("x"), 999))
	dst, src := make([]byte, 0, 4<<10), bytes.NewReader(nil)
	var text Text
	got := testing.AllocsPerRun(100, func() {
		dst = AppendContentType(dst[:0], Native, contentType)
		_, _ = ParseTimeout(timeout)
		dst = AppendTimeout(dst[:0], time.Second)
		_, _ = StatusOf(lines)
		dst = AppendStatus(dst[:0], OfRefusal(exchange.NoRoute), exchange.NoRoute.Title)
		dst = AppendTrailerFrame(dst[:0], lines)
		dst = AppendText(dst[:0], lines)
		src.Reset(encoded)
		text.Begin(src)
		for range 2 {
			_, _ = text.Read(dst[:cap(dst)])
		}
	})
	if got != 0 {
		t.Fatalf("got %v allocations; want 0", got)
	}
}

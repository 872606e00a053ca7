//go:build !race

package h1

import (
	"bytes"
	"testing"

	"weir/proxy/exchange"
)

// TestAllocNothing holds answers from memory to no allocation: by bytes and in
// pieces, of any size.
func TestAllocNothing(t *testing.T) {
	lines := []byte("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n")
	content := bytes.Repeat([]byte{'x'}, 1<<20)
	stream := &pieces{}
	list, waits := make([][]byte, 2), make([]bool, 2)
	f := func(size int, kind string) {
		t.Helper()
		nc := dial(t, handle(func(x *exchange.Exchange) {
			x.Response.SetStatusCode(200)
			x.Lines = lines
			if kind == "bytes" {
				x.Bytes = content[:size]
			} else {
				list[0], list[1] = content[:size/2], content[:size/2]
				stream.list, stream.waits = list, waits
				x.Stream, x.Length = stream, int64(size)
				if kind == "chunks" {
					x.Length = exchange.Chunked
				}
			}
			_ = x.Front.Send(x)
		}))
		request := []byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		last := []byte("\r\n0\r\n\r\n")
		buf, whole := make([]byte, 2<<20), 0
		exchange := func() {
			if _, err := nc.Write(request); err != nil {
				t.Fatal(err)
			}
			for n := 0; whole == 0 || n < whole; {
				m, err := nc.Read(buf[n:])
				if err != nil {
					t.Fatal(err)
				}
				if n += m; whole == 0 && (bytes.HasSuffix(buf[:n], last) || isWhole(buf[:n], size)) {
					whole = n
				}
			}
		}
		for range 20 {
			exchange()
		}
		if got := testing.AllocsPerRun(200, exchange); got != 0 {
			t.Errorf("%s of %d bytes: got %v allocations an answer; want none", kind, size, got)
		}
	}
	for _, kind := range []string{"bytes", "pieces", "chunks"} {
		for _, size := range []int{1 << 10, 16 << 10, 100 << 10, 1 << 20} {
			f(size, kind)
		}
	}
}

// isWhole tells whether b is a head and size bytes.
func isWhole(b []byte, size int) bool {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	return end > 0 && len(b) == end+4+size
}

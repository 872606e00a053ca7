package hpack

import (
	"fmt"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// requestBlocks are n requests as a browser would send them on one connection:
// the path and one field differ, the rest repeats.
func requestBlocks(n int) [][]byte {
	e := NewEncoder(DefaultTableSize)
	blocks := make([][]byte, n)
	for i := range blocks {
		b := e.Begin(nil)
		for _, f := range [][2]string{
			{":method", "GET"}, {":scheme", "https"}, {":authority", "www.example.org"},
			{":path", fmt.Sprintf("/pets/%d/toys?color=blue&n=%d", i, i*7919)},
			{"user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
			{"accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
			{"accept-language", "en-US,en;q=0.5"}, {"accept-encoding", "gzip, deflate, br, zstd"},
			{"sec-fetch-mode", "navigate"}, {"x-trace", fmt.Sprintf("%016x", i*104729)},
			{"cookie", "session=0123456789abcdef0123456789abcdef"},
		} {
			b = e.AppendField(b, []byte(f[0]), []byte(f[1]))
		}
		blocks[i] = b
	}
	return blocks
}

var (
	nameServer, nameType, nameVia, nameLength = []byte("Server"), []byte("Content-Type"), []byte("Via"), []byte("Content-Length")
	valueServer, valueType, valueVia          = []byte("nginx/1.26"), []byte("application/octet-stream"), []byte("1.1 weir")
	lengths                                   = [][]byte{[]byte("1024"), []byte("1034"), []byte("77")}
)

func appendAnswer(e *Encoder, dst []byte, i int) []byte {
	dst = e.AppendStatus(e.Begin(dst), 200)
	dst = e.AppendField(dst, nameServer, valueServer)
	dst = e.AppendField(dst, nameType, valueType)
	dst = e.AppendField(dst, nameVia, valueVia)
	return e.AppendField(dst, nameLength, lengths[i%len(lengths)])
}

// BenchmarkDecode decodes one connection's requests. The two tables differ in
// nothing but the decoder.
func BenchmarkDecode(b *testing.B) {
	blocks := requestBlocks(256)
	b.Run("weir", func(b *testing.B) {
		b.ReportAllocs()
		d := NewDecoder(DefaultTableSize)
		var fields Fields
		for i := 0; b.Loop(); i++ {
			if i%len(blocks) == 0 {
				d.table.resize(0)
				d.table.resize(DefaultTableSize)
			}
			fields.Reset(16 << 10)
			if err := d.Decode(blocks[i%len(blocks)], &fields); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("x-net", func(b *testing.B) {
		b.ReportAllocs()
		d := hpack.NewDecoder(DefaultTableSize, func(hpack.HeaderField) {})
		for i := 0; b.Loop(); i++ {
			if i%len(blocks) == 0 {
				d.SetMaxDynamicTableSize(0)
				d.SetMaxDynamicTableSize(DefaultTableSize)
			}
			if _, err := d.Write(blocks[i%len(blocks)]); err != nil {
				b.Fatal(err)
			}
			if err := d.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	b.Run("weir", func(b *testing.B) {
		b.ReportAllocs()
		e := NewEncoder(DefaultTableSize)
		out := make([]byte, 0, 4<<10)
		for i := 0; b.Loop(); i++ {
			out = appendAnswer(&e, out[:0], i)
		}
	})
}

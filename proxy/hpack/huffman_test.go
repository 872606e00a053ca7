package hpack

import (
	"bytes"
	"testing"

	"golang.org/x/net/http2/hpack"
)

func TestHuffmanAgreesWithAnother(t *testing.T) {
	for c := range 256 {
		for _, s := range [][]byte{{byte(c)}, {byte(c), byte(c)}, {'a', byte(c), 'z', byte(c), byte(c)}} {
			want := hpack.AppendHuffmanString(nil, string(s))
			got := appendEncoded(nil, s)
			if !bytes.Equal(got, want) || encodedLength(s) != len(want) {
				t.Fatalf("encoding %q: got %x, %d bytes; want %x", s, got, encodedLength(s), want)
			}
			back, err := appendDecoded(nil, want)
			if err != nil || !bytes.Equal(back, s) {
				t.Fatalf("decoding %x: got %q and %v; want %q", want, back, err, s)
			}
		}
	}
}

func TestHuffmanPadding(t *testing.T) {
	f := func(coded []byte, ok bool) {
		t.Helper()
		if _, err := appendDecoded(nil, coded); (err == nil) != ok {
			t.Fatalf("decoding %x: got %v; want ok %v", coded, err, ok)
		}
	}
	f(nil, true)
	f([]byte{0x1f}, true)                    // 'a' and three ones
	f([]byte{0x1e}, false)                   // 'a' and padding that is not of ones
	f([]byte{0x1f, 0xff}, false)             // eleven bits of padding
	f([]byte{0xff}, false)                   // eight bits of padding and nothing else
	f([]byte{0xff, 0xff, 0xff, 0xff}, false) // EOS
	f([]byte{0x1f, 0xff, 0xff, 0xff, 0xff, 0xff}, false)
	f([]byte{0xff, 0xff, 0xff}, false)
}

func FuzzHuffman(f *testing.F) {
	f.Add([]byte("www.example.com"))
	f.Add([]byte{0xff, 0xff, 0xea, 0x1f})
	f.Fuzz(func(t *testing.T, b []byte) {
		want, wantErr := hpack.HuffmanDecodeToString(b)
		got, err := appendDecoded(nil, b)
		if (err == nil) != (wantErr == nil) || (err == nil && string(got) != want) {
			t.Fatalf("decoding %x: got %q, %v; another decoder says %q, %v", b, got, err, want, wantErr)
		}
		coded := appendEncoded(nil, b)
		if back, err := appendDecoded(nil, coded); err != nil || !bytes.Equal(back, b) {
			t.Fatalf("%x came back as %x, %v", b, back, err)
		}
	})
}

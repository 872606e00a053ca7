package grpc

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"testing"
)

func FuzzTimeout(f *testing.F) {
	for _, seed := range []string{"100m", "1H", "99999999n", "0n", "99999999H", "", "1", "1ms"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, ok := ParseTimeout(b)
		if !ok {
			return
		}
		if d < 0 {
			t.Fatalf("ParseTimeout(%q): got %d; want no less than 0", b, d)
		}
		text := AppendTimeout(nil, d)
		again, ok := ParseTimeout(text)
		if !ok || again > d || d-again > d/1e6 {
			t.Fatalf("%q became %q: got %s, %t; want %s", b, text, again, ok, d)
		}
	})
}

func FuzzKind(f *testing.F) {
	for _, seed := range []string{"application/grpc", "application/grpc-web-text+proto; a=b", "text/html"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k := KindOf(b)
		if k == None {
			return
		}
		for _, other := range []Kind{Native, Web, WebText} {
			turned := AppendContentType(nil, other, b)
			if got := KindOf(turned); got != other {
				t.Fatalf("%q became %q, which is %d; want %d", b, turned, got, other)
			}
			if back := AppendContentType(nil, k, turned); !bytes.EqualFold(back, b) {
				t.Fatalf("%q came back as %q", b, back)
			}
		}
	})
}

func FuzzStatus(f *testing.F) {
	f.Add([]byte("grpc-status: 0\r\ngrpc-message: ok\r\n"))
	f.Add([]byte("Grpc-Status:16\r\n"))
	f.Add([]byte("\r\n\r\n:"))
	f.Fuzz(func(t *testing.T, lines []byte) {
		if code, _ := StatusOf(lines); code >= Codes {
			t.Fatalf("StatusOf(%q): got %d", lines, code)
		}
		frame := AppendTrailerFrame(nil, lines)
		if frame[0] != trailerFlag || int(binary.BigEndian.Uint32(frame[1:])) != len(lines) ||
			!bytes.EqualFold(frame[5:], lines) {
			t.Fatalf("the frame of %q is %q", lines, frame)
		}
	})
}

// FuzzText decodes groups of every kind against the standard library's
// decoder, which does one group at a time.
func FuzzText(f *testing.F) {
	f.Add("YQ==YWI=YWJj", 1, 1)
	f.Add("AAAAAAA=", 3, 5)
	f.Add("Y===", 4, 4)
	f.Fuzz(func(t *testing.T, text string, from, into int) {
		from, into = 1+from&0xff, 1+into&0xff
		var want []byte
		valid := true
		for rest := text; rest != "" && valid; {
			var group string
			group, rest = rest[:min(4, len(rest))], rest[min(4, len(rest)):]
			var out [3]byte
			n, err := base64.StdEncoding.Strict().Decode(out[:], []byte(group))
			// The library skips line ends, which have no place here.
			valid = err == nil && len(group) == 4 && !bytes.ContainsAny([]byte(group), "\r\n")
			if valid {
				want = append(want, out[:n]...)
			}
		}
		got, err := readText(text, from, into)
		if got != string(want) || (err == nil) != valid {
			t.Fatalf("%q: got %q, %v; want %q, valid %t", text, got, err, want, valid)
		}
		whole, err := DecodeText([]byte(text))
		if (err == nil) != valid || (valid && !bytes.Equal(whole, want)) {
			t.Fatalf("%q at once: got %q, %v; want %q, valid %t", text, whole, err, want, valid)
		}
	})
}

package grpc

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// readText decodes text that comes in pieces of from bytes, into a buffer of into.
func readText(text string, from, into int) (string, error) {
	var t Text
	t.Begin(&pieces{[]byte(text), from})
	var out strings.Builder
	p := make([]byte, into)
	for {
		n, err := t.Read(p)
		out.Write(p[:n])
		if err == io.EOF {
			return out.String(), nil
		}
		if err != nil {
			return out.String(), err
		}
	}
}

// pieces is a reader that gives at most size bytes at once.
type pieces struct {
	b    []byte
	size int
}

func (r *pieces) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.size)], r.b)
	r.b = r.b[n:]
	return n, nil
}

func TestTextDecodesAsItComes(t *testing.T) {
	f := func(text, want string, wantErr error) {
		t.Helper()
		for _, from := range []int{1, 2, 3, 5, 1 << 12} {
			for _, into := range []int{1, 2, 3, 4, 7, 1 << 12} {
				got, err := readText(text, from, into)
				if got != want || !errors.Is(err, wantErr) {
					t.Fatalf("%q in pieces of %d into %d: got %q, %v; want %q, %v", text, from, into, got, err, want, wantErr)
				}
			}
		}
		if got, err := DecodeText([]byte(text)); !errors.Is(err, wantErr) || (err == nil && string(got) != want) {
			t.Fatalf("%q at once: got %q, %v; want %q, %v", text, got, err, want, wantErr)
		}
	}
	f("", "", nil)
	f("AAAAAAA=", "\x00\x00\x00\x00\x00", nil)
	f("YQ==", "a", nil)
	f("YWI=", "ab", nil)
	f("YWJj", "abc", nil)
	f("YQ==YWI=YWJjYQ==", "aababca", nil) // padded where the sender flushed
	f("+/+/", "\xfb\xff\xbf", nil)
	f("YWJj"+"YW", "abc", ErrText)
	f("Y", "", ErrText)
	f("YQ=", "", ErrText)
	f("YWJj"+"Y===", "abc", ErrText)
	f("====", "", ErrText)
	f("YR==", "", ErrText) // bits behind the end
	f("YWK=", "ab"[:0], ErrText)
	f("Y=Q=", "", ErrText)
	f("YW\r\n", "", ErrText)
	f("-_-_", "", ErrText)
	f("YWJj YQ==", "abc", ErrText)
}

func TestTextTellsErrorsOfItsSource(t *testing.T) {
	var text Text
	text.Begin(io.MultiReader(strings.NewReader("YWJjYW"), iotest.ErrReader(io.ErrNoProgress)))
	got, err := io.ReadAll(&text)
	if string(got) != "abc" || err != io.ErrNoProgress {
		t.Fatalf("got %q, %v; want abc and the error of the source", got, err)
	}
}

func TestTextPending(t *testing.T) {
	var text Text
	text.Begin(strings.NewReader("YWJjYWJj"))
	if text.Pending() || !text.Whole() {
		t.Fatal("before the first read: pending or not whole")
	}
	p := make([]byte, 2)
	if n, err := text.Read(p); n != 2 || err != nil {
		t.Fatalf("Read: got %d, %v", n, err)
	}
	if !text.Pending() || text.Whole() {
		t.Fatal("with a group half read: not pending, or whole")
	}
	if _, err := io.ReadAll(&text); err != nil {
		t.Fatal(err)
	}
	if !text.Whole() {
		t.Fatal("at the end: not whole")
	}
}

func TestAppendText(t *testing.T) {
	for n := range 10 {
		b := bytes.Repeat([]byte{0xa5}, n)
		text := AppendText(nil, b)
		if len(text) != TextLength(n) || string(text) != base64.StdEncoding.EncodeToString(b) {
			t.Fatalf("%d bytes: got %q", n, text)
		}
	}
}

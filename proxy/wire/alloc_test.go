//go:build !race

package wire

import (
	"bufio"
	"bytes"
	"io"
	"testing"
)

func noAllocs(t *testing.T, what string, f func()) {
	t.Helper()
	if got := testing.AllocsPerRun(200, f); got != 0 {
		t.Errorf("%s: got %g allocations; want 0", what, got)
	}
}

func TestHeadsAllocateNothing(t *testing.T) {
	for _, text := range heads {
		b := []byte(text)
		var h Head
		noAllocs(t, text, func() {
			h.Reset()
			_, _ = h.ScanRequest(b, &testLimits)
		})
	}
	answer := []byte(responseSeed[0])
	var h Head
	noAllocs(t, "an answer", func() {
		h.Reset()
		_, _ = h.ScanResponse(answer, &testLimits)
	})
}

func TestBodiesAllocateNothing(t *testing.T) {
	f := func(stream string, length int64, want error) {
		t.Helper()
		source := bytes.NewReader(nil)
		br := bufio.NewReader(source)
		buf := make([]byte, 4)
		var b Body
		in := []byte(stream)
		noAllocs(t, stream, func() {
			source.Reset(in)
			br.Reset(source)
			b.Begin(br, length)
			for {
				if _, err := b.Read(buf); err != nil {
					if err != want {
						t.Fatalf("%q: got %v; want %v", stream, err, want)
					}
					return
				}
			}
		})
	}
	f("hello", 5, io.EOF)
	f("hel", 5, ErrTruncated)
	f("until the end", Unknown, io.EOF)
	f("5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\n", Chunked, io.EOF)
	f("5\r\nhello!\r\n", Chunked, faultChunk)
}

func TestSockAllocatesNothing(t *testing.T) {
	s, far := pair(t)
	s.ReadLimits(0, patient)
	s.WriteLimits(0, patient)
	s.Watch(&peer{})
	in, out, l := make([]byte, 8), []byte("abc"), &lent{}
	echo := make([]byte, 8)
	noAllocs(t, "a write and a read", func() {
		if _, err := s.Write(out); err != nil {
			t.Fatal(err)
		}
		n, _ := far.Read(echo)
		_, _ = far.Write(echo[:n])
		if _, err := s.Read(in); err != nil {
			t.Fatal(err)
		}
	})
	noAllocs(t, "a lent read", func() {
		l.out = 0
		_, _ = far.Write(out)
		if _, err := s.ReadLent(l); err != nil {
			t.Fatal(err)
		}
	})
	noAllocs(t, "Gone and Pristine", func() {
		if s.Gone() || !s.Pristine() {
			t.Fatal("got Gone or not Pristine; want an idle connection")
		}
	})
}

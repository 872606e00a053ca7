package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

// cutReader gives b in two reads, the first of n bytes.
type cutReader struct {
	b []byte
	n int
}

func (r *cutReader) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	n := len(r.b)
	if r.n > 0 {
		n = min(r.n, n)
	}
	n = copy(p, r.b[:n])
	r.b = r.b[n:]
	r.n = max(r.n-n, 0)
	return n, nil
}

var errAny = errors.New("any error")

// same compares errors: a fault is itself, errAny is every one.
func same(got, want error) bool {
	return errors.Is(got, want) || (want == errAny && got != nil)
}

func TestBodyAtEverySplit(t *testing.T) {
	f := func(stream string, length int64, want, rest string, wantErr error) {
		t.Helper()
		check := func(how string, r io.Reader) {
			t.Helper()
			var b Body
			br := bufio.NewReaderSize(r, 2048)
			b.Begin(br, length)
			got, err := io.ReadAll(&b)
			if string(got) != want || (err == nil) != (wantErr == nil) || (wantErr != nil && !same(err, wantErr)) {
				t.Fatalf("%q, %s: got %q, %v; want %q, %v", stream, how, got, err, want, wantErr)
			}
			if b.Done() != (wantErr == nil) || b.Count() != int64(len(want)) {
				t.Fatalf("%q, %s: got Done %t, Count %d; want %t, %d", stream, how, b.Done(), b.Count(), wantErr == nil, len(want))
			}
			if wantErr != nil {
				if _, again := b.Read(make([]byte, 1)); again != err {
					t.Fatalf("%q, %s: the next read: got %v; want %v again", stream, how, again, err)
				}
				return
			}
			if left, _ := io.ReadAll(br); string(left) != rest {
				t.Fatalf("%q, %s: behind the body: got %q; want %q", stream, how, left, rest)
			}
		}
		for cut := range len(stream) + 1 {
			check("cut at "+strconv.Itoa(cut), &cutReader{[]byte(stream), cut})
		}
		check("byte by byte", iotest.OneByteReader(strings.NewReader(stream)))
	}
	f("next", 0, "", "next", nil)
	f("hinext", 2, "hi", "next", nil)
	f("h", 2, "h", "", ErrTruncated)
	f("", 2, "", "", ErrTruncated)
	f("until the end", Unknown, "until the end", "", nil)
	f("2\r\nhi\r\n0\r\n\r\nnext", Chunked, "hi", "next", nil)
	f("2;a=b\r\nhi\r\nA\r\n0123456789\r\n000\r\n\r\nnext", Chunked, "hi0123456789", "next", nil)
	f("2\r\nhi\r\n0\r\nX: y\r\nZ:\r\n\r\nnext", Chunked, "hi", "next", nil)
	f("2\r\nhi\r\n0\r\n\r", Chunked, "hi", "", ErrTruncated)
	f("2\r\nhi\r\n", Chunked, "hi", "", ErrTruncated)
	f("2\r\nhi", Chunked, "hi", "", ErrTruncated)
	f("2\r\nhi\r\n0\r\nX: y\r\n", Chunked, "hi", "", ErrTruncated)
	f("", Chunked, "", "", ErrTruncated)
	f("2\r\nhip\r\n", Chunked, "hi", "", faultChunk)
	f("2\nhi\r\n0\r\n\r\n", Chunked, "", "", faultBareLF)
	f("2 \r\nhi\r\n", Chunked, "", "", faultChunk)
	f("\r\n", Chunked, "", "", faultChunk)
	f("g\r\n", Chunked, "", "", faultChunk)
	f("0000000000000000\r\n", Chunked, "", "", faultChunk)
	f("1;"+strings.Repeat("x", chunkLineMax)+"\r\n", Chunked, "", "", faultChunkExt)
	f("0\r\nHost: x\r\n\r\n", Chunked, "", "", faultTrailerName)
	f("0\r\nX y: x\r\n\r\n", Chunked, "", "", faultTrailer)
	f("0\r\n"+strings.Repeat("X: y\r\n", trailerFields+1)+"\r\n", Chunked, "", "", faultTrailerLong)
	f("0\r\nX: "+strings.Repeat("y", 2100)+"\r\n\r\n", Chunked, "", "", faultTrailerLong)
}

func TestChunkExtensionsInAllAreBounded(t *testing.T) {
	chunk := "1;" + strings.Repeat("x", 1000) + "\r\na\r\n"
	var b Body
	b.Begin(bufio.NewReader(strings.NewReader(strings.Repeat(chunk, 100))), Chunked)
	got, err := io.ReadAll(&b)
	if !errors.Is(err, faultChunkExt) || len(got) > 20 {
		t.Fatalf("got %d bytes, %v; want %v after 16 KiB of extensions", len(got), err, faultChunkExt)
	}
}

func TestTrailersAreThoseOfThisBody(t *testing.T) {
	var b Body
	b.Begin(bufio.NewReader(strings.NewReader("0\r\nX: y\r\n\r\n")), Chunked)
	if b.Trailers() != nil {
		t.Fatal("before the end: got trailers; want none")
	}
	_, _ = io.ReadAll(&b)
	if got := string(b.Trailers()); got != "X: y\r\n" {
		t.Fatalf("got %q; want the one field", got)
	}
	b.Begin(bufio.NewReader(strings.NewReader("0\r\n\r\n")), Chunked)
	_, _ = io.ReadAll(&b)
	if got := string(b.Trailers()); got != "" {
		t.Fatalf("the next body: got %q; want none", got)
	}
}

// A body whose last bytes have come is known to be whole without another read,
// which would wait for the next request.
func TestBodyKnowsItsEndAtOnce(t *testing.T) {
	var b Body
	b.Begin(bufio.NewReader(strings.NewReader("2\r\nhi\r\n0\r\n\r\n")), Chunked)
	if n, err := b.Read(make([]byte, 16)); n != 2 || err != nil || !b.Done() {
		t.Fatalf("got %d, %v, Done %t; want 2 bytes and the end", n, err, b.Done())
	}
}

func TestAppendChunks(t *testing.T) {
	f := func(pieces []string, trailers string) {
		t.Helper()
		var wire []byte
		for _, p := range pieces {
			wire = append(append(AppendChunkSize(wire, len(p)), p...), '\r', '\n')
		}
		wire = AppendLastChunk(wire, []byte(trailers))
		var b Body
		b.Begin(bufio.NewReader(bytes.NewReader(wire)), Chunked)
		got, err := io.ReadAll(&b)
		if err != nil || string(got) != strings.Join(pieces, "") || string(b.Trailers()) != trailers {
			t.Fatalf("%q: got %q, %q, %v; want %q, %q", wire, got, b.Trailers(), err, pieces, trailers)
		}
	}
	f(nil, "")
	f([]string{"a"}, "X: y\r\n")
	f([]string{strings.Repeat("b", 15), strings.Repeat("c", 16), strings.Repeat("d", 70000)}, "")
}

// slowChunks reads a chunked body in the plainest way; ok is false for one
// that is not whole and good.
func slowChunks(s string) (content, trailers, rest string, ok bool) {
	extensions := 0
	for {
		line, after, found := strings.Cut(s, "\r\n")
		size, ext, extended := strings.Cut(line, ";")
		n, err := strconv.ParseUint(size, 16, 60)
		if !found || len(line) >= chunkLineMax || err != nil || len(size) > 15 || controlRule.MatchString(line) {
			return "", "", "", false
		}
		if extended {
			extensions += 1 + len(ext)
		}
		if extensions > chunkExtMax {
			return "", "", "", false
		}
		s = after
		if n == 0 {
			break
		}
		if uint64(len(s)) < n+2 || s[n:n+2] != "\r\n" {
			return "", "", "", false
		}
		content, s = content+s[:n], s[n+2:]
	}
	for fields := 0; ; fields++ {
		line, after, found := strings.Cut(s, "\r\n")
		s = after
		if !found {
			return "", "", "", false
		}
		if line == "" {
			return content, trailers, s, true
		}
		parts := nameRule.FindStringSubmatch(line)
		if parts == nil || controlRule.MatchString(line) || fields == trailerFields || len(line) > 2000 ||
			!TrailerAllowed([]byte(strings.ToUpper(parts[1]))) || len(trailers)+len(line) > trailerMax {
			return "", "", "", false
		}
		trailers += line + "\r\n"
	}
}

func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		"0\r\n\r\n", "2\r\nhi\r\n0\r\n\r\n", "2;a=b\r\nhi\r\nA\r\n0123456789\r\n000\r\n\r\nnext", "0\r\nX: y\r\n\r\n",
		"2 \r\nhi\r\n0\r\n\r\n", "2\nhi\r\n0\r\n\r\n", "+2\r\nhi\r\n0\r\n\r\n", "0x2\r\nhi\r\n", "2\r\nhi\n0\r\n\r\n",
		"0\r\nContent-Length: 2\r\n\r\n", "fffffffffffffff\r\n", "0\r\nX: a\r\n b\r\n\r\n",
	} {
		f.Add(seed, uint16(0))
		f.Add(seed, uint16(3))
	}
	f.Fuzz(func(t *testing.T, stream string, cut uint16) {
		want, trailers, rest, ok := slowChunks(stream)
		var b Body
		br := bufio.NewReaderSize(&cutReader{[]byte(stream), int(cut)}, 2002)
		b.Begin(br, Chunked)
		got, err := io.ReadAll(&b)
		if (err == nil) != ok {
			t.Fatalf("%q: got %q, %v; want %t", stream, got, err, ok)
		}
		if !ok {
			return
		}
		left, _ := io.ReadAll(br)
		if string(got) != want || string(b.Trailers()) != trailers || string(left) != rest {
			t.Fatalf("%q: got %q, %q, %q; want %q, %q, %q", stream, got, b.Trailers(), left, want, trailers, rest)
		}
	})
}

package h3

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/quic-go/qpack"
)

// TestStaticTable holds the table against another implementation's.
func TestStaticTable(t *testing.T) {
	for i, want := range static {
		block := appendInteger(appendSection(nil), 0xc0, 6, uint64(i))
		got, err := qpack.NewDecoder().Decode(block)()
		if err != nil || got.Name != string(want.name) || got.Value != string(want.value) {
			t.Fatalf("entry %d: got %q %q; the other has %q %q, %v", i, want.name, want.value, got.Name, got.Value, err)
		}
	}
	if _, err := qpack.NewDecoder().Decode(appendInteger(appendSection(nil), 0xc0, 6, uint64(len(static))))(); err == nil {
		t.Fatal("the other has more entries")
	}
}

// decodeOther decodes a field section with another implementation.
func decodeOther(block []byte) (out string, err error) {
	next := qpack.NewDecoder().Decode(block)
	for {
		f, err := next()
		if err != nil {
			if err.Error() == "EOF" {
				return out, nil
			}
			return out, err
		}
		out += f.Name + ": " + f.Value + "\n"
	}
}

func TestEncoderIsUnderstood(t *testing.T) {
	f := func(name, value string) {
		t.Helper()
		want := strings.ToLower(name) + ": " + value + "\n"
		block := appendField(appendSection(nil), []byte(name), []byte(value))
		if got, err := decodeOther(block); err != nil || got != want {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
		var l lines
		if err := new(decoder).decode(block, &l); err != nil || l.String() != want {
			t.Fatalf("got %q, %v; want %q", l.String(), err, want)
		}
	}
	for _, name := range []string{"a", "Content-Type", "X-Frame-Options", "Access-Control-Allow-Headers", "Set-Cookie", strings.Repeat("Ab", 100)} {
		for _, value := range []string{"", "a", "text/plain", "sameorigin", "*", "content-type", strings.Repeat("x", 126), strings.Repeat("x", 127), strings.Repeat("x", 300)} {
			f(name, value)
		}
	}
	for status := 100; status < 600; status++ {
		want := fmt.Sprintf(":status: %d\n", status)
		if got, err := decodeOther(appendStatus(appendSection(nil), status)); err != nil || got != want {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
	}
}

// TestDecoderUnderstands holds that Huffman codes and literals of another
// encoder are read.
func TestDecoderUnderstands(t *testing.T) {
	var block bytes.Buffer
	e := qpack.NewEncoder(&block)
	want := ""
	for _, f := range []qpack.HeaderField{{Name: ":path", Value: "/index.html?a=b"}, {Name: "user-agent", Value: "quic"}, {Name: "x-äöü", Value: "\x00\xff ~"}, {Name: "a", Value: ""}} {
		_ = e.WriteField(f)
		want += f.Name + ": " + f.Value + "\n"
	}
	var l lines
	if err := new(decoder).decode(block.Bytes(), &l); err != nil || l.String() != want {
		t.Fatalf("got %q, %v; want %q", l.String(), err, want)
	}
}

// FuzzDecoder holds the decoder against another: what it takes, the other
// takes, and reads the same.
func FuzzDecoder(f *testing.F) {
	f.Add(get()[3:])
	f.Add(appendField(appendSection(nil), []byte("content-type"), []byte("text/plain")))
	f.Add([]byte("\x00\x00\x2b\x01\x02\x03\x83\x01\x02\x03"))
	f.Fuzz(func(t *testing.T, block []byte) {
		var l lines
		if new(decoder).decode(block, &l) != nil || block[1] != 0 {
			return // the other takes no Base but 0
		}
		if want, err := decodeOther(block); err != nil || l.String() != want {
			t.Fatalf("%x: got %q; the other has %q, %v", block, l.String(), want, err)
		}
	})
}

// FuzzFrames holds that frames are read alike however their bytes are cut, and
// that nothing makes the reader panic or wait for ever.
func FuzzFrames(f *testing.F) {
	f.Add(join(get(), data("hello")), byte(1))
	f.Add([]byte{0xc0, 0, 0, 0, 0, 0, 0, 1, 0x40, 2, 'x'}, byte(3))
	f.Fuzz(func(t *testing.T, sent []byte, step byte) {
		whole, cut := readAll(bytes.NewReader(sent)), readAll(&stepped{b: sent, step: int(step)%7 + 1})
		if whole != cut {
			t.Fatalf("%x: got %s whole and %s cut", sent, whole, cut)
		}
	})
}

func readAll(in interface{ Read([]byte) (int, error) }) (out string) {
	r := newReader(64)
	r.reset(in)
	for {
		kind, length, err := r.next()
		if err != nil {
			return out + err.Error()
		}
		out += fmt.Sprintf("%x:%d ", kind, length)
		if err := r.skip(length); err != nil {
			return out + err.Error()
		}
	}
}

type stepped struct {
	b    []byte
	step int
}

func (s *stepped) Read(p []byte) (int, error) {
	n, err := bytes.NewReader(s.b).Read(p[:min(len(p), s.step)])
	s.b = s.b[n:]
	return n, err
}

func TestVarint(t *testing.T) {
	f := func(v uint64, want int) {
		t.Helper()
		b := appendVarint(nil, v)
		if got, n := parseVarint(b); got != v || n != len(b) || n != want {
			t.Fatalf("%d: got %d in %d bytes; want %d", v, got, n, want)
		}
		if _, n := parseVarint(b[:len(b)-1]); n != 0 {
			t.Fatalf("%d: got half of it", v)
		}
	}
	for _, c := range []struct {
		v uint64
		n int
	}{{0, 1}, {63, 1}, {64, 2}, {16383, 2}, {16384, 4}, {1<<30 - 1, 4}, {1 << 30, 8}, {1<<62 - 1, 8}} {
		f(c.v, c.n)
	}
}

func TestPriority(t *testing.T) {
	f := func(value string, urgency int8, incremental bool) {
		t.Helper()
		if u, i := parsePriority([]byte(value)); u != urgency || i != incremental {
			t.Fatalf("%q: got %d %v; want %d %v", value, u, i, urgency, incremental)
		}
	}
	f("", 3, false)
	f("u=0", 0, false)
	f("u=7, i", 7, true)
	f("i=?0,u=5;x=1", 5, false)
	f("u=8", 3, false)
	f("u=-1, i=?1", 3, true)
	f(",,;=", 3, false)
}

func TestAltSvc(t *testing.T) {
	if got, want := AltSvc(443), `h3=":443"; ma=86400`; got != want {
		t.Fatalf("got %q; want %q", got, want)
	}
}

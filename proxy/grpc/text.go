package grpc

import (
	"errors"
	"io"
)

// ErrText says that a text is no base64, or ends inside a group of four.
var ErrText = errors.New("the text of gRPC-Web is not base64")

// Text decodes a stream of the text form of gRPC-Web as it comes. Padding may
// stand inside of it, where the sender has flushed (PROTOCOL-WEB, Text-encoded
// streams). Begin makes it ready; one goroutine at a time uses it.
type Text struct {
	src      io.Reader
	err      error // of src, told when all before it was
	in       [4 << 10]byte
	from, to int     // what of in is not decoded
	out      [3]byte // of a group that did not fit
	have     int     // at the end of out
}

// Begin makes t decode src.
func (t *Text) Begin(src io.Reader) {
	t.src, t.err, t.from, t.to, t.have = src, nil, 0, 0, 0
}

// Pending tells whether Read would give something, or an error, without reading src.
func (t *Text) Pending() bool { return t.have > 0 || t.to-t.from >= 4 || t.err != nil }

// Whole tells whether nothing is left of what was read of src.
func (t *Text) Whole() bool { return t.have == 0 && t.from == t.to }

// Read implements io.Reader. io.EOF means that src ended after a whole group.
func (t *Text) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, err := t.decode(p)
		if n > 0 || err != nil {
			return n, err
		}
		if t.err != nil {
			if t.err == io.EOF && t.from < t.to {
				return 0, ErrText
			}
			return 0, t.err
		}
		t.fill()
	}
}

// fill reads more, behind the begin of a group that was not whole.
func (t *Text) fill() {
	t.to = copy(t.in[:], t.in[t.from:t.to])
	t.from = 0
	n, err := t.src.Read(t.in[t.to:])
	t.to += n
	t.err = err
}

// decode decodes what is there into p.
func (t *Text) decode(p []byte) (n int, err error) {
	if t.have > 0 {
		n = copy(p, t.out[len(t.out)-t.have:])
		t.have -= n
	}
	for ; t.to-t.from >= 4 && n < len(p); t.from += 4 {
		var group [3]byte
		size, ok := decodeGroup(&group, t.in[t.from:t.from+4])
		if !ok {
			t.err, t.from = ErrText, t.to
			if n > 0 {
				return n, nil
			}
			return 0, ErrText
		}
		put := copy(p[n:], group[:size])
		n += put
		t.have = size - put
		copy(t.out[len(t.out)-t.have:], group[put:size])
	}
	return n, nil
}

// DecodeText decodes a whole text in place.
func DecodeText(b []byte) ([]byte, error) {
	out := b[:0]
	for len(b) >= 4 {
		var group [3]byte
		size, ok := decodeGroup(&group, b[:4])
		if !ok {
			return nil, ErrText
		}
		out, b = append(out, group[:size]...), b[4:]
	}
	if len(b) > 0 {
		return nil, ErrText
	}
	return out, nil
}

// decodeGroup decodes four characters. Bits that padding leaves over must be
// zero, so that every content has one form (RFC 4648 §3.5).
func decodeGroup(dst *[3]byte, b []byte) (size int, ok bool) {
	size = 3
	last := uint32(0) // bits that must be zero
	switch {
	case b[3] != '=':
	case b[2] == '=':
		size, last = 1, 0xffff
	default:
		size, last = 2, 0xff
	}
	v := uint32(0)
	for i := range 4 {
		digit := uint32(0)
		if i <= size {
			c := digitOf(b[i])
			if c < 0 {
				return 0, false
			}
			digit = uint32(c)
		}
		v = v<<6 | digit
	}
	if v&last != 0 {
		return 0, false
	}
	dst[0], dst[1], dst[2] = byte(v>>16), byte(v>>8), byte(v)
	return size, true
}

func digitOf(c byte) int {
	switch {
	case c >= 'A' && c <= 'Z':
		return int(c - 'A')
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 26
	case c >= '0' && c <= '9':
		return int(c-'0') + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return -1
}

package h3

import (
	"bytes"
	"errors"
	"strconv"

	"weir/proxy/hpack"
)

// This is QPACK (RFC 9204) without a dynamic table: clients are told that it
// has no room (by leaving SETTINGS_QPACK_MAX_TABLE_CAPACITY out), so that no
// stream ever waits for another.

var errQPACK = errors.New("malformed field section")

// sink takes decoded fields. It copies what it keeps.
type sink interface{ Add(name, value []byte) }

// decoder decodes field sections. The zero value is ready. Not safe for
// concurrent use.
type decoder struct{ name, value []byte }

// decode gives the fields of an encoded field section to dst.
func (d *decoder) decode(b []byte, dst sink) error {
	// Without a dynamic table Required Insert Count is 0, and Base any number
	// that is not negative (§4.5.1).
	count, b, err := integer(b, 8)
	if err != nil || count != 0 || len(b) == 0 || b[0]&0x80 != 0 {
		return errQPACK
	}
	if _, b, err = integer(b, 7); err != nil {
		return err
	}
	for len(b) > 0 {
		if b, err = d.line(b, dst); err != nil {
			return err
		}
	}
	return nil
}

// line decodes one field line (§4.5.2 to §4.5.6). Forms that refer to the
// dynamic table are errors.
func (d *decoder) line(b []byte, dst sink) (rest []byte, err error) {
	var index uint64
	var name, value []byte
	switch {
	case b[0]&0xc0 == 0xc0: // indexed, static
		if index, rest, err = integer(b, 6); err != nil || index >= uint64(len(static)) {
			return nil, errQPACK
		}
		dst.Add(static[index].name, static[index].value)
		return rest, nil
	case b[0]&0xd0 == 0x50: // literal with the name of a static entry
		if index, rest, err = integer(b, 4); err != nil || index >= uint64(len(static)) {
			return nil, errQPACK
		}
		name = static[index].name
	case b[0]&0xe0 == 0x20: // literal with a literal name
		if name, rest, err = text(b, 3, &d.name); err != nil {
			return nil, err
		}
	default:
		return nil, errQPACK
	}
	if value, rest, err = text(rest, 7, &d.value); err != nil {
		return nil, err
	}
	dst.Add(name, value)
	return rest, nil
}

// integer reads an integer with a prefix of n bits (RFC 7541 §5.1).
func integer(b []byte, n uint) (uint64, []byte, error) {
	if len(b) == 0 {
		return 0, nil, errQPACK
	}
	most := uint64(1)<<n - 1
	v := uint64(b[0]) & most
	b = b[1:]
	if v < most {
		return v, b, nil
	}
	for shift := uint(0); len(b) > 0 && shift < 28; shift += 7 {
		c := b[0]
		b = b[1:]
		v += uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			return v, b, nil
		}
	}
	return 0, nil, errQPACK
}

// text reads a string whose length has a prefix of n bits, behind the bit that
// tells a Huffman code (§4.1.2).
func text(b []byte, n uint, scratch *[]byte) (s, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, errQPACK
	}
	coded := b[0]&(1<<n) != 0
	length, b, err := integer(b, n)
	if err != nil || length > uint64(len(b)) {
		return nil, nil, errQPACK
	}
	s, rest = b[:length], b[length:]
	if !coded {
		return s, rest, nil
	}
	if *scratch, err = hpack.AppendHuffman((*scratch)[:0], s); err != nil {
		return nil, nil, errQPACK
	}
	return *scratch, rest, nil
}

// appendSection appends the prefix of a field section (§4.5.1).
func appendSection(dst []byte) []byte { return append(dst, 0, 0) }

// appendInteger appends an integer with a prefix of n bits behind pattern.
func appendInteger(dst []byte, pattern byte, n uint, v uint64) []byte {
	most := uint64(1)<<n - 1
	if v < most {
		return append(dst, pattern|byte(v))
	}
	dst = append(dst, pattern|byte(most))
	for v -= most; v >= 0x80; v >>= 7 {
		dst = append(dst, byte(v)|0x80)
	}
	return append(dst, byte(v))
}

// appendField appends a field line. The name may have capitals. Nothing is
// Huffman coded: the bytes saved are few, the time is not.
func appendField(dst, name, value []byte) []byte {
	var lower [64]byte
	if len(name) <= len(lower) {
		for i, c := range name {
			if c >= 'A' && c <= 'Z' {
				c |= 0x20
			}
			lower[i] = c
		}
		if r, ok := runs[string(lower[:len(name)])]; ok {
			for i := r.from; i < r.to; i++ {
				if bytes.Equal(static[i].value, value) {
					return appendInteger(dst, 0xc0, 6, uint64(i))
				}
			}
			dst = appendInteger(dst, 0x50, 4, uint64(r.from))
			return appendText(dst, value)
		}
	}
	dst = appendInteger(dst, 0x20, 3, uint64(len(name)))
	from := len(dst)
	dst = append(dst, name...)
	for i, c := range dst[from:] {
		if c >= 'A' && c <= 'Z' {
			dst[from+i] = c | 0x20
		}
	}
	return appendText(dst, value)
}

func appendText(dst, value []byte) []byte {
	return append(appendInteger(dst, 0, 7, uint64(len(value))), value...)
}

// appendStatus appends :status.
func appendStatus(dst []byte, status int) []byte {
	for _, s := range [...]struct{ status, index int }{{200, 25}, {304, 26}, {404, 27}, {503, 28}, {204, 64}, {206, 65}, {302, 66}, {400, 67}, {403, 68}, {500, 71}, {103, 24}, {100, 63}} {
		if s.status == status {
			return appendInteger(dst, 0xc0, 6, uint64(s.index))
		}
	}
	dst = append(appendInteger(dst, 0x50, 4, 24), 3)
	return strconv.AppendInt(dst, int64(status), 10)
}

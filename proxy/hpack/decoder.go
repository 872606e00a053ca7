package hpack

import "errors"

// Errors of Decode. Each ends the connection (COMPRESSION_ERROR): the tables
// of both sides may differ from here on.
var (
	errShort   = errors.New("field block ends within a field")
	errInteger = errors.New("integer of a field block is too large")
	errIndex   = errors.New("index of a field is beyond the tables")
	errUpdate  = errors.New("size update behind a field")
	errLimit   = errors.New("size update beyond the limit of the table")
	errOwed    = errors.New("table was made smaller without a size update")
)

// DefaultTableSize is the size of a dynamic table of which nobody has said
// anything (RFC 9113 §6.5.2).
const DefaultTableSize = 4096

// Decoder decodes the field blocks of one connection, in their order. Make it
// with NewDecoder. Not safe for concurrent use.
type Decoder struct {
	table table
	limit int  // of table.limit, as it was announced to the peer
	owed  bool // the peer must make the table smaller first

	// Judge, if it is set, is asked once about every literal field; what it
	// returns is the field's mark wherever the table gives the field again.
	Judge func(token Token, name, value []byte) uint8
}

// NewDecoder returns a decoder whose table may have up to limit bytes, the
// value of SETTINGS_HEADER_TABLE_SIZE that the peer got.
func NewDecoder(limit int) Decoder {
	d := Decoder{limit: limit}
	d.table.limit = min(limit, DefaultTableSize)
	return d
}

// SetLimit changes the limit. It takes effect when the peer has acknowledged it.
func (d *Decoder) SetLimit(limit int) {
	d.limit = limit
	d.owed = limit < d.table.limit
}

// Cap returns the memory that the table holds, in bytes.
func (d *Decoder) Cap() int { return cap(d.table.bytes) + cap(d.table.entries)*24 }

// Decode appends the fields of a whole block to dst. It decodes to the end even
// when dst takes no more, because the table must see every field.
func (d *Decoder) Decode(block []byte, dst *Fields) error {
	b, err := d.updates(block)
	for err == nil && len(b) > 0 {
		switch c := b[0]; {
		case c&0x80 != 0:
			b, err = d.indexed(b, dst)
		case c&0xc0 == 0x40:
			b, err = d.literal(b, dst, 6)
		case c&0xe0 == 0x20:
			return errUpdate
		default:
			b, err = d.literal(b, dst, 4)
		}
	}
	return err
}

// updates takes the size updates at the start of a block (RFC 7541 §6.3).
func (d *Decoder) updates(b []byte) ([]byte, error) {
	for len(b) > 0 && b[0]&0xe0 == 0x20 {
		size, rest, err := readInteger(b, 5)
		if err != nil {
			return nil, err
		}
		if size > d.limit {
			return nil, errLimit
		}
		d.table.resize(size)
		d.owed, b = false, rest
	}
	if d.owed {
		return nil, errOwed
	}
	return b, nil
}

// indexed takes a field that is in a table whole (RFC 7541 §6.1).
func (d *Decoder) indexed(b []byte, dst *Fields) ([]byte, error) {
	index, b, err := readInteger(b, 7)
	if err != nil {
		return nil, err
	}
	if index >= 1 && index <= staticLast {
		token := tokenOfIndex[index]
		if dst.takes(len(token.Name()) + len(static[index].value)) {
			from := uint32(len(dst.bytes))
			dst.bytes = append(dst.bytes, static[index].value...)
			dst.list = append(dst.list, field{token: token, value: span{from, uint32(len(dst.bytes))}})
		}
		return b, nil
	}
	e := d.entry(index)
	if e == nil {
		return nil, errIndex
	}
	dst.add(e.token, e.mark, d.table.nameOf(e), d.table.valueOf(e))
	return b, nil
}

func (d *Decoder) entry(index int) *entry {
	if index <= staticLast || index-staticLast > d.table.count {
		return nil
	}
	return d.table.at(index - staticLast - 1)
}

// literal takes a field with its value (RFC 7541 §6.2). Its bytes are decoded
// into the arena first, where they stay unless it takes no more.
func (d *Decoder) literal(b []byte, dst *Fields, prefix uint) ([]byte, error) {
	never := prefix == 4 && b[0]&0x10 != 0
	index, b, err := readInteger(b, prefix)
	if err != nil {
		return nil, err
	}
	before := len(dst.bytes)
	e := field{never: never}
	if index == 0 {
		if e.name, b, err = readString(b, dst); err != nil {
			return nil, err
		}
		e.token = lookupExact(dst.bytes[e.name.from:e.name.to])
	} else if e.token, err = d.nameOf(index, dst, &e.name); err != nil {
		return nil, err
	}
	if e.token != 0 {
		dst.bytes = dst.bytes[:before]
	}
	if e.value, b, err = readString(b, dst); err != nil {
		return nil, err
	}
	name := e.token.Name()
	if e.token == 0 {
		name = dst.bytes[e.name.from:e.name.to]
	}
	value := dst.bytes[e.value.from:e.value.to]
	if d.Judge != nil {
		e.mark = d.Judge(e.token, name, value)
	}
	if prefix == 6 {
		if kept := d.table.insert(e.token, name, value); kept != nil {
			kept.mark = e.mark
		}
	}
	if !dst.takes(len(name) + len(value)) {
		dst.bytes = dst.bytes[:before]
		return b, nil
	}
	dst.list = append(dst.list, e)
	return b, nil
}

// nameOf finds the name of an index; one that is no token is put into dst.
func (d *Decoder) nameOf(index int, dst *Fields, name *span) (Token, error) {
	if index <= staticLast {
		return tokenOfIndex[index], nil
	}
	e := d.entry(index)
	if e == nil {
		return 0, errIndex
	}
	if e.token == 0 {
		*name = dst.put(d.table.nameOf(e))
	}
	return e.token, nil
}

// lookupExact is Lookup for names whose case matters.
func lookupExact(name []byte) Token {
	t := Lookup(name)
	if t != 0 && string(t.Name()) != string(name) {
		return 0
	}
	return t
}

// readString reads a string literal into dst (RFC 7541 §5.2).
func readString(b []byte, dst *Fields) (span, []byte, error) {
	if len(b) == 0 {
		return span{}, nil, errShort
	}
	coded := b[0]&0x80 != 0
	n, b, err := readInteger(b, 7)
	if err != nil {
		return span{}, nil, err
	}
	if n > len(b) {
		return span{}, nil, errShort
	}
	if !coded {
		return dst.put(b[:n]), b[n:], nil
	}
	from := uint32(len(dst.bytes))
	dst.bytes, err = appendDecoded(dst.bytes, b[:n])
	return span{from, uint32(len(dst.bytes))}, b[n:], err
}

// largestInteger bounds integers: no string, index or table is that large, and
// sums of a few stay within 32 bits.
const largestInteger = 1 << 28

// readInteger reads an integer with a prefix of n bits (RFC 7541 §5.1).
func readInteger(b []byte, n uint) (int, []byte, error) {
	most := 1<<n - 1
	value := int(b[0]) & most
	b = b[1:]
	if value < most {
		return value, b, nil
	}
	for shift := uint(0); shift <= 28; shift += 7 {
		if len(b) == 0 {
			return 0, nil, errShort
		}
		c := b[0]
		b = b[1:]
		value += int(c&0x7f) << shift
		if value > largestInteger {
			return 0, nil, errInteger
		}
		if c&0x80 == 0 {
			return value, b, nil
		}
	}
	return 0, nil, errInteger
}

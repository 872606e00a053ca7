package hpack

import (
	"encoding/binary"
	"strconv"
)

// Encoder encodes the field blocks of one connection, in their order. Lines
// that repeat get into its table: a line is inserted when it comes the second
// time, so that what differs in every message costs nothing. Make it with
// NewEncoder. Not safe for concurrent use.
type Encoder struct {
	table   table
	most    int        // of table.limit, whatever the peer allows
	changed bool       // table.limit, since the last block
	emptied bool       // and the table was empty in between
	seen    [32]uint32 // hashes of lines that were sent as literals
}

// NewEncoder returns an encoder that uses a table of up to most bytes.
func NewEncoder(most int) Encoder {
	e := Encoder{most: most}
	e.table.limit = DefaultTableSize
	if most < DefaultTableSize {
		e.SetLimit(DefaultTableSize)
	}
	return e
}

// SetLimit follows the peer's SETTINGS_HEADER_TABLE_SIZE.
func (e *Encoder) SetLimit(limit int) {
	limit = min(limit, e.most)
	if limit == e.table.limit {
		return
	}
	if e.changed && limit > e.table.limit {
		// The peer must learn of the smaller table in between. Some decoders take
		// a second update only of an empty table, so this one is emptied.
		e.emptied = true
		e.table.resize(0)
	}
	e.changed = true
	e.table.resize(limit)
}

// Begin appends what must stand at the start of a block: what the peer has to
// know of the table's size (RFC 7541 §4.2).
func (e *Encoder) Begin(dst []byte) []byte {
	if !e.changed {
		return dst
	}
	if e.emptied {
		dst = append(dst, 0x20)
	}
	e.changed, e.emptied = false, false
	return appendInteger(dst, 0x20, 5, e.table.limit)
}

// Cap returns the memory that the table holds, in bytes.
func (e *Encoder) Cap() int { return cap(e.table.bytes) + cap(e.table.entries)*24 }

// AppendStatus appends :status.
func (e *Encoder) AppendStatus(dst []byte, status int) []byte {
	switch status {
	case 200:
		return append(dst, 0x80|8)
	case 204:
		return append(dst, 0x80|9)
	case 206:
		return append(dst, 0x80|10)
	case 304:
		return append(dst, 0x80|11)
	case 400:
		return append(dst, 0x80|12)
	case 404:
		return append(dst, 0x80|13)
	case 500:
		return append(dst, 0x80|14)
	}
	var digits [4]byte
	return e.AppendToken(dst, Status, strconv.AppendInt(digits[:0], int64(status), 10))
}

// AppendField appends a field whose name may be in any case.
func (e *Encoder) AppendField(dst, name, value []byte) []byte {
	return e.Append(dst, Lookup(name), name, value)
}

// AppendToken appends a field of a known name.
func (e *Encoder) AppendToken(dst []byte, token Token, value []byte) []byte {
	return e.Append(dst, token, token.Name(), value)
}

// Append appends a field whose token, which Lookup gives, is known already.
func (e *Encoder) Append(dst []byte, token Token, name, value []byte) []byte {
	if len(name) == 0 {
		return dst // no field has an empty name
	}
	if isSecret(token) {
		return appendLiteral(dst, 0x10, 4, token, name, value)
	}
	if index := exact(token, value); index != 0 {
		return append(dst, 0x80|byte(index))
	}
	hash := hashOf(token, name, value)
	if i := e.find(hash, token, name, value); i >= 0 {
		return appendInteger(dst, 0x80, 7, staticLast+1+i)
	}
	slot := &e.seen[hash%uint32(len(e.seen))]
	// A line that fills much of the table would drive out what is used more.
	if *slot != hash || len(name)+len(value)+entryOverhead > e.table.limit/4 {
		*slot = hash
		return appendLiteral(dst, 0, 4, token, name, value)
	}
	if kept := e.table.insert(token, name, value); kept != nil {
		kept.hash = hash
	}
	return appendLiteral(dst, 0x40, 6, token, name, value)
}

// isSecret tells whether a value is one that no table may hold, so that nobody
// can learn it from the size of what is sent (RFC 7541 §7.1).
func isSecret(token Token) bool {
	switch token {
	case Authorization, ProxyAuth, Cookie, SetCookie:
		return true
	}
	return false
}

// exact returns the index of a line that the static table has whole.
func exact(token Token, value []byte) int {
	if token == 0 || token > AcceptEncoding {
		return 0
	}
	for i := int(token); i <= int(AcceptEncoding) && tokenOfIndex[i] == token; i++ {
		if static[i].value != "" && string(value) == static[i].value {
			return i
		}
	}
	return 0
}

func (e *Encoder) find(hash uint32, token Token, name, value []byte) int {
	for i := range e.table.count {
		have := e.table.at(i)
		if have.hash == hash && have.token == token && string(e.table.valueOf(have)) == string(value) &&
			(token != 0 || equalFold(name, e.table.nameOf(have))) {
			return i
		}
	}
	return -1
}

// hashOf looks at a few bytes only: who compares by it compares the rest too.
func hashOf(token Token, name, value []byte) uint32 {
	h := uint64(token)<<48 ^ uint64(len(name))<<32 ^ uint64(len(value))<<40
	if token == 0 {
		h ^= uint64(name[0]|0x20)<<56 ^ uint64(name[len(name)-1]|0x20)<<24 ^ uint64(name[len(name)/2]|0x20)<<16
	}
	h *= 0x9e3779b97f4a7c15
	if n := len(value); n >= 8 {
		h ^= binary.LittleEndian.Uint64(value)
		h *= 0x9e3779b97f4a7c15
		h ^= binary.LittleEndian.Uint64(value[n-8:])
		h ^= binary.LittleEndian.Uint64(value[(n-8)/2:]) * 0xff51afd7ed558ccd
	} else {
		for _, c := range value {
			h = h*31 + uint64(c)
		}
	}
	h *= 0x9e3779b97f4a7c15
	return uint32(h>>32) | 1 // zero stands for nothing seen
}

func appendLiteral(dst []byte, pattern byte, prefix uint, token Token, name, value []byte) []byte {
	if token != 0 && token <= staticLast {
		dst = appendInteger(dst, pattern, prefix, int(token))
		return appendString(dst, value)
	}
	dst = append(dst, pattern)
	if token != 0 {
		return appendString(appendString(dst, token.Name()), value)
	}
	return appendString(appendName(dst, name), value)
}

// appendName appends a name in lower case.
func appendName(dst, name []byte) []byte {
	var small [64]byte
	return appendString(dst, appendLower(small[:0], name))
}

func appendLower(dst, name []byte) []byte {
	for _, c := range name {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// appendString appends a string literal, in Huffman code if that is shorter.
func appendString(dst, s []byte) []byte {
	if n := encodedLength(s); n < len(s) {
		return appendEncoded(appendInteger(dst, 0x80, 7, n), s)
	}
	return append(appendInteger(dst, 0, 7, len(s)), s...)
}

// appendInteger appends an integer with a prefix of n bits behind pattern
// (RFC 7541 §5.1).
func appendInteger(dst []byte, pattern byte, n uint, value int) []byte {
	most := 1<<n - 1
	if value < most {
		return append(dst, pattern|byte(value))
	}
	dst = append(dst, pattern|byte(most))
	for value -= most; value >= 0x80; value >>= 7 {
		dst = append(dst, byte(value)|0x80)
	}
	return append(dst, byte(value))
}

package hpack

// Fields is a decoded field section: an arena that is reused. The zero value
// takes fields without limit. What it returns is valid until Reset. Not safe
// for concurrent use.
type Fields struct {
	list  []field
	bytes []byte
	limit int
	size  int
}

type field struct {
	name, value span // of a known name only the value
	token       Token
	mark        uint8
	never       bool
}

type span struct{ from, to uint32 }

// Reset forgets the fields. A limit above zero bounds the next ones, counted
// as SETTINGS_MAX_HEADER_LIST_SIZE is (RFC 9113 §6.5.2).
func (f *Fields) Reset(limit int) {
	f.list, f.bytes = f.list[:0], f.bytes[:0]
	f.limit, f.size = limit, 0
}

// Len returns how many fields there are. Those beyond the limit are not there.
func (f *Fields) Len() int { return len(f.list) }

// Size returns the size of all that was decoded, dropped fields included.
func (f *Fields) Size() int { return f.size }

// Over tells whether fields were dropped because of the limit.
func (f *Fields) Over() bool { return f.limit > 0 && f.size > f.limit }

// Token returns the name of field i if it is a known one.
func (f *Fields) Token(i int) Token { return f.list[i].token }

// Mark returns what the decoder's Judge said of field i.
func (f *Fields) Mark(i int) uint8 { return f.list[i].mark }

// Never tells whether field i must not be indexed on its further way
// (RFC 7541 §6.2.3).
func (f *Fields) Never(i int) bool { return f.list[i].never }

// Name returns the name of field i as it was sent.
func (f *Fields) Name(i int) []byte {
	e := &f.list[i]
	if e.token != 0 {
		return e.token.Name()
	}
	return f.bytes[e.name.from:e.name.to]
}

// Value returns the value of field i.
func (f *Fields) Value(i int) []byte {
	e := &f.list[i]
	return f.bytes[e.value.from:e.value.to]
}

// Cap returns the memory that the arena holds, in bytes.
func (f *Fields) Cap() int { return cap(f.bytes) + cap(f.list)*24 }

// add appends a field whose bytes are no part of the arena.
func (f *Fields) add(token Token, mark uint8, name, value []byte) {
	if !f.takes(len(name) + len(value)) {
		return
	}
	e := field{token: token, mark: mark}
	if token == 0 {
		e.name = f.put(name)
	}
	e.value = f.put(value)
	f.list = append(f.list, e)
}

func (f *Fields) put(b []byte) span {
	from := uint32(len(f.bytes))
	f.bytes = append(f.bytes, b...)
	return span{from, uint32(len(f.bytes))}
}

// takes counts a field of n bytes and tells whether it is within the limit.
func (f *Fields) takes(n int) bool {
	f.size += n + entryOverhead
	return !f.Over()
}

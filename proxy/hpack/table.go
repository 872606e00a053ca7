package hpack

// entryOverhead is what an entry counts beside its bytes (RFC 7541 §4.1).
const entryOverhead = 32

// table is a dynamic table: a ring of entries over one buffer, both grown when
// they are needed, so that an idle connection pays for what it has used. The
// zero value is an empty table that can hold nothing.
type table struct {
	size, limit int // as RFC 7541 §4.1 counts

	entries []entry // power of two
	first   int     // the oldest
	count   int

	bytes []byte // of the entries, oldest first
	base  uint32 // position of bytes[0] among all bytes ever inserted
}

// entry is one field of a table. Of a known name no bytes are kept.
type entry struct {
	at          uint32 // position of its bytes
	name, value uint32 // lengths of what is kept
	size        uint32
	hash        uint32 // of the encoder
	token       Token
	mark        uint8 // of the decoder
}

// at returns the entry of index i, the newest being 0.
func (t *table) at(i int) *entry {
	return &t.entries[(t.first+t.count-1-i)&(len(t.entries)-1)]
}

func (t *table) nameOf(e *entry) []byte {
	if e.token != 0 {
		return e.token.Name()
	}
	from := e.at - t.base
	return t.bytes[from : from+e.name]
}

func (t *table) valueOf(e *entry) []byte {
	from := e.at - t.base + e.name
	return t.bytes[from : from+e.value]
}

// resize sets the limit and evicts what is beyond it.
func (t *table) resize(limit int) {
	t.limit = limit
	t.evict(0)
}

// evict makes room for an entry of size.
func (t *table) evict(size int) {
	for t.count > 0 && t.size+size > t.limit {
		t.size -= int(t.entries[t.first].size)
		t.first = (t.first + 1) & (len(t.entries) - 1)
		t.count--
	}
}

// insert adds a field (RFC 7541 §4.4) and returns its entry. One that is too
// large empties the table and returns nil. Neither name nor value may be bytes
// of the table.
func (t *table) insert(token Token, name, value []byte) *entry {
	size := len(name) + len(value) + entryOverhead
	t.evict(size)
	if size > t.limit {
		return nil
	}
	if t.count == len(t.entries) {
		t.growEntries()
	}
	kept := name
	if token != 0 {
		kept = nil
	}
	t.makeRoom(len(kept) + len(value))
	e := &t.entries[(t.first+t.count)&(len(t.entries)-1)]
	*e = entry{
		at: t.base + uint32(len(t.bytes)), name: uint32(len(kept)), value: uint32(len(value)),
		size: uint32(size), token: token,
	}
	t.bytes = append(append(t.bytes, kept...), value...)
	t.count++
	t.size += size
	return e
}

const fewEntries = 8

func (t *table) growEntries() {
	next := make([]entry, max(2*len(t.entries), fewEntries))
	for i := range t.count {
		next[i] = t.entries[(t.first+i)&(len(t.entries)-1)]
	}
	t.entries, t.first = next, 0
}

// makeRoom lets n bytes be appended: the bytes of evicted entries are
// overwritten, and the buffer is at most twice what the table may hold.
func (t *table) makeRoom(n int) {
	if len(t.bytes)+n <= cap(t.bytes) {
		return
	}
	live := uint32(0)
	if t.count > 0 {
		live = t.base + uint32(len(t.bytes)) - t.entries[t.first].at
	}
	from := uint32(len(t.bytes)) - live
	if need := int(live) + n; need > cap(t.bytes)/2 {
		grown := make([]byte, live, max(2*need, 128))
		copy(grown, t.bytes[from:])
		t.bytes = grown
	} else {
		t.bytes = t.bytes[:copy(t.bytes, t.bytes[from:])]
	}
	t.base += from
}

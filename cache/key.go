package cache

import "encoding/binary"

// Key is what an answer is kept under: everything that it depends on beside the
// fields of Vary. It is built anew for each request with Reset and Add, and
// keeps its memory. The zero value is ready for Reset.
type Key struct {
	full   []byte // compared on every hit
	hash   uint64 // of full, by the cache's seed, once hashed
	hashed bool
	found  *Entry // what Lookup gave: what is there beside came later
	begun  uint64 // number of purges at the last Begin

	// Place is where the answer stands, by which it is purged. It is borrowed,
	// and only read by Begin.
	Place Place

	selected []byte // scratch for the values of Vary
}

// Place is where an answer stands.
type Place struct {
	Stage             string // "api/stage"
	Host, Path, Query []byte // as the key has them
}

// Reset begins a new key.
func (k *Key) Reset() {
	k.full, k.hashed, k.found, k.begun, k.Place = k.full[:0], false, nil, 0, Place{}
}

// Add adds one part. Parts cannot run into each other.
func (k *Key) Add(part []byte) {
	k.hashed = false
	k.full = append(appendSize(k.full, len(part)), part...)
}

// Copy makes k a key of its own that is the same as other, but for Place.
func (k *Key) Copy(other *Key) {
	k.Reset()
	k.full = append(k.full, other.full...)
}

// AddString is Add.
func (k *Key) AddString(part string) {
	k.hashed = false
	k.full = append(appendSize(k.full, len(part)), part...)
}

// appendSize appends the size of a part; that of most is one byte.
func appendSize(dst []byte, size int) []byte {
	if size < 0x80 {
		return append(dst, byte(size))
	}
	return binary.AppendUvarint(dst, uint64(size))
}

// Full returns the whole key. It is valid until the next Reset or Add.
func (k *Key) Full() []byte { return k.full }

// Selector gives the request's values of the fields that Vary names.
type Selector interface {
	// AppendSelected appends the normal form of the request's field of that name,
	// which is in canonical case.
	AppendSelected(dst []byte, name string) []byte
}

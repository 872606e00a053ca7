// Package record is the form that stored answers have outside of the process: in
// a snapshot's file and in the second tier. What was damaged on its way is
// found out and is no record.
package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"weir/cache/policy"

	"github.com/cespare/xxhash/v2"
)

// Version is the form's. It is raised when the form changes, and when the parts
// of a cache's keys do: a key must never mean something else than it did.
const Version = 1

// Record is one stored answer. Append and WriteTo only read it; what Parse gives
// has memory of its own.
type Record struct {
	Key      []byte // the whole key
	Stage    string // where the answer stands, by which it is purged
	Host     []byte
	Path     []byte
	Query    []byte
	Selected []byte // the request's values of Vary

	Status      int
	Lines       []byte // fields, each ended by CRLF
	Trailers    []byte // the same
	Terms       policy.Terms
	Vary        []string
	Tags        [][]byte
	Received    int64 // Unix nanoseconds, by the clock of whoever keeps the record
	Since       Position
	Validate    bool // to be validated before it is used
	Encoded     bool
	PlainLength int64
	PlainLines  []byte

	Body [][]byte // the content, whole, in pieces
}

// Position is a place in a sequence of purges, as Redis numbers what a stream has.
type Position struct{ Time, Count uint64 }

// Compare returns -1, 0 or 1: p is before, at or behind q.
func (p Position) Compare(q Position) int {
	switch {
	case p == q:
		return 0
	case p.Time < q.Time, p.Time == q.Time && p.Count < q.Count:
		return -1
	}
	return 1
}

// The form: the signature, the head's length (4 bytes), the head, the content,
// and the sum of it all (8 bytes). Numbers are little-endian.
const (
	signature = "wrc"
	preamble  = len(signature) + 1 + 4
	sumLength = 8

	// mostHead bounds the head, which Parse copies.
	mostHead = 16 << 20
	// mostNames bounds Vary and Tags.
	mostNames = 4096
)

// The flags.
const (
	flagNoCache = 1 << iota
	flagMustRevalidate
	flagImmutable
	flagFixed
	flagValidate
	flagEncoded
	flagETag
	flagTargeted
	flagsKnown = 1<<iota - 1
)

var (
	// ErrVersion is that of a record that another version of weir has made.
	ErrVersion = errors.New("it is of another version")
	errDamaged = errors.New("it is damaged")
)

// Size returns how many bytes Append appends, 0 if r cannot be a record.
func (r *Record) Size() int {
	head := len(r.appendHead(nil))
	if head > mostHead {
		return 0
	}
	return preamble + head + int(r.length()) + sumLength
}

// Append appends the record to dst.
func (r *Record) Append(dst []byte) ([]byte, error) {
	begin := len(dst)
	dst, err := r.appendBegin(dst)
	if err != nil {
		return dst[:begin], err
	}
	for _, piece := range r.Body {
		dst = append(dst, piece...)
	}
	return binary.LittleEndian.AppendUint64(dst, xxhash.Sum64(dst[begin:])), nil
}

// WriteTo writes the record, its content without copying it.
func (r *Record) WriteTo(w io.Writer) (int64, error) {
	begin, err := r.appendBegin(nil)
	if err != nil {
		return 0, err
	}
	sum := xxhash.New()
	var total int64
	for _, piece := range append([][]byte{begin}, r.Body...) {
		_, _ = sum.Write(piece)
		n, err := w.Write(piece)
		if total += int64(n); err != nil {
			return total, err
		}
	}
	n, err := w.Write(binary.LittleEndian.AppendUint64(nil, sum.Sum64()))
	return total + int64(n), err
}

func (r *Record) length() (n int64) {
	for _, piece := range r.Body {
		n += int64(len(piece))
	}
	return n
}

func (r *Record) appendBegin(dst []byte) ([]byte, error) {
	if len(r.Vary) > mostNames || len(r.Tags) > mostNames {
		return dst, fmt.Errorf("cannot write a record of %d tags and %d names of Vary", len(r.Tags), len(r.Vary))
	}
	begin := len(dst)
	dst = append(dst, signature...)
	dst = append(dst, Version, 0, 0, 0, 0)
	dst = r.appendHead(dst)
	head := len(dst) - begin - preamble
	if head > mostHead {
		return dst[:begin], fmt.Errorf("cannot write a record whose head has %d bytes", head)
	}
	binary.LittleEndian.PutUint32(dst[begin+preamble-4:], uint32(head))
	return dst, nil
}

func (r *Record) appendHead(dst []byte) []byte {
	t := &r.Terms
	dst = append(binary.LittleEndian.AppendUint16(dst, r.flags()), byte(t.Source))
	dst = binary.AppendUvarint(dst, uint64(r.Status))
	for _, part := range [...][]byte{r.Key, []byte(r.Stage), r.Host, r.Path, r.Query, r.Selected, r.Lines, r.PlainLines, r.Trailers, t.ETag} {
		dst = appendPart(dst, part)
	}
	dst = binary.AppendUvarint(dst, uint64(len(r.Vary)))
	for _, name := range r.Vary {
		dst = appendPart(dst, name)
	}
	dst = binary.AppendUvarint(dst, uint64(len(r.Tags)))
	for _, tag := range r.Tags {
		dst = appendPart(dst, tag)
	}
	for _, n := range [...]int64{
		r.Received, int64(t.Lifetime), int64(t.InitialAge), int64(t.StaleWhileRevalidate), int64(t.StaleIfError),
		t.Date, t.LastModified, r.PlainLength, r.length(),
	} {
		dst = binary.AppendVarint(dst, n)
	}
	dst = binary.AppendUvarint(dst, r.Since.Time)
	return binary.AppendUvarint(dst, r.Since.Count)
}

func (r *Record) flags() uint16 {
	var flags uint16
	set := func(flag uint16, is bool) {
		if is {
			flags |= flag
		}
	}
	set(flagNoCache, r.Terms.NoCache)
	set(flagMustRevalidate, r.Terms.MustRevalidate)
	set(flagImmutable, r.Terms.Immutable)
	set(flagFixed, r.Terms.Fixed)
	set(flagValidate, r.Validate)
	set(flagEncoded, r.Encoded)
	set(flagTargeted, r.Terms.Targeted)
	set(flagETag, r.Terms.ETag != nil)
	return flags
}

func appendPart[T string | []byte](dst []byte, part T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(part))), part...)
}

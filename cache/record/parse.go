package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"weir/cache/policy"

	"github.com/cespare/xxhash/v2"
)

// Parse reads what Append has made, all of data, and copies it. Memory is taken
// only for what is there.
func Parse(data []byte) (*Record, error) {
	r, content, err := parse(data)
	if err != nil {
		return nil, err
	}
	r.Body = [][]byte{bytes.Clone(content)}
	return r, nil
}

// parse is Parse without the content, which it returns as a part of data.
func parse(data []byte) (*Record, []byte, error) {
	if len(data) < preamble+sumLength || string(data[:len(signature)]) != signature {
		return nil, nil, fmt.Errorf("cannot read a record of %d bytes: %w", len(data), errDamaged)
	}
	if version := data[len(signature)]; version != Version {
		return nil, nil, fmt.Errorf("cannot read a record of version %d: %w", version, ErrVersion)
	}
	end := len(data) - sumLength
	if binary.LittleEndian.Uint64(data[end:]) != xxhash.Sum64(data[:end]) {
		return nil, nil, fmt.Errorf("cannot read a record: %w", errDamaged)
	}
	length := int(binary.LittleEndian.Uint32(data[preamble-4:]))
	if length > mostHead || length > end-preamble {
		return nil, nil, fmt.Errorf("cannot read a record: %w", errDamaged)
	}
	content := data[preamble+length : end]
	head := reader{rest: bytes.Clone(data[preamble : preamble+length])}
	r := head.record(len(content))
	if head.wrong || len(head.rest) > 0 || !r.valid() {
		return nil, nil, fmt.Errorf("cannot read a record: %w", errDamaged)
	}
	return r, content, nil
}

// valid tells whether the fields can be those of an answer.
func (r *Record) valid() bool {
	t := &r.Terms
	for _, name := range r.Vary {
		if name == "" {
			return false
		}
	}
	return r.Status >= 100 && r.Status <= 999 && t.Source <= policy.FromRules && r.PlainLength >= 0 &&
		t.Lifetime >= 0 && t.InitialAge >= 0 && t.StaleWhileRevalidate >= 0 && t.StaleIfError >= 0 &&
		areLines(r.Lines) && areLines(r.PlainLines) && areLines(r.Trailers)
}

// areLines tells whether b is nothing, or lines with a name and nothing that
// would end a head.
func areLines(b []byte) bool {
	for len(b) > 0 {
		line, rest, whole := bytes.Cut(b, []byte("\r\n"))
		if !whole || bytes.IndexByte(line, ':') < 1 || bytes.ContainsAny(line, "\r\n\x00") {
			return false
		}
		b = rest
	}
	return true
}

// reader reads a head. Once something is wrong it gives zero values.
type reader struct {
	rest  []byte
	wrong bool
}

// record reads a head whose content has length bytes.
func (d *reader) record(length int) *Record {
	r := &Record{}
	t := &r.Terms
	flags := uint16(d.one()) | uint16(d.one())<<8
	source := d.one()
	t.Source = policy.Source(source)
	t.NoCache, t.MustRevalidate, t.Immutable = flags&flagNoCache != 0, flags&flagMustRevalidate != 0, flags&flagImmutable != 0
	t.Targeted = flags&flagTargeted != 0
	t.Fixed, r.Validate, r.Encoded = flags&flagFixed != 0, flags&flagValidate != 0, flags&flagEncoded != 0
	r.Status = int(min(d.unsigned(), 1<<16))
	r.Key = d.part()
	r.Stage = string(d.part())
	r.Host, r.Path, r.Query, r.Selected = d.part(), d.part(), d.part(), d.part()
	r.Lines, r.PlainLines, r.Trailers = d.part(), d.part(), d.part()
	if len(r.PlainLines) == 0 {
		r.PlainLines = nil
	}
	if t.ETag = d.part(); flags&flagETag == 0 {
		d.wrong = d.wrong || len(t.ETag) > 0
		t.ETag = nil
	}
	if n := d.count(); n > 0 {
		r.Vary = make([]string, n)
		for i := range r.Vary {
			r.Vary[i] = string(d.part())
		}
	}
	if n := d.count(); n > 0 {
		r.Tags = make([][]byte, n)
		for i := range r.Tags {
			r.Tags[i] = d.part()
		}
	}
	r.Received = d.signed()
	for _, to := range [...]*time.Duration{&t.Lifetime, &t.InitialAge, &t.StaleWhileRevalidate, &t.StaleIfError} {
		*to = time.Duration(d.signed())
	}
	t.Date, t.LastModified, r.PlainLength = d.signed(), d.signed(), d.signed()
	d.wrong = d.signed() != int64(length) || d.wrong || flags&^uint16(flagsKnown) != 0
	r.Since = Position{d.unsigned(), d.unsigned()}
	return r
}

func (d *reader) one() byte {
	if len(d.rest) == 0 {
		d.wrong = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *reader) unsigned() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *reader) signed() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// part returns a part of the head, which is not to be appended to.
func (d *reader) part() []byte {
	n := d.unsigned()
	if n > uint64(len(d.rest)) {
		d.fail()
		return nil
	}
	part := d.rest[:n:n]
	d.rest = d.rest[n:]
	return part
}

// count reads how many parts follow, of which each takes a byte at least.
func (d *reader) count() int {
	n := d.unsigned()
	if n > mostNames || n > uint64(len(d.rest)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *reader) fail() { d.rest, d.wrong = nil, true }

package h3

import (
	"encoding/binary"
	"io"
)

// appendVarint appends v as a variable-length integer (RFC 9000 §16).
func appendVarint(dst []byte, v uint64) []byte {
	switch {
	case v < 1<<6:
		return append(dst, byte(v))
	case v < 1<<14:
		return binary.BigEndian.AppendUint16(dst, uint16(v)|0x4000)
	case v < 1<<30:
		return binary.BigEndian.AppendUint32(dst, uint32(v)|0x80000000)
	}
	return binary.BigEndian.AppendUint64(dst, v|0xc000000000000000)
}

// parseVarint reads a variable-length integer at the start of b; n is 0 when
// there is too little of it.
func parseVarint(b []byte) (v uint64, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	n = 1 << (b[0] >> 6)
	if len(b) < n {
		return 0, 0
	}
	v = uint64(b[0] & 0x3f)
	for _, c := range b[1:n] {
		v = v<<8 | uint64(c)
	}
	return v, n
}

// appendFrame appends the header of a frame (RFC 9114 §7.1).
func appendFrame(dst []byte, kind, length uint64) []byte {
	return appendVarint(appendVarint(dst, kind), length)
}

// frameRoom is the longest header of a DATA or HEADERS frame.
const frameRoom = 9

// reader reads frames from a stream. One goroutine uses it at a time. A read
// that fails for a deadline may be repeated: nothing of it is lost.
type reader struct {
	in   io.Reader
	from int
	to   int
	err  error // what comes behind the buffered bytes
	buf  []byte
}

const (
	requestBuffer = 4 << 10
	uniBuffer     = 64 // such streams are long, and nearly always silent
)

func newReader(size int) reader { return reader{buf: make([]byte, size)} }

func (r *reader) reset(in io.Reader) { r.in, r.from, r.to, r.err = in, 0, 0, nil }

// buffered returns how many bytes were read ahead.
func (r *reader) buffered() int { return r.to - r.from }

// isEnded tells whether the stream is known to have ended, without waiting.
func (r *reader) isEnded() bool { return r.from == r.to && r.err == io.EOF }

// fill reads more into the buffer, which must have room.
func (r *reader) fill() error {
	if r.err != nil {
		return r.err
	}
	if r.from == r.to {
		r.from, r.to = 0, 0
	} else if r.to == len(r.buf) {
		r.to = copy(r.buf, r.buf[r.from:r.to])
		r.from = 0
	}
	n, err := r.in.Read(r.buf[r.to:])
	r.to += n
	if err == io.EOF {
		r.err = err
	}
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// next reads the header of the next frame. io.EOF means that there is none,
// io.ErrUnexpectedEOF that the stream ended inside it.
func (r *reader) next() (kind, length uint64, err error) {
	for {
		kind, length, ok := r.peek()
		if ok {
			return kind, length, nil
		}
		if err := r.fill(); err != nil {
			if err == io.EOF && r.buffered() > 0 {
				err = io.ErrUnexpectedEOF
			}
			return 0, 0, err
		}
	}
}

// peek reads the header of the next frame if all of it was read ahead.
func (r *reader) peek() (kind, length uint64, ok bool) {
	b := r.buf[r.from:r.to]
	kind, n := parseVarint(b)
	if n == 0 {
		return 0, 0, false
	}
	length, m := parseVarint(b[n:])
	if m == 0 {
		return 0, 0, false
	}
	r.from += n + m
	return kind, length, true
}

// varint reads one integer.
func (r *reader) varint() (uint64, error) {
	for {
		if v, n := parseVarint(r.buf[r.from:r.to]); n > 0 {
			r.from += n
			return v, nil
		}
		if err := r.fill(); err != nil {
			if err == io.EOF && r.buffered() > 0 {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
	}
}

// Read implements io.Reader. Long reads pass the buffer by.
func (r *reader) Read(p []byte) (int, error) {
	if r.from == r.to {
		if r.err != nil {
			return 0, r.err
		}
		if len(p) >= len(r.buf) {
			n, err := r.in.Read(p)
			if err == io.EOF {
				r.err = err
				if n > 0 {
					err = nil
				}
			}
			return n, err
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.buf[r.from:r.to])
	r.from += n
	return n, nil
}

// skip drops the n bytes of a frame that nobody knows.
func (r *reader) skip(n uint64) error {
	for n > 0 {
		if r.from == r.to {
			if err := r.fill(); err != nil {
				return unexpected(err)
			}
		}
		k := min(n, uint64(r.buffered()))
		r.from += int(k)
		n -= k
	}
	return nil
}

// full reads all of p.
func (r *reader) full(p []byte) error {
	for len(p) > 0 {
		n, err := r.Read(p)
		if err != nil {
			return unexpected(err)
		}
		p = p[n:]
	}
	return nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

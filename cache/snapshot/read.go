package snapshot

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"weir/cache/record"
)

// reader reads what is whole of a snapshot. It takes no more memory than the
// largest record has.
type reader struct {
	header
	r     *bufio.Reader
	left  int64 // bytes that may follow
	frame []byte

	damaged int   // places where something was damaged
	foreign int   // records of other versions
	cut     bool  // the end is missing
	failure error // of reading
}

// newReader begins to read size bytes of r.
func newReader(r io.Reader, size int64) (*reader, error) {
	in := &reader{r: bufio.NewReaderSize(r, buffer), left: size}
	var err error
	if in.header, err = readHeader(in.r); err != nil {
		return nil, fmt.Errorf("cannot read a snapshot: %w", err)
	}
	in.left -= int64(len(in.header.append(nil)))
	return in, nil
}

// next returns the next record that is whole, nil at the end.
func (in *reader) next() *record.Record {
	for {
		size, found := in.find()
		if !found || size > in.left {
			in.cut = true
			return nil
		}
		if size == 0 {
			return nil
		}
		data := in.room(size)
		if _, err := io.ReadFull(in.r, data); err != nil {
			in.failure, in.cut = err, true
			return nil
		}
		in.left -= size
		r, err := record.Parse(data)
		switch {
		case err == nil:
			return r
		case errors.Is(err, record.ErrVersion):
			in.foreign++
		default:
			in.damaged++
		}
	}
}

// room returns memory for a record.
func (in *reader) room(size int64) []byte {
	if int64(cap(in.frame)) < size {
		in.frame = make([]byte, size)
	}
	return in.frame[:size]
}

// find reads the head of a frame, of the next one if there is none here, and
// returns the length of its record.
func (in *reader) find() (size int64, found bool) {
	for lost := false; ; {
		head, err := in.r.Peek(frameLength)
		if err != nil {
			if err != io.EOF {
				in.failure = err
			}
			return 0, false
		}
		if size, is := in.parseFrame(head); is {
			in.drop(frameLength)
			return size, true
		}
		if !lost {
			lost = true
			in.damaged++
		}
		// What is buffered is looked through at once, but for a mark that may have
		// begun at its end.
		ahead, _ := in.r.Peek(max(frameLength, in.r.Buffered()))
		if at := bytes.Index(ahead[1:], in.mark[:]); at >= 0 {
			in.drop(1 + at)
			continue
		}
		in.drop(len(ahead) - markLength + 1)
	}
}

func (in *reader) parseFrame(head []byte) (size int64, is bool) {
	size = int64(binary.LittleEndian.Uint32(head[markLength:]))
	sum := binary.LittleEndian.Uint32(head[markLength+4:])
	return size, bytes.Equal(head[:markLength], in.mark[:]) && sum == crc32.ChecksumIEEE(head[:markLength+4]) && size <= mostFrame
}

func (in *reader) drop(n int) {
	n, _ = in.r.Discard(n)
	in.left -= int64(n)
}

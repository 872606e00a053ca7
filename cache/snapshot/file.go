package snapshot

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"weir/cache/record"

	"github.com/cespare/xxhash/v2"
)

// The file: its header, then frames of one record each, then an empty frame.
// Each frame begins with a mark that nobody could know when the records came to
// be, so that behind damage the next frame is found, and nothing that only looks
// like one. Numbers are little-endian.
const (
	signature   = "weir-snapshot\n"
	version     = 1
	markLength  = 16
	frameLength = markLength + 4 + 4 // mark, length, sum of both
	// mostFrame bounds what one record may take of memory.
	mostFrame = 1 << 30
	mostBoot  = 64
	buffer    = 256 << 10
)

var (
	errVersion = errors.New("it is of another version of weir")
	errHeader  = errors.New("it is no snapshot, or its beginning is damaged")
)

// header says when the records were written.
type header struct {
	saved    moment
	position record.Position
	mark     [markLength]byte
}

func (h *header) append(dst []byte) []byte {
	begin := len(dst)
	dst = append(dst, signature...)
	dst = append(dst, version)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.saved.wall))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.saved.running))
	dst = binary.LittleEndian.AppendUint64(dst, h.position.Time)
	dst = binary.LittleEndian.AppendUint64(dst, h.position.Count)
	dst = append(dst, h.mark[:]...)
	boot := h.saved.boot[:min(len(h.saved.boot), mostBoot)]
	dst = append(append(dst, byte(len(boot))), boot...)
	return binary.LittleEndian.AppendUint64(dst, xxhash.Sum64(dst[begin:]))
}

// readHeader reads what append has appended.
func readHeader(r io.Reader) (h header, err error) {
	const numbers = 4*8 + markLength + 1
	b := make([]byte, len(signature)+1+numbers, len(signature)+1+numbers+mostBoot+8)
	if _, err := io.ReadFull(r, b); err != nil || string(b[:len(signature)]) != signature {
		return h, errHeader
	}
	if b[len(signature)] != version {
		return h, errVersion
	}
	n := int(b[len(b)-1])
	if n > mostBoot {
		return h, errHeader
	}
	at := len(b)
	b = b[:at+n+8]
	if _, err := io.ReadFull(r, b[at:]); err != nil || binary.LittleEndian.Uint64(b[at+n:]) != xxhash.Sum64(b[:at+n]) {
		return h, errHeader
	}
	h.saved.boot = string(b[at : at+n])
	fields := b[len(signature)+1:]
	h.saved.wall = int64(binary.LittleEndian.Uint64(fields))
	h.saved.running = int64(binary.LittleEndian.Uint64(fields[8:]))
	h.position.Time = binary.LittleEndian.Uint64(fields[16:])
	h.position.Count = binary.LittleEndian.Uint64(fields[24:])
	copy(h.mark[:], fields[32:])
	if h.saved.wall < 0 || h.saved.running < 0 {
		return h, errHeader
	}
	return h, nil
}

// writer writes a snapshot to w.
type writer struct {
	w    *bufio.Writer
	mark [markLength]byte
}

func newWriter(w io.Writer, saved moment, position record.Position) (*writer, error) {
	h := header{saved: saved, position: position}
	_, _ = rand.Read(h.mark[:])
	out := &writer{w: bufio.NewWriterSize(w, buffer), mark: h.mark}
	_, err := out.w.Write(h.append(nil))
	return out, err
}

// add writes one record and returns its length in the file. What cannot be a
// record is left out, which is no error.
func (w *writer) add(r *record.Record) (int64, error) {
	size := r.Size()
	if size == 0 || size > mostFrame {
		return 0, nil
	}
	if err := w.frame(size); err != nil {
		return 0, err
	}
	n, err := r.WriteTo(w.w)
	return n + frameLength, err
}

// end says that nothing follows.
func (w *writer) end() error {
	if err := w.frame(0); err != nil {
		return err
	}
	return w.w.Flush()
}

func (w *writer) frame(size int) error {
	head := appendFrame(make([]byte, 0, frameLength), w.mark, size)
	_, err := w.w.Write(head)
	return err
}

func appendFrame(dst []byte, mark [markLength]byte, size int) []byte {
	begin := len(dst)
	dst = append(dst, mark[:]...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(size))
	return binary.LittleEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[begin:]))
}

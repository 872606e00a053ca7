package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// ErrTruncated says that a connection ended before the body that it carried.
var ErrTruncated = errors.New("connection ended inside the body")

var (
	faultChunk       = &Fault{400, "malformed chunk"}
	faultChunkExt    = &Fault{400, "chunk extensions are too long"}
	faultTrailer     = &Fault{400, "malformed trailer section"}
	faultTrailerLong = &Fault{431, "trailer section is too large"}
	faultTrailerName = &Fault{400, "field is not allowed in a trailer section"}
)

const (
	chunkLineMax  = 1 << 10 // one chunk-size line with its extensions
	chunkExtMax   = 16 << 10
	trailerMax    = 16 << 10
	trailerFields = 64
)

type bodyState uint8

const (
	bodyDone  bodyState = iota
	bodyData            // content whose length is known: all of it, or one chunk
	bodySize            // a chunk-size line comes next
	bodyAfter           // the CRLF behind a chunk comes next
	bodyTail            // the trailer section comes next
	bodyOpen            // content until the connection ends
	bodyError
)

// Body reads one message body by its framing (RFC 9112 §6 and §7). The zero
// value is an empty body. It is not safe for concurrent use.
type Body struct {
	r       *bufio.Reader
	left    int64
	state   bodyState
	chunked bool
	ext     int
	read    int64
	trailer []byte
	err     error
}

// Begin makes b the body that follows on r; length is that of Head.Length.
func (b *Body) Begin(r *bufio.Reader, length int64) {
	*b = Body{r: r, trailer: b.trailer[:0]}
	switch {
	case length > 0:
		b.left, b.state = length, bodyData
	case length == Chunked:
		b.chunked, b.state = true, bodySize
	case length == Unknown:
		b.state = bodyOpen
	}
}

// Done tells whether the whole body was read, trailers included.
func (b *Body) Done() bool { return b.state == bodyDone }

// Ready tells whether a read returns at once.
func (b *Body) Ready() bool {
	return b.state == bodyDone || b.state == bodyError || b.r.Buffered() > 0
}

// Take returns content that is buffered already, without copying it, and counts
// it as read; nil if there is none. It is valid until the next call on b or on
// the reader below.
func (b *Body) Take() []byte {
	if b.state != bodyData || b.chunked {
		return nil
	}
	p, _ := b.r.Peek(int(min(int64(b.r.Buffered()), b.left)))
	_, _ = b.r.Discard(len(p))
	b.left -= int64(len(p))
	b.read += int64(len(p))
	if b.left == 0 {
		b.state = bodyDone
	}
	return p
}

// Count returns how many bytes of content were read.
func (b *Body) Count() int64 { return b.read }

// Trailers returns the checked trailer field lines, each ended by CRLF, once
// the body is done. They are valid until the next Begin.
func (b *Body) Trailers() []byte {
	if b.state != bodyDone {
		return nil
	}
	return b.trailer
}

// Read implements io.Reader. io.EOF means that the body is whole; every other
// error is final: a *Fault for broken framing, ErrTruncated, or that of the socket.
func (b *Body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		switch b.state {
		case bodyDone:
			return 0, io.EOF
		case bodyError:
			return 0, b.err
		case bodyData:
			return b.readData(p)
		case bodyOpen:
			n, err := b.r.Read(p)
			b.read += int64(n)
			if err == io.EOF {
				b.state = bodyDone
				return n, io.EOF
			}
			return n, b.fail(err)
		case bodySize:
			b.step(b.readSize())
		case bodyAfter:
			b.step(b.readAfter())
		case bodyTail:
			b.step(b.readTrailers())
		}
	}
}

func (b *Body) step(err error) {
	if err != nil {
		_ = b.fail(err)
	}
}

func (b *Body) fail(err error) error {
	if err == nil {
		return nil
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = ErrTruncated
	}
	b.state, b.err = bodyError, err
	return err
}

func (b *Body) readData(p []byte) (int, error) {
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	b.read += int64(n)
	if b.left > 0 {
		return n, b.fail(err)
	}
	b.state = bodyDone
	if b.chunked {
		b.state = bodyAfter
		b.finishBuffered()
	}
	return n, nil
}

// finishBuffered reads on to the end of the body where that needs no waiting,
// so that Done is known with the last byte of content and not one read later.
func (b *Body) finishBuffered() {
	if b.r.Buffered() >= 2 && b.state == bodyAfter {
		b.step(b.readAfter())
	}
	if b.state != bodySize {
		return
	}
	if rest, _ := b.r.Peek(min(b.r.Buffered(), 5)); string(rest) == "0\r\n\r\n" {
		_, _ = b.r.Discard(5)
		b.state = bodyDone
	}
}

func (b *Body) readAfter() error {
	crlf, err := b.r.Peek(2)
	if err != nil {
		return err
	}
	if crlf[0] != '\r' || crlf[1] != '\n' {
		return faultChunk
	}
	_, _ = b.r.Discard(2)
	b.state = bodySize
	return nil
}

// line returns the next line without its CRLF, at most max bytes of it.
func (b *Body) line(max int, long *Fault) ([]byte, error) {
	for n := 1; ; n = b.r.Buffered() + 1 {
		_, err := b.r.Peek(n)
		have, _ := b.r.Peek(b.r.Buffered())
		if lf := bytes.IndexByte(have, '\n'); lf >= 0 {
			if lf > max {
				return nil, long
			}
			if lf == 0 || have[lf-1] != '\r' {
				return nil, faultBareLF
			}
			_, _ = b.r.Discard(lf + 1)
			return have[:lf-1], nil
		}
		if len(have) > max || err == bufio.ErrBufferFull {
			return nil, long
		}
		if err != nil {
			return nil, err
		}
	}
}

// readSize reads chunk-size [chunk-ext] CRLF. Extensions are dropped (RFC 9112 §7.1.1).
func (b *Body) readSize() error {
	line, err := b.line(chunkLineMax, faultChunkExt)
	if err != nil {
		return err
	}
	i, size := 0, int64(0)
	for i < len(line) && isHex(line[i]) {
		if i == 15 {
			return faultChunk
		}
		size = size<<4 | int64(unhex(line[i]))
		i++
	}
	if i == 0 || !b.validExt(line[i:]) {
		return faultChunk
	}
	if b.ext += len(line) - i; b.ext > chunkExtMax {
		return faultChunkExt
	}
	b.left, b.state = size, bodyData
	if size == 0 {
		b.state = bodyTail
	}
	return nil
}

// validExt accepts nothing, or a chunk-ext that begins with ';'. White space
// before it, which the grammar does not have, is refused: parsers that
// disagree about it have been used for smuggling.
func (b *Body) validExt(ext []byte) bool {
	return len(ext) == 0 || (ext[0] == ';' && cleanValue(ext))
}

func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// readTrailers reads the trailer section (RFC 9112 §7.1.2).
func (b *Body) readTrailers() error {
	for fields := 0; ; fields++ {
		line, err := b.line(trailerMax, faultTrailerLong)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			b.state = bodyDone
			return nil
		}
		if fields == trailerFields || len(b.trailer)+len(line) > trailerMax {
			return faultTrailerLong
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || !isTokens(line[:colon]) || !cleanValue(line[colon+1:]) {
			return faultTrailer
		}
		if !TrailerAllowed(line[:colon]) {
			return faultTrailerName
		}
		b.trailer = append(append(b.trailer, line...), '\r', '\n')
	}
}

func isTokens(b []byte) bool {
	for _, c := range b {
		if !isToken[c] {
			return false
		}
	}
	return true
}

// trailerRefused are fields that frame, route, authenticate or describe a
// message, which a trailer must not carry (RFC 9110 §6.5.1).
var trailerRefused = []string{
	"transfer-encoding", "content-length", "host", "connection", "te", "trailer", "upgrade", "keep-alive",
	"proxy-connection", "authorization", "proxy-authorization", "proxy-authenticate", "www-authenticate",
	"cookie", "set-cookie", "content-encoding", "content-type", "content-range", "range", "expect",
	"max-forwards", "cache-control", "location", "forwarded", "via", "x-real-ip",
	"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
}

// TrailerAllowed tells whether a trailer section may carry the field.
func TrailerAllowed(name []byte) bool {
	for _, refused := range trailerRefused {
		if equalFold(name, refused) {
			return false
		}
	}
	return true
}

// AppendChunkSize appends the line that opens a chunk of n bytes.
func AppendChunkSize(dst []byte, n int) []byte {
	const digits = "0123456789abcdef"
	var b [8]byte
	i := len(b)
	for {
		i--
		b[i] = digits[n&15]
		if n >>= 4; n == 0 {
			break
		}
	}
	return append(append(dst, b[i:]...), '\r', '\n')
}

// AppendLastChunk appends the end of a chunked body: the last chunk, the
// trailer field lines (each ended by CRLF) and the empty line.
func AppendLastChunk(dst, trailers []byte) []byte {
	dst = append(dst, '0', '\r', '\n')
	return append(append(dst, trailers...), '\r', '\n')
}

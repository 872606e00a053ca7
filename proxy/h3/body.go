package h3

import (
	"io"
	"sync/atomic"

	"weir/proxy/exchange"
	"weir/proxy/front"
	"weir/proxy/wire"
)

var (
	faultLong     = &wire.Fault{Status: 400, Reason: "content is longer than Content-Length"}
	faultShort    = &wire.Fault{Status: 400, Reason: "content is shorter than Content-Length"}
	faultTrailers = &wire.Fault{Status: 431, Reason: "trailer section is too large"}
)

// body is the content of the request under way: its DATA frames and trailers.
type body struct {
	r        *request
	left     uint64 // of the DATA frame under way
	length   int64  // as announced, or exchange.Chunked
	count    int64
	idle     int // frames since the last that said something
	tailed   bool
	expects  bool
	err      error
	trailers []byte
	fault    *wire.Fault
	whole    atomic.Bool // Done, readable by the answering goroutine
}

func (b *body) reset() {
	b.left, b.length, b.count, b.idle, b.tailed, b.expects = 0, 0, 0, 0, false, false
	b.err, b.fault, b.trailers = nil, nil, b.trailers[:0]
	b.whole.Store(true)
}

func (b *body) begin(length int64, expects bool) {
	b.length, b.expects = length, expects
	b.whole.Store(length == 0)
}

// Read implements io.Reader within the exchange's MaxBody.
func (b *body) Read(p []byte) (int, error) {
	switch {
	case b.whole.Load():
		return 0, io.EOF
	case b.err != nil:
		return 0, b.err
	case len(p) == 0:
		return 0, nil
	}
	if b.expects {
		b.expects = false
		b.r.goOn()
	}
	if b.left == 0 {
		b.r.arm()
		defer b.r.readBy.Store(0)
		if err := b.frame(); err != nil || b.whole.Load() {
			return 0, b.failed(err)
		}
	}
	if uint64(len(p)) > b.left {
		p = p[:b.left]
	}
	if b.r.in.buffered() == 0 {
		b.r.arm()
		defer b.r.readBy.Store(0)
	}
	n, err := b.r.in.Read(p)
	b.left -= uint64(n)
	b.count += int64(n)
	if err != nil {
		return n, b.failed(unexpected(err))
	}
	if limit := b.r.x.MaxBody; limit >= 0 && b.count > limit {
		return 0, b.failed(exchange.ErrBodyTooLarge)
	}
	if b.left == 0 {
		if err := b.ahead(); err != nil {
			return 0, b.failed(err)
		}
	}
	return n, nil
}

// frame reads on to the next content, or to the end of the body.
func (b *body) frame() error {
	for {
		kind, length, err := b.r.in.next()
		if err == io.EOF {
			return b.end()
		}
		if err != nil {
			return err
		}
		if more, err := b.take(kind, length); err != nil || !more {
			return err
		}
	}
}

// take takes a frame's header; false means that its content is to be read.
func (b *body) take(kind, length uint64) (more bool, err error) {
	switch {
	case isForbidden(kind) || (b.tailed && (kind == frameData || kind == frameHeaders)):
		return false, b.r.breach(codeFrameUnexpected, "frame does not belong in a request")
	case kind == frameData && length > 0:
		if b.length >= 0 && b.count+int64(length) > b.length {
			return false, faultLong
		}
		b.left, b.idle = length, 0
		return false, nil
	case kind == frameHeaders:
		return true, b.readTrailers(length)
	}
	if b.idle++; b.idle > idleFramesMost {
		b.r.c.overload("too many frames that say nothing")
		return false, errGone
	}
	return true, b.r.in.skip(length)
}

// ahead looks at what was read ahead behind a DATA frame, so that the end is
// known with the last byte of content and not one read later.
func (b *body) ahead() error {
	in := &b.r.in
	from := in.from
	switch kind, length, ok := in.peek(); {
	case !ok:
	case kind == frameData || (kind == frameHeaders && length <= uint64(in.buffered())):
		if more, err := b.take(kind, length); err != nil || !more {
			return err
		}
	default:
		in.from = from
	}
	if in.isEnded() || b.count == b.length {
		return b.end()
	}
	return nil
}

// end ends the body where the stream did.
func (b *body) end() error {
	if b.length >= 0 && b.count != b.length {
		return faultShort
	}
	b.whole.Store(true)
	return nil
}

const (
	trailersMost      = 16 << 10
	trailerFieldsMost = 64
)

// readTrailers reads a trailer section as HTTP/1.1 lines.
func (b *body) readTrailers(length uint64) error {
	b.tailed = true
	if length > trailersMost {
		return faultTrailers
	}
	block, err := b.r.readBlock(length)
	if err != nil {
		return err
	}
	if err := b.r.decoder.decode(block, (*tail)(b)); err != nil {
		return b.r.breach(codeDecompression, err.Error())
	}
	if b.fault != nil {
		return b.fault
	}
	return nil
}

// tail is the body as the sink of its trailers.
type tail body

func (t *tail) Add(name, value []byte) {
	if t.fault != nil {
		return
	}
	if len(t.trailers)+len(name)+len(value) > trailersMost {
		t.fault = faultTrailers
		return
	}
	t.trailers, t.fault = front.AppendTrailer(t.trailers, name, value)
}

// failed notes why the body cannot be read any further.
func (b *body) failed(err error) error {
	r := b.r
	switch {
	case err == nil && b.whole.Load():
		return io.EOF
	case err == nil:
		return nil
	case r.readLate.Load():
		err = wire.ErrTimeout
	case err == io.ErrUnexpectedEOF:
		r.c.fail(codeFrameError, "the stream ended inside a frame")
	}
	if _, ok := err.(*wire.Fault); ok {
		r.refused = codeMessageError
	}
	b.err = err
	return err
}

// Count returns how many bytes of content were read.
func (b *body) Count() int64 { return b.count }

// Done tells whether the whole body was read.
func (b *body) Done() bool { return b.whole.Load() }

// Ready tells whether Read would return without waiting.
func (b *body) Ready() bool { return b.whole.Load() || b.err != nil || b.r.in.buffered() > 0 }

// Trailers returns the trailer field lines once the body is done.
func (b *body) Trailers() []byte {
	if !b.whole.Load() {
		return nil
	}
	return b.trailers
}

// Close gives up the rest of the body.
func (b *body) Close() error { return nil }

var _ exchange.Body = (*body)(nil)

// arm begins a wait for the client.
func (r *request) arm() { r.readBy.Store(limit(wire.Now(), r.server.cfg.Front.BodyTimeout)) }

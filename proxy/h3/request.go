package h3

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"weir/proxy/exchange"
	"weir/proxy/front"
	"weir/proxy/wire"
)

// request is one request stream. Its goroutine runs serve; another may read
// the body meanwhile. Who sweeps touches only the stream and the atomics.
type request struct {
	server  *Server
	c       *conn
	stream  *quic.Stream
	run     func()          // serve, made once: a go statement would make it anew
	running *sync.WaitGroup // of the connection

	x       exchange.Exchange
	section front.Section
	decoder decoder
	in      reader
	body    body
	block   []byte // an encoded field section
	out     []byte

	begun     int64
	readBy    atomic.Int64 // when a read is too late, on wire's clock; 0 for never
	sendBy    atomic.Int64
	readLate  atomic.Bool
	sendLate  atomic.Bool
	tunnel    atomic.Bool
	sending   sync.Mutex // heads are sent by two goroutines
	answered  bool       // the final head was sent; under sending
	websocket bool
	challenge front.Challenge
	refused   quic.StreamErrorCode // why what is unread is not read
	waker     func() bool          // takes back a Notify
}

func newRequest(s *Server) *request {
	r := &request{server: s, in: newReader(requestBuffer)}
	r.body.r, r.run = r, r.serve
	return r
}

func (r *request) begin(c *conn, stream *quic.Stream) {
	r.c, r.stream = c, stream
	r.in.reset(stream)
	r.body.reset()
	r.begun = wire.Now()
	r.readBy.Store(limit(r.begun, c.server.cfg.Front.HeadTimeout))
	r.sendBy.Store(0)
	r.readLate.Store(false)
	r.sendLate.Store(false)
	r.tunnel.Store(false)
	r.answered, r.websocket, r.refused = false, false, codeNoError
}

func limit(now int64, d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return now + int64(d)
}

// serve serves the request.
func (r *request) serve() {
	c, stream := r.c, r.stream
	if x := r.receive(); x != nil {
		r.server.handler.Serve(x)
	}
	if !r.body.Done() || !r.in.isEnded() {
		r.linger()
		stream.CancelRead(r.refused) // nothing more is needed (RFC 9114 §4.1)
	}
	c.end(r, r.x.Aborted && !r.sendLate.Load())
	running := r.running
	r.rest()
	stream.ReleaseStreamCredit()
	running.Done()
}

// How long and how much is read on behind an answer that did not wait for the
// whole request.
const (
	lingerTime = 2 * time.Second
	lingerMost = 8 << 20
)

// linger lets a client that has its answer send on for a while: Chromium, told
// to stop while it sends, never shows the page the answer that has come.
func (r *request) linger() {
	if r.refused != codeNoError || r.x.Aborted || r.tunnel.Load() || r.readLate.Load() {
		return
	}
	if r.stream.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, r.stream, lingerMost)
	}
}

// keptMost is the largest buffer that goes back to the pool.
const keptMost = 64 << 10

func (r *request) rest() {
	r.x.Reset()
	r.c, r.stream, r.running = nil, nil, nil
	r.in.reset(nil)
	if cap(r.out) > keptMost {
		r.out = nil
	}
	if cap(r.block) > keptMost {
		r.block = nil
	}
	r.server.requests.Put(r)
}

// look ends reads and writes that are too late.
func (r *request) look(now int64) {
	if by := r.readBy.Load(); by != 0 && now > by && r.readLate.CompareAndSwap(false, true) {
		r.stream.CancelRead(codeRequestCancelled)
	}
	if by := r.sendBy.Load(); by != 0 && now > by && r.sendLate.CompareAndSwap(false, true) {
		r.stream.CancelWrite(codeRequestCancelled)
	}
}

// receive reads the request's head and returns its exchange, or nil when there
// is nobody to answer.
func (r *request) receive() *exchange.Exchange {
	x, c := &r.x, r.c
	x.Front, x.Shard, x.Listener, x.Protocol = r, c.shard, c.listener, "HTTP/3.0"
	x.Secure, x.TLS, x.Peer = true, c.tls, front.AddrPort(c.qc.RemoteAddr())
	x.Start = wire.Time(r.begun)
	length, err := r.headers()
	switch {
	case err == errTooLarge:
		return r.malformed(431, "header section is too large")
	case err != nil:
		return r.unfinished(err)
	}
	block, err := r.readBlock(length)
	if err != nil {
		return r.unfinished(err)
	}
	x.Start = time.Now()
	r.section.Begin(r.server.readers, &r.server.limits)
	if err := r.decoder.decode(block, &r.section); err != nil {
		c.fail(codeDecompression, err.Error())
		return nil
	}
	r.readBy.Store(0)
	return r.accepted()
}

// accepted makes the exchange of a head that was decoded.
func (r *request) accepted() *exchange.Exchange {
	x := &r.x
	ended := r.section.Tunnels() || r.ended()
	if r.websocket = r.section.Tunnels(); r.websocket {
		r.challenge.Make()
	}
	if fault := r.section.Finish(x, ended, r.challenge.Key()); fault != nil {
		return r.malformed(fault.Status, fault.Reason)
	}
	if value := x.Request.PeekCanonical(namePriority); len(value) > 0 {
		r.stream.SetPriority(parsePriority(value))
	}
	r.body.begin(x.RequestLength, r.section.Continues())
	if x.RequestLength != 0 {
		x.RequestBody = &r.body
	}
	return x
}

var namePriority = []byte("Priority")

// ended tells whether the request is known to have no content. Where a method
// has none as a rule, it waits for the end of the stream, which comes with the
// head or right behind it: HTTP/1.1 has to be told before the request is sent on.
func (r *request) ended() bool {
	if r.in.isEnded() {
		return true
	}
	if !r.section.IsBare() {
		return false
	}
	r.readBy.Store(limit(wire.Now(), r.server.cfg.Front.BodyTimeout))
	defer r.readBy.Store(0)
	if r.in.buffered() > 0 {
		return false
	}
	return r.in.fill() == io.EOF
}

// malformed makes an exchange of a request that cannot be served, so that it
// is answered, logged and counted like any other (RFC 9114 §4.1.2).
func (r *request) malformed(status int, reason string) *exchange.Exchange {
	x := &r.x
	x.Malformed = &exchange.Malformed{Status: status, Reason: reason}
	x.Request.SetMethod("")
	r.readBy.Store(0)
	r.refused = codeMessageError
	if status == 431 || status == 408 {
		r.refused = codeNoError
	}
	return x
}

var errTooLarge = errors.New("field section is too large")

// headers returns the length of the HEADERS frame that opens the request.
func (r *request) headers() (uint64, error) {
	for frames := 0; ; frames++ {
		kind, length, err := r.in.next()
		if err != nil {
			return 0, err
		}
		switch {
		case kind == frameHeaders && length > uint64(r.server.limits.Head):
			return 0, errTooLarge
		case kind == frameHeaders:
			return length, nil
		case isForbidden(kind) || kind == frameData:
			return 0, r.breach(codeFrameUnexpected, "a request does not begin with HEADERS")
		case frames > idleFramesMost:
			r.c.overload("too many frames that say nothing")
			return 0, errGone
		}
		if err := r.in.skip(length); err != nil {
			return 0, err
		}
	}
}

// isForbidden tells frames that may not come on a request stream.
func isForbidden(kind uint64) bool {
	switch kind {
	case frameCancelPush, frameSettings, framePushPromise, frameGoAway, frameMaxPushID, framePriorityUpdate, framePriorityPush:
		return true
	}
	return isReservedFrame(kind)
}

var errGone = errors.New("the connection ended")

// breach ends the connection for a breach of the protocol.
func (r *request) breach(code quic.ApplicationErrorCode, reason string) error {
	r.c.fail(code, reason)
	return errGone
}

// readBlock reads an encoded field section.
func (r *request) readBlock(length uint64) ([]byte, error) {
	if uint64(cap(r.block)) < length {
		r.block = make([]byte, max(length, 1<<10))
	}
	block := r.block[:length]
	return block, r.in.full(block)
}

// unfinished ends a head that did not become whole.
func (r *request) unfinished(err error) *exchange.Exchange {
	switch {
	case r.readLate.Load():
		return r.malformed(408, "the head of the request took too long")
	case err == io.ErrUnexpectedEOF:
		r.c.fail(codeFrameError, "the stream ended inside a frame")
	case err == io.EOF:
		r.stream.CancelWrite(codeIncomplete)
	default:
		r.stream.CancelWrite(codeRequestCancelled)
		r.x.Aborted = true
	}
	return nil
}

func isReset(err error) bool {
	var reset *quic.StreamError
	return errors.As(err, &reset) && reset.Remote
}

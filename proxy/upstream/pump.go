package upstream

import (
	"errors"
	"io"
	"sync/atomic"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

const (
	pumpBuffer = 32 << 10
	sizeRoom   = 10       // of the line that opens a chunk
	tailRoom   = 17 << 10 // of the last chunk with its trailers, which wire bounds at 16 KiB
	// lastWrite is how long an answer that is whole waits for the end of the
	// request: the upstream has usually read it, only the goroutine was not yet told.
	lastWrite = 50 * time.Millisecond
)

var (
	errShort = errors.New("request body is shorter than it was announced")
	errLong  = errors.New("request body is longer than it was announced")
)

// outlet is where a pump sends a body to.
type outlet interface {
	// sendPart sends the n bytes of p.buf behind sizeRoom, and with the last of
	// them the end of the request.
	sendPart(p *pump, n int, last bool) error
	// sendRest sends a whole body.
	sendRest(b []byte) error
	// cut ends the request so that the upstream cannot take what it has for the whole.
	cut()
	// stop ends what is under way: nobody needs the rest of the request.
	stop()
}

// pump sends a request body while the exchange's goroutine reads the answer.
// That starts it and waits for its end.
type pump struct {
	to       outlet
	front    exchange.Front
	body     exchange.Body // or
	rest     []byte        // a body that is buffered but too large for one write
	left     int64         // bytes still to come, or exchange.Chunked
	buf      []byte
	ahead    int          // bytes of the body that stand in buf already
	progress atomic.Int64 // when the upstream last took bytes, on the clock of wire
	last     atomic.Bool  // all was read from the client
	ended    atomic.Bool
	stopped  atomic.Bool // by the exchange's goroutine, which needs no more of the body
	done     chan struct{}
	waited   bool // done was received

	refusal *exchange.Refusal // the client's body failed
	sendErr error             // the upstream did not take it
	readErr error
}

func (r *Registry) newPump() *pump {
	p, ok := r.pumps.Get().(*pump)
	if !ok {
		p = &pump{buf: make([]byte, sizeRoom+pumpBuffer+tailRoom), done: make(chan struct{}, 1)}
	}
	return p
}

func (r *Registry) dropPump(p *pump) {
	p.to, p.front, p.body, p.rest = nil, nil, nil, nil
	r.pumps.Put(p)
}

func (p *pump) begin(to outlet, front exchange.Front, body exchange.Body, rest []byte, left int64) {
	p.to, p.front, p.body, p.rest, p.left = to, front, body, rest, left
	p.refusal, p.sendErr, p.readErr, p.waited = nil, nil, nil, false
	p.last.Store(false)
	p.ended.Store(false)
	p.stopped.Store(false)
	p.progress.Store(wire.Now())
}

// run is the goroutine.
func (p *pump) run() {
	defer func() {
		p.ended.Store(true)
		p.done <- struct{}{}
	}()
	if p.rest != nil {
		p.last.Store(true)
		p.sent(p.to.sendRest(p.rest))
		return
	}
	if p.ahead > 0 && !p.pass(p.ahead, false) {
		return
	}
	for !p.last.Load() && (p.splice() || p.step()) {
	}
}

// splicer is a body that can move within the kernel.
type splicer interface {
	SpliceTo(dst *wire.Sock) (int64, error)
}

// splice moves a piece within the kernel; false means that step must do it, or
// that the pump has come to its end.
func (p *pump) splice() bool {
	c, plain := p.to.(*conn)
	body, ok := p.body.(splicer)
	if !ok || !plain || c.tls != nil || p.left < wire.SpliceLeast || p.sendErr != nil || p.refusal != nil {
		return false
	}
	n, err := body.SpliceTo(c.sock)
	p.left -= n
	p.progress.Store(wire.Now())
	var sending *wire.SendError
	switch {
	case err == nil:
		p.last.Store(p.left == 0)
		return true
	case err == wire.ErrNoSplice:
	case errors.As(err, &sending):
		p.failed(sending.Err)
	default:
		p.abort(err)
	}
	return false
}

// step moves one buffer.
func (p *pump) step() bool {
	if p.sendErr != nil || p.refusal != nil {
		return false
	}
	n, err := p.body.Read(p.buf[sizeRoom : len(p.buf)-tailRoom])
	whole := err == io.EOF || (err == nil && p.body.Done())
	if err != nil && err != io.EOF {
		return p.abort(err)
	}
	return p.pass(n, whole)
}

// pass sends n bytes that were read.
func (p *pump) pass(n int, whole bool) bool {
	if p.left != exchange.Chunked {
		if p.left -= int64(n); p.left < 0 {
			return p.abort(errLong)
		}
		whole = whole || p.left == 0
		if whole && p.left > 0 {
			return p.abort(errShort)
		}
	}
	p.last.Store(whole)
	return p.sent(p.to.sendPart(p, n, whole))
}

// sendPart implements outlet: as it is, or as a chunk where the end is not known.
func (c *conn) sendPart(p *pump, n int, last bool) error {
	b := p.buf[sizeRoom : sizeRoom+n]
	if p.left == exchange.Chunked {
		b = p.chunk(n, last)
	}
	return c.sendRest(b)
}

// sendRest implements outlet.
func (c *conn) sendRest(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_, err := c.rw.Write(b)
	return err
}

// cut implements outlet by a reset.
func (c *conn) cut() { _ = c.sock.Abort() }

// stop implements outlet.
func (c *conn) stop() { _ = c.sock.Close() }

// chunk frames the n bytes that were read in place.
func (p *pump) chunk(n int, whole bool) []byte {
	from, to := sizeRoom, sizeRoom
	if n > 0 {
		var line [sizeRoom]byte
		size := wire.AppendChunkSize(line[:0], n)
		from = sizeRoom - len(size)
		copy(p.buf[from:], size)
		to = sizeRoom + n
		to += copy(p.buf[to:], "\r\n")
	}
	out := p.buf[from:to]
	if whole {
		out = wire.AppendLastChunk(out, p.body.Trailers())
	}
	return out
}

// sent notes what became of a piece.
func (p *pump) sent(err error) bool {
	p.progress.Store(wire.Now())
	if err == nil {
		return true
	}
	return p.failed(err)
}

// failed ends the pump because the upstream does not take the request.
func (p *pump) failed(err error) bool {
	p.sendErr = err
	if isTimeout(err) {
		p.to.stop() // nobody reads the request; who waits for an answer learns it now
	}
	return false
}

// abort gives the request up: without a proper end the upstream cannot take
// what it has for the whole.
func (p *pump) abort(err error) bool {
	if p.stopped.Load() {
		p.sendErr = errStopped // the body was stopped from here: its client has done nothing
		return false
	}
	p.readErr, p.refusal = err, refusalOfBody(err)
	p.to.cut()
	return false
}

// finish waits for the end of the pump, and brings it about if the client has
// more to send than the upstream wanted. It tells whether all was sent.
func (p *pump) finish() bool {
	if !p.waited {
		p.end()
		p.waited = true
	}
	return p.last.Load() && p.sendErr == nil && p.refusal == nil
}

func (p *pump) end() {
	if p.ended.Load() {
		<-p.done
		return
	}
	if p.last.Load() {
		timer := time.NewTimer(lastWrite)
		defer timer.Stop()
		select {
		case <-p.done:
			return
		case <-timer.C:
		}
	}
	p.to.stop()
	p.stopped.Store(true)
	if p.front != nil && p.rest == nil {
		p.front.StopBody()
	}
	<-p.done
	if p.sendErr == nil && p.refusal == nil {
		p.sendErr = errStopped
	}
}

var errStopped = errors.New("request body was not needed to its end")

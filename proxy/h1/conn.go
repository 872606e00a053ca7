package h1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/netip"
	"sync/atomic"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/front"
	"weir/proxy/wire"
)

// conn is one client connection. Its goroutine runs serve; others may only
// touch sock (to interrupt or close it) and the atomics.
type conn struct {
	server *Server
	sock   *wire.Conn
	from   front.Origin
	peer   netip.AddrPort

	idle   atomic.Bool
	tunnel atomic.Bool
	keep   bool // whether another request may follow
	work   *work
	begun  int64 // when the request under way began to arrive, on wire's clock
}

// work is what a connection needs only while a request is under way.
type work struct {
	x    exchange.Exchange
	used bool // x is not reset
	head wire.Head
	in   inlet
	br   *bufio.Reader // over in
	body requestBody
	out  []byte
}

// inlet is what a connection's reader reads from: first the bytes that ended
// the wait for a request, then the socket.
type inlet struct {
	sock  *wire.Conn
	ahead []byte // a part of first
	first [2 << 10]byte
}

func (in *inlet) Read(p []byte) (int, error) {
	if len(in.ahead) > 0 {
		n := copy(p, in.ahead)
		in.ahead = in.ahead[n:]
		return n, nil
	}
	return in.sock.Read(p)
}

func (c *conn) serve(early []byte) {
	defer c.rest()
	c.sock.WriteLimits(0, c.server.cfg.SendTimeout)
	for c.keep = true; c.keep; early = nil {
		if !c.await(early) {
			return
		}
		x := c.receive()
		if x == nil {
			return
		}
		c.server.handler.Serve(x)
		c.keep = c.settle() && c.keep
	}
}

// fewConnections is up to how many connections of a shard give way before they
// wait for a request. Among more, those that wait in the poller would be served
// late: with 512 the 99th percentile doubled.
const fewConnections = 128

// await waits for the first bytes of a request, unless early has them, and
// tells whether they came.
func (c *conn) await(early []byte) bool {
	if len(early) > 0 {
		return c.begin(copy(c.Lend(), early))
	}
	if c.work != nil && c.work.br.Buffered() > 0 {
		c.begun = wire.Now()
		return true
	}
	patience := c.server.cfg.IdleTimeout
	if c.begun == 0 {
		// The first request of a connection has no other limit before its head.
		patience = c.server.cfg.HeadTimeout
	}
	c.idle.Store(true)
	defer c.idle.Store(false)
	if c.server.IsDraining() {
		return false
	}
	c.sock.ReadLimits(0, patience)
	c.rest() // for who runs meanwhile: buffers in use by turns stay in the processor's cache
	if c.server.Open() <= fewConnections {
		c.sock.Yield()
	}
	n, err := c.sock.ReadLent(c)
	if err != nil {
		return false
	}
	if !c.idle.CompareAndSwap(true, false) {
		// Drain took the connection for an idle one while its request arrived.
		c.server.Settled()
		c.sock.Resume()
	}
	return c.begin(n)
}

// begin begins a request whose first n bytes lie in the lent buffer.
func (c *conn) begin(n int) bool {
	c.work.in.ahead = c.work.in.first[:n]
	c.begun = wire.Now()
	_, err := c.work.br.Peek(1)
	return err == nil
}

// Lend and TakeBack make conn the wire.Lender of its own waits.
func (c *conn) Lend() []byte {
	if c.work == nil {
		c.rouse()
	}
	return c.work.in.first[:]
}

// TakeBack gives the buffers back to the pools while nothing is there to read.
func (c *conn) TakeBack() { c.rest() }

// rouse takes the buffers from the pools, rest gives them back.
func (c *conn) rouse() {
	w := c.server.works.Get().(*work)
	w.in.sock, w.in.ahead = c.sock, nil
	w.br = c.server.readers.Get(&w.in)
	w.body.c = c
	c.work = w
}

func (c *conn) rest() {
	w := c.work
	if w == nil {
		return
	}
	c.work = nil
	c.server.readers.Put(w.br)
	w.br, w.body.c, w.in.sock = nil, nil, nil
	if cap(w.out) > maxKept {
		w.out = nil
	}
	w.forget()
	c.server.works.Put(w)
}

// forget resets the exchange, once.
func (w *work) forget() {
	if w.used {
		w.x.Reset()
		w.used = false
	}
}

// maxKept is the largest answer buffer that goes back to the pool: one large
// answer must not make every pooled buffer large.
const maxKept = 64 << 10

// receive reads a request's head and returns its exchange, or nil when there
// is nobody to answer.
func (c *conn) receive() *exchange.Exchange {
	w := c.work
	x := &w.x
	w.used = true
	x.Front, x.Shard, x.Listener, x.Protocol, x.Peer = c, c.server.shard, c.from.Listener, "HTTP/1.1", c.peer
	x.TLS, x.Secure = c.from.TLS, c.from.TLS != nil
	c.sock.ReadLimits(wire.After(c.begun, c.server.cfg.HeadTimeout), 0)
	w.head.Reset()
	w.body.reset()
	if !c.skipEmptyLines() {
		return nil
	}
	x.Start = wire.Time(c.begun)
	for {
		have, _ := w.br.Peek(w.br.Buffered())
		done, fault := w.head.ScanRequest(have, &c.server.limits)
		if fault != nil {
			return c.malformed(fault.Status, fault.Reason)
		}
		if done {
			break
		}
		if _, err := w.br.Peek(w.br.Buffered() + 1); err != nil {
			return c.unfinished(err)
		}
		x.Start = wire.Time(wire.Now())
	}
	return c.accept()
}

// skipEmptyLines drops up to two empty lines ahead of a request line, which
// old clients send after a body (RFC 9112 §2.2).
func (c *conn) skipEmptyLines() bool {
	br := c.work.br
	for range 2 {
		have, _ := br.Peek(br.Buffered())
		if have[0] != '\r' {
			return true
		}
		two, err := br.Peek(2)
		if err != nil {
			return false
		}
		if two[1] != '\n' {
			return true
		}
		_, _ = br.Discard(2)
		if _, err := br.Peek(1); err != nil {
			return false
		}
	}
	return true
}

// unfinished ends a head that did not become whole.
func (c *conn) unfinished(err error) *exchange.Exchange {
	switch {
	case errors.Is(err, wire.ErrTimeout):
		return c.malformed(408, "the head of the request took too long")
	case errors.Is(err, bufio.ErrBufferFull):
		return c.malformed(431, "header section is too large")
	}
	return nil
}

// malformed makes an exchange of a request that cannot be served, so that it
// is answered, logged and counted like any other. The connection ends with it.
func (c *conn) malformed(status int, reason string) *exchange.Exchange {
	x := &c.work.x
	x.Malformed = &exchange.Malformed{Status: status, Reason: reason}
	x.Request.SetMethod("")
	c.keep = false
	return x
}

// accept turns the checked head into an exchange.
func (c *conn) accept() *exchange.Exchange {
	w := c.work
	x, head := &w.x, &w.head
	have, _ := w.br.Peek(head.Len)
	x.Target = append(x.Target[:0], head.Target.Of(have)...)
	before := w.br.Buffered()
	if err := x.Request.Read(w.br); err != nil || before-w.br.Buffered() != head.Len {
		return c.malformed(400, "the request is malformed")
	}
	if head.Minor == 0 {
		x.Old, x.Protocol = true, "HTTP/1.0"
	}
	c.keep = !head.Close && (head.Minor > 0 || head.KeepAlive) // RFC 9112 §9.3
	x.Request.ResetConnectionClose()
	x.Authority = append(x.Authority[:0], x.Request.Host()...)
	if head.Absolute {
		c.absolute(x)
	}
	x.RequestLength, x.Plain = head.Length, !head.Caching
	w.body.expect = head.Continue && !x.Old
	w.body.begin(w.br, head.Length)
	if head.Length != 0 {
		x.RequestBody = &w.body
	}
	c.sock.ReadLimits(0, c.server.cfg.BodyTimeout)
	return x
}

// absolute splits an absolute-form target: its authority wins over Host
// (RFC 9112 §3.2.2), the rest becomes the origin form.
func (c *conn) absolute(x *exchange.Exchange) {
	authority := x.Target[bytes.Index(x.Target, []byte("://"))+3:]
	rest := authority[len(authority):]
	if i := bytes.IndexAny(authority, "/?"); i >= 0 {
		authority, rest = authority[:i], authority[i:]
	}
	x.Authority = append(x.Authority[:0], authority...)
	if len(rest) == 0 && x.Request.IsOptions() {
		x.Target = append(x.Target[:0], '*') // RFC 9112 §3.2.4
		return
	}
	if len(rest) == 0 || rest[0] == '?' {
		// Grown in two steps: rest is a part of Target.
		x.Target = append(append(make([]byte, 0, len(rest)+1), '/'), rest...)
		return
	}
	x.Target = append(x.Target[:0], rest...)
}

// settle leaves the connection at the start of the next request, and tells
// whether it could.
func (c *conn) settle() bool {
	w := c.work
	defer w.forget()
	switch {
	case w.x.Aborted || c.tunnel.Load():
		return false
	case w.x.Malformed == nil && w.body.Done() && (c.keep || (w.br.Buffered() == 0 && c.sock.Pristine())):
		return true
	}
	c.linger()
	return false
}

// linger reads on for a while after the last answer of a connection on which
// more has arrived, or may: closing at once would reset the connection, and
// take the answer from the client (RFC 9112 §9.6).
func (c *conn) linger() {
	if c.sock.CloseWrite() != nil {
		return
	}
	c.sock.Resume()
	c.sock.ReadLimits(wire.After(wire.Now(), 2*time.Second), 0)
	_, _ = io.CopyN(io.Discard, struct{ io.Reader }{c.work.br}, 8<<20)
	_, _ = c.work.br.Discard(c.work.br.Buffered())
}

// Gone tells whether the client has left.
func (c *conn) Gone() bool { return c.sock.Gone() }

// Notify does nothing: who waits for a socket asks Gone at its ticks.
func (c *conn) Notify(exchange.Waker) {}

// Retire ends the connection if it waits for a request.
func (c *conn) Retire() {
	if c.idle.CompareAndSwap(true, false) {
		c.sock.Interrupt()
	}
}

// CloseTunnels closes the connection if it is a tunnel.
func (c *conn) CloseTunnels() {
	if c.tunnel.Load() {
		_ = c.sock.Close()
	}
}

// Close closes the connection at once.
func (c *conn) Close() error { return c.sock.Close() }

// StopBody ends a read of the request body that another goroutine is in. The
// connection serves no request after this one.
func (c *conn) StopBody() {
	if !c.work.body.Done() {
		c.sock.Interrupt()
	}
}

package upstream

import (
	"time"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// Call says how one exchange is sent. Zero durations stand for the values of
// the flags, negative ones for no limit.
type Call struct {
	Upstream  string // the target's group, for the log
	Shard     int
	Connect   time.Duration // to connect, or to wait for a connection
	FirstByte time.Duration // from the end of the request to the answer
	Idle      time.Duration // of one wait while a body moves
	Total     time.Duration // from x.Start to the answer's end; 0 means no limit
	Retry     bool          // once, where nothing can happen twice
	Upgrade   []byte        // protocol that the answer may change to, nil for none

	// Unsent is set with a refusal: the request reached nobody, or may safely
	// reach somebody again, so another target can have it.
	Unsent bool
}

// oneWrite is the largest buffered body that leaves together with its head.
const oneWrite = 64 << 10

// Send sends x.Request with its body to the target. Nil means that the final
// answer's head is in x.Response and its content comes through x.Stream, nil
// for none, of x.Length bytes; or that a 101 leads to x.Tunnel. x.Request is
// not changed; of x.Response, only what a refusal will replace.
func (t *Target) Send(x *exchange.Exchange, call *Call) *exchange.Refusal {
	f, ok := t.registry.flights.Get().(*flight)
	if !ok {
		f = &flight{}
	}
	x.Cause, call.Unsent = nil, false
	f.begin(t, x, call)
	r := f.run()
	if r != nil || x.Stream == nil {
		f.free()
	}
	return r
}

// flight is one exchange on its way to the target and back. As the answer's
// stream it lives until Close, after which it serves another exchange.
type flight struct {
	t    *Target
	x    *exchange.Exchange
	call *Call
	c    *conn
	pump *pump

	head    wire.Head
	body    wire.Body
	framing framing
	out     []byte
	written int // bytes of the request, as far as this goroutine wrote them

	by                   int64 // limit of the whole, on the clock of wire
	connect, first, idle time.Duration
	shard                int
	begun                bool // bytes of an answer have arrived
	reusable             bool
}

func (f *flight) begin(t *Target, x *exchange.Exchange, call *Call) {
	config := &t.registry.config
	f.t, f.x, f.call, f.shard = t, x, call, call.Shard
	f.connect = limit(call.Connect, config.ConnectTimeout)
	f.first = limit(call.FirstByte, config.FirstByteTimeout)
	f.idle = limit(call.Idle, config.IdleTimeout)
	f.by = 0
	if call.Total > 0 {
		f.by = wire.At(x.Start.Add(call.Total))
	}
	f.framing = framing{length: lengthOf(x), upgrade: call.Upgrade, close: t.limits.MaxIdle <= 0}
	t.inFlight.Add(1)
}

func limit(asked, usual time.Duration) time.Duration {
	if asked == 0 {
		asked = usual
	}
	return max(asked, 0)
}

// free gives the flight back. It owns neither connection nor pump any more.
func (f *flight) free() {
	r := f.t.registry
	out, body := f.out[:0], f.body
	if cap(out) > 2*oneWrite {
		out = nil
	}
	body.Begin(nil, 0)
	*f = flight{out: out, body: body}
	r.flights.Put(f)
}

func (f *flight) run() *exchange.Refusal {
	for fresh := false; ; fresh = true {
		c, r, err := f.t.pool.take(f.shard, f.connect, fresh)
		if r != nil {
			f.x.Cause, f.call.Unsent = err, true
			f.t.inFlight.Add(-1)
			return r
		}
		f.take(c)
		r, err = f.attempt()
		if r == nil {
			f.x.Cause = nil
			return nil
		}
		f.x.Cause = err
		again := !fresh && f.mayRepeat(r)
		f.release(false)
		if !again {
			f.t.inFlight.Add(-1)
			return r
		}
		f.x.Retries++
	}
}

// take begins an attempt on c.
func (f *flight) take(c *conn) {
	x := f.x
	f.c, f.written, f.begun, f.reusable = c, 0, false, !f.framing.close && len(f.framing.upgrade) == 0
	if f.call.Upstream != "" {
		x.Upstream = f.call.Upstream
	}
	x.Address = f.t.name
	x.Reused = c.used
	x.Dialed = x.Dialed || !c.used
}

// mayRepeat tells whether the request may be sent again: the connection was
// an old one and failed without a byte of an answer, as one does that the
// target had just closed, and the target cannot have acted on the request or
// may do so twice (RFC 9110 §9.2.2, RFC 9112 §9.3.1).
func (f *flight) mayRepeat(r *exchange.Refusal) bool {
	if !f.call.Retry || !f.c.used || f.begun || (r != exchange.ConnectionClosed && r != exchange.UpstreamReset) {
		return false
	}
	if f.written == 0 {
		return f.pump == nil
	}
	return (f.x.RequestBytes != nil || f.framing.length == 0) && isIdempotent(f.x.Request.Method())
}

// attempt sends the request on f.c and reads the final head of its answer.
func (f *flight) attempt() (*exchange.Refusal, error) {
	f.watch()
	sendErr := f.send()
	if sendErr != nil {
		f.reusable = false
		if isTimeout(sendErr) {
			return f.late(exchange.WriteTimeout), sendErr
		}
		// The target may have answered before it hung up: a 413, say.
	}
	f.c.sock.Yield() // before the buffer is taken: see conn.await of the front end
	f.c.attach()
	if r, err := f.readFinal(); r != nil {
		if f.pump != nil && !f.pump.finish() {
			r, err = f.blame(r, err)
		}
		return r, err
	}
	return f.receive()
}

// watch makes waits for the target end when the client leaves.
func (f *flight) watch() {
	f.c.sock.Watch(f.x.Front)
	if f.x.Front != nil {
		f.x.Front.Notify(f.c.sock)
	}
}

func (f *flight) unwatch(c *conn) {
	c.sock.Watch(nil)
	if f.x.Front != nil {
		f.x.Front.Notify(nil)
	}
}

// send sends the head, and a small body with it. A larger or a coming one is
// left to a pump.
func (f *flight) send() error {
	x := f.x
	f.out = appendHead(f.out[:0], &x.Request, &f.framing)
	whole := len(x.RequestBytes) <= oneWrite
	if whole {
		f.out = append(f.out, x.RequestBytes...)
	}
	f.c.sock.WriteLimits(f.by, f.idle)
	n, err := f.c.rw.Write(f.out)
	f.written = n
	if err != nil {
		return err
	}
	switch {
	case !whole:
		f.startPump(nil, x.RequestBytes)
	case x.RequestBytes == nil && f.framing.length != 0:
		f.startPump(x.RequestBody, nil)
	}
	return nil
}

func (f *flight) startPump(body exchange.Body, rest []byte) {
	p, ok := f.t.registry.pumps.Get().(*pump)
	if !ok {
		p = &pump{buf: make([]byte, sizeRoom+pumpBuffer+tailRoom), done: make(chan struct{}, 1)}
	}
	p.c, p.front, p.body, p.rest, p.left = f.c, f.x.Front, body, rest, f.framing.length
	p.refusal, p.sendErr, p.readErr, p.waited = nil, nil, nil, false
	p.last.Store(false)
	p.ended.Store(false)
	p.progress.Store(wire.Now())
	f.pump = p
	go p.run()
}

// dropPump gives back a pump that has finished.
func (f *flight) dropPump() {
	p := f.pump
	f.pump = nil
	p.c, p.front, p.body, p.rest = nil, nil, nil, nil
	f.t.registry.pumps.Put(p)
}

// blame finds what came first when a request failed while its body was sent:
// a body that could not be read, or was not taken, is why there is no answer.
func (f *flight) blame(r *exchange.Refusal, err error) (*exchange.Refusal, error) {
	switch {
	case f.pump.refusal != nil:
		return f.pump.refusal, f.pump.readErr
	case f.pump.sendErr != nil && isTimeout(f.pump.sendErr):
		return f.late(exchange.WriteTimeout), f.pump.sendErr
	}
	return r, err
}

// late tells the limit of the whole from the one that was being waited for.
func (f *flight) late(r *exchange.Refusal) *exchange.Refusal {
	if f.by != 0 && wire.Now() >= f.by {
		return exchange.TotalTimeout
	}
	return r
}

// release ends the use of the connection: it goes back to the pool only if
// the request was sent to its end, the answer was read to its end, and
// nothing came behind it.
func (f *flight) release(whole bool) {
	c := f.c
	f.c = nil
	if f.pump != nil {
		if !whole {
			_ = c.sock.Close()
		}
		whole = f.finishPump() && whole
	}
	f.unwatch(c)
	if !whole || !f.reusable || c.br == nil || c.br.Buffered() != 0 {
		f.t.pool.drop(c)
		return
	}
	c.used = true
	c.detach()
	f.t.pool.put(c, f.shard)
}

// finishPump waits for the pump's end and tells whether all was sent.
func (f *flight) finishPump() bool {
	if f.pump == nil {
		return true
	}
	sent := f.pump.finish()
	f.dropPump()
	return sent
}

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
	x.Cause, call.Unsent = nil, false
	if t.multiplexes(x, call) {
		return t.sendHTTP2(x, call)
	}
	return t.sendHTTP1(x, call, nil)
}

// sendHTTP1 is Send over HTTP/1.1: first on c if that is given.
func (t *Target) sendHTTP1(x *exchange.Exchange, call *Call, c *conn) *exchange.Refusal {
	f, ok := t.registry.flights.Get().(*flight)
	if !ok {
		f = &flight{}
	}
	f.begin(t, x, call)
	f.framing = framing{length: f.length, upgrade: call.Upgrade, close: t.limits.MaxIdle <= 0}
	r := f.run(c)
	if r != nil || x.Stream == nil {
		f.free()
	}
	return r
}

// flight is one exchange on its way to the target and back. As the answer's
// stream it lives until Close, after which it serves another exchange.
type flight struct {
	leg
	c *conn

	head     wire.Head
	body     wire.Body
	framing  framing
	out      []byte
	reusable bool
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

func (f *flight) run(c *conn) *exchange.Refusal {
	for fresh := false; ; fresh, c = true, nil {
		var r *exchange.Refusal
		var err error
		if c == nil {
			c, r, err = f.t.pool.take(f.shard, f.connect, fresh)
		}
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
		again := !fresh && f.mayRepeat(r, f.c.used)
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
	f.c, f.reusable = c, !f.framing.close && len(f.framing.upgrade) == 0
	f.attempting(c.used)
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
		f.startPump(f.c, nil, nil, x.RequestBytes)
	case x.RequestBytes == nil && f.framing.length != 0:
		f.startPump(f.c, nil, x.RequestBody, nil)
	}
	return nil
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

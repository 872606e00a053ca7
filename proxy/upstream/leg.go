package upstream

import (
	"time"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// leg is what an exchange has on its way to a target and back, whatever
// protocol it is sent by: its limits, the pump of its body, and the rules of
// who is to blame and what may be sent again.
type leg struct {
	t    *Target
	x    *exchange.Exchange
	call *Call
	pump *pump

	length  int64 // of the request's body, 0 for none, or exchange.Chunked
	written int   // bytes of the request, as far as the exchange's goroutine wrote them

	by                   int64 // limit of the whole, on the clock of wire
	connect, first, idle time.Duration
	shard                int
	begun                bool // bytes of an answer have arrived
}

func (l *leg) begin(t *Target, x *exchange.Exchange, call *Call) {
	config := &t.registry.config
	l.t, l.x, l.call, l.shard = t, x, call, call.Shard
	l.connect = limit(call.Connect, config.ConnectTimeout)
	l.first = limit(call.FirstByte, config.FirstByteTimeout)
	l.idle = limit(call.Idle, config.IdleTimeout)
	l.by = 0
	if call.Total > 0 {
		l.by = wire.At(x.Start.Add(call.Total))
	}
	l.length = lengthOf(x)
	t.inFlight.Add(1)
}

func limit(asked, usual time.Duration) time.Duration {
	if asked == 0 {
		asked = usual
	}
	return max(asked, 0)
}

// attempting notes that the request goes out on a connection now; used tells
// whether one went out on it before.
func (l *leg) attempting(used bool) {
	l.written, l.begun = 0, false
	x := l.x
	if l.call.Upstream != "" {
		x.Upstream = l.call.Upstream
	}
	x.Address = l.t.name
	x.Reused = used
	x.Dialed = x.Dialed || !used
}

// mayRepeat tells whether the request may be sent again: the connection was
// an old one and failed without a byte of an answer, as one does that the
// target had just closed, and the target cannot have acted on the request or
// may do so twice (RFC 9110 §9.2.2, RFC 9112 §9.3.1).
func (l *leg) mayRepeat(r *exchange.Refusal, used bool) bool {
	if !l.call.Retry || !used || l.begun || (r != exchange.ConnectionClosed && r != exchange.UpstreamReset) {
		return false
	}
	if l.written == 0 {
		return l.pump == nil
	}
	return l.isWhole() && isIdempotent(l.x.Request.Method())
}

// isWhole tells whether the request can be sent again: nothing of it was used up.
func (l *leg) isWhole() bool { return l.x.RequestBytes != nil || l.length == 0 }

// startPump sends a body to an outlet: ahead, which was read of it already, and
// what follows; or rest, which is all of it.
func (l *leg) startPump(to outlet, ahead []byte, body exchange.Body, rest []byte) {
	p := l.t.registry.newPump()
	p.begin(to, l.x.Front, body, rest, l.length)
	p.ahead = copy(p.buf[sizeRoom:], ahead)
	l.pump = p
	go p.run()
}

// dropPump gives back a pump that has finished.
func (l *leg) dropPump() {
	p := l.pump
	l.pump = nil
	l.t.registry.dropPump(p)
}

// finishPump waits for the pump's end and tells whether all was sent.
func (l *leg) finishPump() bool {
	if l.pump == nil {
		return true
	}
	sent := l.pump.finish()
	l.dropPump()
	return sent
}

// blame finds what came first when a request failed while its body was sent:
// a body that could not be read, or was not taken, is why there is no answer.
func (l *leg) blame(r *exchange.Refusal, err error) (*exchange.Refusal, error) {
	switch {
	case l.pump.refusal != nil:
		return l.pump.refusal, l.pump.readErr
	case l.pump.sendErr != nil && isTimeout(l.pump.sendErr):
		return l.late(exchange.WriteTimeout), l.pump.sendErr
	}
	return r, err
}

// late tells the limit of the whole from the one that was being waited for.
func (l *leg) late(r *exchange.Refusal) *exchange.Refusal {
	if l.by != 0 && wire.Now() >= l.by {
		return exchange.TotalTimeout
	}
	return r
}

// grace tells whether to wait on for the first byte although its limit has
// passed: it counts from the end of the request, or its last progress. by is
// until when, 0 for as long again.
func (l *leg) grace() (by int64, more bool) {
	if l.pump == nil || l.begun {
		return 0, false
	}
	now := wire.Now()
	if l.by != 0 && now >= l.by {
		return 0, false
	}
	if !l.pump.ended.Load() {
		return 0, true // who stalls, client or upstream, is found out by the pump's limits
	}
	by = l.pump.progress.Load() + int64(l.first)
	if now >= by {
		return 0, false
	}
	if l.by != 0 {
		by = min(by, l.by)
	}
	return by, true
}

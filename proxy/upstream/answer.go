package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"time"

	"github.com/valyala/fasthttp"

	"weir/proxy/exchange"
	"weir/proxy/frame"
	"weir/proxy/wire"
)

var (
	errInterims  = errors.New("more interim answers than weir waits through")
	errDisagreed = errors.New("the head of the answer reads in more than one way")
	errSpeaksH2  = errors.New("upstream speaks HTTP/2: protocol h2, or an h2c:// target, is for that")
	errUnasked   = errors.New("the upstream changed to a protocol that was not asked for")
)

// readFinal reads heads until that of the final answer, and passes interim
// ones on (RFC 9110 §15.2).
func (f *flight) readFinal() (*exchange.Refusal, error) {
	for range maxInterims + 1 {
		if r, err := f.readHead(); r != nil {
			return r, err
		}
		switch status := f.head.Status; {
		case status >= 200 || status == fasthttp.StatusSwitchingProtocols:
			return nil, nil
		case status == fasthttp.StatusContinue || status == fasthttp.StatusProcessing || f.x.Old || f.x.Front == nil:
			// The front end speaks for itself about 100, and 102 says nothing.
		default:
			f.dropHop()
			if err := f.x.Front.Interim(&f.x.Response); err != nil {
				return exchange.ClientGone, err
			}
		}
	}
	return exchange.MalformedAnswer, errInterims
}

// readHead reads one head into x.Response.
func (f *flight) readHead() (*exchange.Refusal, error) {
	if r, err := f.scanHead(); r != nil {
		return r, err
	}
	h, br := &f.x.Response, f.c.br
	before := br.Buffered()
	h.SetNoDefaultContentType(true)
	if err := h.Read(br); err != nil {
		return exchange.MalformedAnswer, err
	}
	h.SetNoDefaultContentType(true)
	if before-br.Buffered() != f.head.Len || h.StatusCode() != f.head.Status {
		return exchange.MalformedAnswer, errDisagreed
	}
	return nil, nil
}

// scanHead waits until a whole head is buffered and has passed the strict pass.
func (f *flight) scanHead() (*exchange.Refusal, error) {
	limits := wire.Limits{Head: f.t.registry.config.HeadLimit, Fields: maxFields}
	f.head.Reset()
	f.c.sock.ReadLimits(f.by, f.first)
	for want := 1; ; {
		_, err := f.c.br.Peek(want)
		have, _ := f.c.br.Peek(f.c.br.Buffered())
		if len(have) >= want || len(have) == f.c.br.Size() {
			done, fault := f.head.ScanResponse(have, &limits)
			switch {
			case have[0] == 0 && startsLikeHTTP2(have): // no answer of HTTP/1.1 begins so
				return exchange.ProtocolMismatch, errSpeaksH2
			case fault != nil && fault.Status == fasthttp.StatusRequestHeaderFieldsTooLarge:
				return exchange.AnswerHeadTooLarge, fault
			case fault != nil:
				return exchange.MalformedAnswer, fault
			case done:
				f.begun = true
				return nil, nil
			}
			if !f.begun {
				// A head that has begun has to end, however slowly it drips.
				f.begun = true
				f.c.sock.ReadLimits(f.headBy(), 0)
			}
			if errors.Is(err, bufio.ErrBufferFull) || len(have) == f.c.br.Size() {
				f.c.enlarge(min(limits.Head+1, 4*f.c.br.Size()))
				have, _ = f.c.br.Peek(f.c.br.Buffered())
				err = nil
			}
			want = len(have) + 1
		}
		if err == nil || f.patient(err) {
			continue
		}
		if isTimeout(err) {
			return f.late(exchange.FirstByteTimeout), err
		}
		return refusalOfRead(err, f.begun), err
	}
}

// startsLikeHTTP2 tells whether an answer begins with a SETTINGS or GOAWAY frame.
func startsLikeHTTP2(b []byte) bool {
	if len(b) < frame.HeaderLen {
		return false
	}
	h := frame.Parse(b)
	return (h.Type == frame.Settings || h.Type == frame.GoAway) && h.Check(frame.MinMaxFrame) == frame.NoError
}

// headBy returns until when a head that has begun must be whole.
func (f *flight) headBy() int64 {
	if f.first == 0 {
		return f.by
	}
	by := wire.Now() + int64(f.first)
	if f.by != 0 {
		by = min(by, f.by)
	}
	return by
}

// patient tells whether to wait on for the first byte although its limit has passed.
func (f *flight) patient(err error) bool {
	if !isTimeout(err) {
		return false
	}
	by, more := f.grace()
	if by != 0 {
		f.c.sock.ReadLimits(by, 0)
	}
	return more
}

// receive makes the final head the answer of x and decides how its content ends.
func (f *flight) receive() (*exchange.Refusal, error) {
	x, h := f.x, &f.head
	if h.Status == fasthttp.StatusSwitchingProtocols {
		return f.change()
	}
	f.note()
	if h.Close || (h.Minor == 0 && !h.KeepAlive) {
		f.reusable = false
	}
	length := h.Length
	if length == wire.Unknown {
		length = exchange.Chunked
	}
	switch {
	case x.Request.IsHead():
		f.empty(length) // no content follows, whatever the fields say (RFC 9112 §6.3)
		return nil, nil
	case h.Status == fasthttp.StatusNoContent && h.Length != wire.Unknown && h.Length != 0:
		// No content may follow, yet it is announced (RFC 9110 §15.3.5): when it
		// comes, it must not be taken for the next answer.
		f.reusable = false
		f.empty(0)
		return nil, nil
	case h.Length == 0 || h.Status == fasthttp.StatusNoContent || h.Status == fasthttp.StatusNotModified:
		f.empty(0)
		return nil, nil
	case h.Length == wire.Unknown:
		f.reusable = false
	}
	f.c.sock.ReadLimits(f.by, f.idle)
	f.body.Begin(f.c.br, h.Length)
	x.Stream, x.Length = f, length
	return nil, nil
}

// empty ends the exchange with an answer that has no content.
func (f *flight) empty(length int64) {
	f.x.Stream, f.x.Length = nil, length
	f.release(true)
	f.t.inFlight.Add(-1)
}

// note records the answer and removes what belongs to the connection it came by.
func (f *flight) note() {
	f.x.UpstreamStatus = f.head.Status
	f.x.FirstByte = time.Since(f.x.Start)
	f.dropHop()
}

// dropHop removes the hop-by-hop fields of x.Response (RFC 9110 §7.6.1).
func (f *flight) dropHop() {
	h := &f.x.Response
	if f.head.Upgrade && f.head.Status != fasthttp.StatusSwitchingProtocols {
		h.Del(fasthttp.HeaderUpgrade)
	}
	if f.head.Length == wire.Chunked {
		h.Del(fasthttp.HeaderTransferEncoding)
	}
	h.ResetConnectionClose()
	if !f.head.Connection {
		return
	}
	for _, value := range h.PeekAll(fasthttp.HeaderConnection) {
		for option := range bytes.SplitSeq(value, []byte(",")) {
			option = bytes.TrimSpace(option)
			if len(option) > 0 && !staysAnyway(option) {
				h.DelBytes(option)
			}
		}
	}
	h.Del(fasthttp.HeaderConnection)
	h.Del(fasthttp.HeaderKeepAlive)
	h.Del(fasthttp.HeaderProxyConnection)
	h.Del(fasthttp.HeaderProxyAuthenticate) // a reverse proxy has no credentials to give
}

// staysAnyway names fields that are not the connection's, even if an upstream
// says so, and the options that are no fields.
func staysAnyway(option []byte) bool {
	for _, name := range [...]string{"close", "keep-alive", "upgrade", "connection", "content-length", "content-type", "cache-control", "set-cookie"} {
		if is(option, name) {
			return true
		}
	}
	return false
}

// change turns the connection into a tunnel (RFC 9110 §7.8), if that was asked for.
func (f *flight) change() (*exchange.Refusal, error) {
	x := f.x
	if !namesProtocol(x.Response.Peek(fasthttp.HeaderUpgrade), f.call.Upgrade) || f.pump != nil {
		return exchange.UpgradeFailed, errUnasked
	}
	f.note()
	f.unwatch(f.c)
	f.c.sock.ReadLimits(0, 0)
	f.c.sock.WriteLimits(0, 0)
	x.Tunnel, x.Stream, x.Length = newTunnel(f.c), nil, 0
	f.c = nil
	return nil, nil
}

// namesProtocol tells whether an answer changes to the protocol asked for.
func namesProtocol(got, asked []byte) bool {
	return len(asked) > 0 && bytes.EqualFold(bytes.TrimSpace(got), asked)
}

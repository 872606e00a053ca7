package h3

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"weir/proxy/exchange"
	"weir/proxy/front"
	"weir/proxy/hpack"
	"weir/proxy/wire"
)

// relaySize is the buffer that long answers flow through. A client has
// SendTimeout to take what was read into it.
const relaySize = 32 << 10

var relays = sync.Pool{New: func() any { b := make([]byte, frameRoom+relaySize); return &b }}

// Interim sends a 1xx answer.
func (r *request) Interim(h *fasthttp.ResponseHeader) error {
	r.sending.Lock()
	defer r.sending.Unlock()
	if r.answered {
		return nil
	}
	r.out = openHeaders(r.out[:0])
	r.out = appendStatus(r.out, h.StatusCode())
	r.out, _ = appendFields(r.out, h)
	r.out = closeHeaders(r.out)
	return r.write(r.out)
}

// goOn sends 100 Continue. Whether it arrives, what is read next will tell.
func (r *request) goOn() {
	r.sending.Lock()
	defer r.sending.Unlock()
	if !r.answered {
		r.out = closeHeaders(appendStatus(openHeaders(r.out[:0]), fasthttp.StatusContinue))
		_ = r.write(r.out)
	}
}

// Send sends the answer of x. exchange.ErrUnsent means that its content failed
// before anything was sent, so that another answer can still be given.
func (r *request) Send(x *exchange.Exchange) error {
	if x.Tunnel != nil {
		return r.sendTunnel(x)
	}
	status := x.Response.StatusCode()
	if r.websocket && status < 300 {
		// To the client it would mean that the WebSocket is open.
		r.drop(x)
		return errors.Join(exchange.ErrUnsent, front.ErrNotChanged)
	}
	r.sending.Lock()
	r.answered = true // and so r.out is this goroutine's
	r.sending.Unlock()
	bare := x.Request.IsHead() || status == fasthttp.StatusNoContent || status == fasthttp.StatusNotModified
	r.out = r.appendHead(r.out[:0], x, bare)
	if x.Stream != nil {
		return r.sendStream(x, bare)
	}
	if bare || len(x.Bytes) == 0 {
		return r.finish(x, r.out)
	}
	r.out = appendFrame(r.out, frameData, uint64(len(x.Bytes)))
	if len(x.Bytes) <= relaySize {
		r.out = append(r.out, x.Bytes...)
		if err := r.finish(x, r.out); err != nil {
			return err
		}
		x.BytesOut = int64(len(x.Bytes))
		return nil
	}
	if err := r.sendPart(x, r.out); err != nil {
		return err
	}
	if err := r.sendParts(x, x.Bytes); err != nil {
		return err
	}
	return r.finish(x, nil)
}

// drop gives up content that is not sent.
func (r *request) drop(x *exchange.Exchange) {
	if x.Stream != nil {
		_ = x.Stream.Close()
		x.Stream = nil
	}
}

// write sends p within the limit of time.
func (r *request) write(p []byte) error {
	r.sendBy.Store(limit(wire.Now(), r.server.cfg.Front.SendTimeout))
	_, err := r.stream.Write(p)
	r.sendBy.Store(0)
	return err
}

// sendPart sends p; a client that does not take it is gone.
func (r *request) sendPart(x *exchange.Exchange, p []byte) error {
	err := r.write(p)
	if err == nil {
		return nil
	}
	x.Aborted = true
	if r.sendLate.Load() {
		return wire.ErrTimeout
	}
	return err
}

// finish sends the last part and ends the stream.
func (r *request) finish(x *exchange.Exchange, p []byte) error {
	if err := r.sendPart(x, p); err != nil {
		return err
	}
	return r.stream.Close()
}

// sendFinal sends a final head behind which a tunnel begins.
func (r *request) sendFinal(x *exchange.Exchange, p []byte) error {
	r.sending.Lock()
	r.answered = true
	r.sending.Unlock()
	return r.sendPart(x, p)
}

// sendStream sends the head, which stands in r.out, and the content behind it.
func (r *request) sendStream(x *exchange.Exchange, bare bool) error {
	defer r.drop(x)
	if bare {
		return r.finish(x, r.out)
	}
	sent := !x.Stream.Ready()
	if sent {
		// The head must not wait for content that may come much later.
		if err := r.sendPart(x, r.out); err != nil {
			return err
		}
		r.out = r.out[:0]
	}
	if x.Length >= 0 && x.Length <= relaySize {
		return r.sendSmall(x, sent)
	}
	return r.relay(x, sent)
}

// sendSmall sends an answer of known, small size with as few writes as its
// content comes in.
func (r *request) sendSmall(x *exchange.Exchange, sent bool) error {
	if x.Length > 0 {
		r.out = appendFrame(r.out, frameData, uint64(x.Length))
	}
	r.out = slices.Grow(r.out, int(x.Length)+1)
	for {
		n, err := x.Stream.Read(r.out[len(r.out):cap(r.out)])
		r.out = r.out[:len(r.out)+n]
		x.BytesOut += int64(n)
		done := x.Stream.Done()
		switch {
		case err != nil && !done:
			return r.broken(x, sent, err)
		case done:
			return r.close(x, r.out)
		case len(r.out) == 0:
			continue
		}
		if err := r.sendPart(x, r.out); err != nil {
			return err
		}
		sent, r.out = true, r.out[:0]
	}
}

// relay sends content of any length through a buffer: one read, one write, so
// that the client's pace is the upstream's, and nothing waits in the gateway.
func (r *request) relay(x *exchange.Exchange, sent bool) error {
	pooled := relays.Get().(*[]byte)
	defer relays.Put(pooled)
	buf := *pooled
	for {
		if done, err := r.sendTaken(x, &sent); done {
			return err
		}
		n, err := x.Stream.Read(buf[frameRoom:])
		x.BytesOut += int64(n)
		done := x.Stream.Done()
		if err != nil && !done {
			return r.broken(x, sent, err)
		}
		out := buf[frameRoom : frameRoom+n]
		if n > 0 {
			var header [frameRoom]byte
			h := appendFrame(header[:0], frameData, uint64(n))
			copy(buf[frameRoom-len(h):], h)
			out = buf[frameRoom-len(h) : frameRoom+n]
		}
		if !sent {
			if err := r.sendPart(x, r.out); err != nil {
				return err
			}
			sent, r.out = true, r.out[:0]
		}
		if done {
			return r.close(x, out)
		}
		if err := r.sendPart(x, out); err != nil {
			return err
		}
	}
}

// taker is content that can be had without copying it.
type taker interface{ Take() []byte }

// sendTaken sends what is there already from where it lies, behind what stands
// in r.out. It tells whether the answer has come to its end.
func (r *request) sendTaken(x *exchange.Exchange, sent *bool) (done bool, err error) {
	t, ok := x.Stream.(taker)
	if !ok {
		return false, nil
	}
	for {
		content := t.Take()
		if len(content) == 0 {
			return false, nil
		}
		done = x.Stream.Done()
		r.out = appendFrame(r.out, frameData, uint64(len(content)))
		if err := r.sendPart(x, r.out); err != nil {
			return true, err
		}
		*sent, r.out = true, r.out[:0]
		if err := r.sendParts(x, content); err != nil {
			return true, err
		}
		if done {
			return true, r.close(x, nil)
		}
	}
}

// sendParts sends content in parts that a client has SendTimeout for.
func (r *request) sendParts(x *exchange.Exchange, content []byte) error {
	for len(content) > 0 {
		part := content[:min(len(content), relaySize)]
		if err := r.sendPart(x, part); err != nil {
			return err
		}
		x.BytesOut += int64(len(part))
		content = content[len(part):]
	}
	return nil
}

// close sends the last part and the trailers, and ends the stream.
func (r *request) close(x *exchange.Exchange, p []byte) error {
	trailers := x.Stream.Trailers()
	if len(trailers) == 0 {
		return r.finish(x, p)
	}
	if err := r.sendPart(x, p); err != nil {
		return err
	}
	r.out = appendLines(openHeaders(r.out[:0]), trailers)
	return r.finish(x, closeHeaders(r.out))
}

// appendLines appends field lines, each ended by CRLF, but those of a connection.
func appendLines(dst, lines []byte) []byte {
	for len(lines) > 0 {
		var line []byte
		line, lines, _ = bytes.Cut(lines, crlf)
		name, value, ok := bytes.Cut(line, colon)
		if !ok {
			continue
		}
		switch hpack.Lookup(name) {
		case hpack.Connection, hpack.ContentLength, hpack.TransferEncoding, hpack.KeepAlive, hpack.ProxyConnection, hpack.Upgrade:
			continue
		}
		dst = appendField(dst, name, bytes.TrimSpace(value))
	}
	return dst
}

var (
	crlf  = []byte("\r\n")
	colon = []byte(":")
)

// broken ends an answer whose content failed.
func (r *request) broken(x *exchange.Exchange, sent bool, err error) error {
	switch {
	case errors.Is(err, wire.ErrAbandoned):
		x.Aborted = true
	case !sent:
		return errors.Join(exchange.ErrUnsent, err)
	}
	r.stream.CancelWrite(codeInternalError)
	return err
}

// appendHead appends the HEADERS frame of the answer.
func (r *request) appendHead(dst []byte, x *exchange.Exchange, bare bool) []byte {
	h := &x.Response
	dst = appendStatus(openHeaders(dst), h.StatusCode())
	dst, dated := appendFields(dst, h)
	dst = appendLines(dst, x.Lines)
	var scratch [32]byte
	if !dated && len(x.Lines) == 0 {
		dst = appendField(dst, nameDate, r.server.date.Append(scratch[:0], x.Start))
	}
	if n := lengthOf(x, bare); n >= 0 {
		dst = appendField(dst, nameLength, strconv.AppendInt(scratch[:0], n, 10))
	}
	return closeHeaders(dst)
}

var (
	nameDate   = []byte("date")
	nameLength = []byte("content-length")
)

// lengthOf returns the length that the head announces, -1 for none (RFC 9110 §8.6).
func lengthOf(x *exchange.Exchange, bare bool) int64 {
	switch {
	case x.Response.StatusCode() == fasthttp.StatusNoContent || x.Tunnel != nil:
		return -1
	case x.Stream != nil:
		return x.Length
	case x.Bytes != nil || !bare:
		return int64(len(x.Bytes))
	case x.Request.IsHead():
		return x.Length
	}
	return -1
}

// appendFields appends the fields of h but those of a connection. It reports
// whether Date was among them.
func appendFields(dst []byte, h *fasthttp.ResponseHeader) (out []byte, dated bool) {
	for name, value := range h.All() {
		switch string(name) {
		case "Connection", "Content-Length", "Transfer-Encoding", "Keep-Alive", "Proxy-Connection", "Upgrade":
			continue
		case "Date":
			dated = true
		}
		dst = appendField(dst, name, value)
	}
	return dst, dated
}

// headersRoom is what a HEADERS frame begins with: type, length in two bytes,
// and the prefix of the field section.
const headersRoom = 3

// openHeaders begins a HEADERS frame, whose length closeHeaders fills in. There
// is one in dst at a time, behind nothing.
func openHeaders(dst []byte) []byte {
	return appendSection(append(dst, frameHeaders, 0, 0))
}

func closeHeaders(b []byte) []byte {
	n := len(b) - headersRoom
	if n < 1<<14 {
		binary.BigEndian.PutUint16(b[1:], uint16(n)|0x4000)
		return b
	}
	b = slices.Insert(b, headersRoom, 0, 0)
	binary.BigEndian.PutUint32(b[1:], uint32(n)|0x80000000)
	return b
}

// Gone tells whether the client has left, or no longer wants the answer.
func (r *request) Gone() bool { return r.stream.Context().Err() != nil }

// Notify has w woken when the client leaves.
func (r *request) Notify(w exchange.Waker) {
	if r.waker != nil {
		r.waker()
		r.waker = nil
	}
	if w != nil {
		r.waker = context.AfterFunc(r.stream.Context(), w.Wake)
	}
}

// StopBody ends a read of the request body that another goroutine is in.
func (r *request) StopBody() {
	if !r.body.Done() {
		_ = r.stream.SetReadDeadline(time.Now()) // the client is told to stop behind its answer, see linger
	}
}

var _ exchange.Front = (*request)(nil)

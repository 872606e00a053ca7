package h1

import (
	"errors"
	"strconv"
	"sync"

	"github.com/valyala/fasthttp"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// relaySize is the buffer that long answers flow through: larger reads mean
// fewer system calls, 64 KiB is where that stops to pay.
const relaySize = 64 << 10

var relays = sync.Pool{New: func() any { b := make([]byte, relaySize+chunkRoom); return &b }}

// chunkRoom is what a chunk may need around its data: its size line before,
// CRLF and the last chunk behind. Trailers are sent by themselves.
const (
	sizeRoom  = 10
	tailRoom  = len("\r\n0\r\n\r\n")
	chunkRoom = sizeRoom + tailRoom
)

// Interim sends a 1xx answer. HTTP/1.0 clients get none (RFC 9110 §15.2).
func (c *conn) Interim(h *fasthttp.ResponseHeader) error {
	w := c.work
	if w.x.Old {
		return nil
	}
	w.out = wire.AppendStatusLine(w.out[:0], h.StatusCode(), h.StatusMessage())
	w.out, _ = wire.AppendFields(w.out, h)
	w.out = append(w.out, '\r', '\n')
	_, err := c.sock.Write(w.out)
	return err
}

// Send sends the answer of x. exchange.ErrUnsent means that its content failed
// before anything was sent, so that another answer can still be given.
func (c *conn) Send(x *exchange.Exchange) error {
	w := c.work
	if x.Upstream == "" {
		w.body.discard()
	}
	if !w.body.Done() || c.server.IsDraining() {
		c.keep = false
	}
	if x.Tunnel != nil {
		return c.sendTunnel(x)
	}
	status := x.Response.StatusCode()
	bare := x.Request.IsHead() || status == fasthttp.StatusNoContent || status == fasthttp.StatusNotModified
	chunked := !bare && x.Stream != nil && x.Length < 0 && !x.Old
	if !bare && x.Stream != nil && x.Length < 0 && x.Old {
		c.keep = false
	}
	w.out = c.appendHead(w.out[:0], x, bare, chunked)
	if x.Stream != nil {
		return c.sendStream(x, bare, chunked)
	}
	if bare {
		return c.write(x, w.out)
	}
	if len(x.Bytes) > relaySize {
		if err := c.write(x, w.out); err != nil {
			return err
		}
		return c.writeContent(x, x.Bytes)
	}
	w.out = append(w.out, x.Bytes...)
	return c.writeContent(x, w.out)
}

// writeContent sends b, which ends with all of x.Bytes, and counts those if it could.
func (c *conn) writeContent(x *exchange.Exchange, b []byte) error {
	if err := c.write(x, b); err != nil {
		return err
	}
	x.BytesOut = int64(len(x.Bytes))
	return nil
}

// write sends b; a client that does not take it is gone.
func (c *conn) write(x *exchange.Exchange, b []byte) error {
	_, err := c.sock.Write(b)
	if err != nil {
		return c.unsendable(x, err)
	}
	return nil
}

// unsendable ends a connection whose client does not take its answer.
func (c *conn) unsendable(x *exchange.Exchange, err error) error {
	c.keep, x.Aborted = false, true
	if errors.Is(err, wire.ErrTimeout) {
		// The kernel would keep what it holds for the client long after a mere close.
		_ = c.sock.Abort()
	}
	return err
}

// appendHead appends the head of the answer with the framing of this connection.
func (c *conn) appendHead(dst []byte, x *exchange.Exchange, bare, chunked bool) []byte {
	h := &x.Response
	dst = wire.AppendStatusLine(dst, h.StatusCode(), h.StatusMessage())
	dst, dated := wire.AppendFields(dst, h)
	if !dated {
		dst = append(dst, "Date: "...)
		dst = append(c.server.date.Append(dst, x.Start), '\r', '\n')
	}
	switch {
	case bare:
		// What a GET would have been framed by (RFC 9110 §8.6); 204 has none.
		if n := bareLength(x); n >= 0 {
			dst = appendLength(dst, n)
		}
	case chunked:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	case x.Stream == nil:
		dst = appendLength(dst, int64(len(x.Bytes)))
	case x.Length >= 0:
		dst = appendLength(dst, x.Length)
	}
	switch {
	case !c.keep:
		dst = append(dst, "Connection: close\r\n"...)
	case x.Old:
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	return append(dst, '\r', '\n')
}

func appendLength(dst []byte, n int64) []byte {
	dst = append(dst, "Content-Length: "...)
	return append(strconv.AppendInt(dst, n, 10), '\r', '\n')
}

func bareLength(x *exchange.Exchange) int64 {
	switch {
	case x.Response.StatusCode() == fasthttp.StatusNoContent:
		return -1
	case x.Bytes != nil:
		return int64(len(x.Bytes))
	case x.Request.IsHead() || x.Stream != nil:
		return x.Length
	}
	return -1
}

// sendStream sends the head, which stands in w.out, and the content behind it.
func (c *conn) sendStream(x *exchange.Exchange, bare, chunked bool) error {
	defer func() {
		_ = x.Stream.Close()
		x.Stream = nil
	}()
	w := c.work
	if bare {
		return c.write(x, w.out)
	}
	sent := !x.Stream.Ready()
	if sent {
		// The head must not wait for content that may come much later.
		if err := c.write(x, w.out); err != nil {
			return err
		}
		w.out = w.out[:0]
	}
	if done, err := c.sendTaken(x, &sent); done {
		return err
	}
	switch {
	case x.Length >= 0 && x.Length <= relaySize/2:
		return c.sendSmall(x, sent)
	case x.Length > 0:
		return c.sendLarge(x, sent)
	}
	return c.relay(x, sent, chunked)
}

// taker is content that can be had without copying it.
type taker interface{ Take() []byte }

// takeLeast is from how many bytes on writing content from where it lies is
// cheaper than copying it behind the head.
const takeLeast = 4 << 10

// sendTaken sends what is there already of an answer of known size, straight
// from the upstream's buffer. It tells whether the answer has come to its end.
func (c *conn) sendTaken(x *exchange.Exchange, sent *bool) (done bool, err error) {
	t, ok := x.Stream.(taker)
	if !ok || x.Length < takeLeast || *sent {
		return false, nil
	}
	content := t.Take()
	if len(content) == 0 {
		return false, nil
	}
	w := c.work
	x.BytesOut += int64(len(content))
	if _, err := c.sock.WriteBoth(w.out, content); err != nil {
		return true, c.unsendable(x, err)
	}
	*sent, w.out = true, w.out[:0]
	return x.Stream.Done(), nil
}

// sendSmall sends an answer of known, small size with as few writes as its
// content comes in.
func (c *conn) sendSmall(x *exchange.Exchange, sent bool) error {
	w := c.work
	for total := len(w.out) + int(x.Length) - int(x.BytesOut); cap(w.out) < total; {
		w.out = append(make([]byte, 0, total+512), w.out...)
	}
	for {
		n, err := x.Stream.Read(w.out[len(w.out):cap(w.out)])
		w.out = w.out[:len(w.out)+n]
		x.BytesOut += int64(n)
		done := x.Stream.Done()
		if err != nil && !done {
			return c.broken(x, sent, err)
		}
		if len(w.out) > 0 {
			if err := c.write(x, w.out); err != nil {
				return err
			}
			sent = true
			w.out = w.out[:0]
		}
		if done {
			return nil
		}
	}
}

// splicer is content that can move to a socket within the kernel.
type splicer interface {
	SpliceTo(dst *wire.Sock) (int64, error)
}

// sendLarge sends an answer of known size: what is there already together with
// the head, the rest within the kernel where that can be.
func (c *conn) sendLarge(x *exchange.Exchange, sent bool) error {
	s, ok := x.Stream.(splicer)
	if !ok || !c.sock.IsClear() {
		return c.relay(x, sent, false)
	}
	w := c.work
	for x.Stream.Ready() {
		if cap(w.out)-len(w.out) < relaySize/4 {
			w.out = append(make([]byte, 0, len(w.out)+relaySize/2), w.out...)
		}
		n, err := x.Stream.Read(w.out[len(w.out):cap(w.out)])
		if err != nil && !x.Stream.Done() {
			return c.broken(x, sent, err)
		}
		x.BytesOut += int64(n)
		if err := c.write(x, w.out[:len(w.out)+n]); err != nil || x.Stream.Done() {
			return err
		}
		sent, w.out = true, w.out[:0]
	}
	for !x.Stream.Done() {
		n, err := s.SpliceTo(&c.sock.Sock)
		x.BytesOut += n
		var sending *wire.SendError
		switch {
		case err == wire.ErrNoSplice:
			return c.relay(x, sent, false)
		case errors.As(err, &sending):
			return c.unsendable(x, sending.Err)
		case err != nil:
			return c.broken(x, sent, err)
		}
	}
	return nil
}

// relay sends content of any length through a buffer: one read, one write, so
// that the client's pace is the upstream's, and nothing waits in the gateway.
func (c *conn) relay(x *exchange.Exchange, sent, chunked bool) error {
	pooled := relays.Get().(*[]byte)
	defer relays.Put(pooled)
	buf, head := *pooled, c.work.out
	for {
		from := len(head) + sizeRoom
		n, err := x.Stream.Read(buf[from : len(buf)-tailRoom])
		x.BytesOut += int64(n)
		done := x.Stream.Done()
		if err != nil && !done {
			return c.broken(x, sent, err)
		}
		out := buf[from-len(head) : from+n]
		if chunked {
			out = frame(buf, from, n, len(head))
			if done {
				out = wire.AppendLastChunk(out, x.Stream.Trailers())
			}
		}
		copy(out, head)
		if len(out) > 0 {
			if err := c.write(x, out); err != nil {
				return err
			}
			sent, head = true, nil
		}
		if done {
			return nil
		}
	}
}

// frame makes a chunk of the n bytes at buf[from:] and leaves room for a head
// before it. Without bytes there is no chunk: an empty one would be the last.
func frame(buf []byte, from, n, head int) []byte {
	if n == 0 {
		return buf[from-head : from]
	}
	var line [sizeRoom]byte
	size := wire.AppendChunkSize(line[:0], n)
	at := from - len(size)
	copy(buf[at:], size)
	return append(buf[at-head:from+n], '\r', '\n')
}

// broken ends an answer whose content failed.
func (c *conn) broken(x *exchange.Exchange, sent bool, err error) error {
	if errors.Is(err, wire.ErrAbandoned) {
		c.keep, x.Aborted = false, true
		return err
	}
	if !sent {
		return errors.Join(exchange.ErrUnsent, err)
	}
	c.keep = false
	if x.Old || x.Length < 0 {
		// Only a reset tells a client without chunks that more was to come.
		_ = c.abort(x)
	}
	return err
}

func (c *conn) abort(x *exchange.Exchange) error {
	if x.Old {
		return c.sock.Abort()
	}
	return nil
}

// sendTunnel sends the 101 and then moves bytes until the tunnel ends.
func (c *conn) sendTunnel(x *exchange.Exchange) error {
	w := c.work
	tunnel := x.Tunnel
	x.Tunnel = nil
	defer tunnel.Close()
	c.keep = false
	w.out = wire.AppendStatusLine(w.out[:0], fasthttp.StatusSwitchingProtocols, nil)
	w.out, _ = wire.AppendFields(w.out, &x.Response)
	w.out = append(w.out, "Connection: Upgrade\r\n\r\n"...)
	if err := c.write(x, w.out); err != nil {
		return err
	}
	other, ok := tunnel.(interface{ Side() wire.Side })
	if !ok {
		panic("BUG: a tunnel that is no socket")
	}
	early, _ := w.br.Peek(w.br.Buffered())
	c.tunnel.Store(true)
	c.server.AddTunnel(1)
	defer c.server.AddTunnel(-1)
	in, out := wire.Tunnel(c.sock.Side(early), other.Side(), x.Limits.Idle, x.Limits.Total)
	_, _ = w.br.Discard(len(early))
	x.BytesIn, x.BytesOut = in, out
	return nil
}

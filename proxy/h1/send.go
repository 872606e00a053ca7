package h1

import (
	"errors"
	"strconv"

	"github.com/valyala/fasthttp"

	"weir/proxy/exchange"
	"weir/proxy/wire"
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
	if err := c.writeBehind(x, x.Bytes); err != nil {
		return err
	}
	x.BytesOut = int64(len(x.Bytes))
	return nil
}

// takeLeast is from how many bytes on writing content from where it lies is
// cheaper than copying it behind the head.
const takeLeast = 4 << 10

// writeBehind sends what stands in w.out and then content.
func (c *conn) writeBehind(x *exchange.Exchange, content []byte) error {
	w := c.work
	if len(content) < takeLeast {
		w.out = append(w.out, content...)
		return c.write(x, w.out)
	}
	return c.writeParts(x, w.out, content, nil)
}

// writeParts sends content from where it lies, and what stands before and after it.
func (c *conn) writeParts(x *exchange.Exchange, before, content, after []byte) error {
	if _, err := c.sock.WriteParts(before, content, after); err != nil {
		return c.unsendable(x, err)
	}
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
	dst = append(dst, x.Lines...)
	if !dated && len(x.Lines) == 0 {
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

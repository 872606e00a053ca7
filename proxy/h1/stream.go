package h1

import (
	"errors"
	"slices"
	"sync"

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

// sendTaken sends what is there already from where it lies, behind what stands
// in w.out. It tells whether the answer has come to its end.
func (c *conn) sendTaken(x *exchange.Exchange, sent *bool, chunked bool) (done bool, err error) {
	t, ok := x.Stream.(taker)
	if !ok {
		return false, nil
	}
	w := c.work
	for {
		content := t.Take()
		if len(content) == 0 {
			return false, nil
		}
		x.BytesOut += int64(len(content))
		done := x.Stream.Done()
		if err := c.writePiece(x, content, chunked, done); err != nil {
			return true, err
		}
		*sent, w.out = true, w.out[:0]
		if done {
			return true, nil
		}
	}
}

// writePiece sends what stands in w.out and then content, as a chunk if the
// answer has those.
func (c *conn) writePiece(x *exchange.Exchange, content []byte, chunked, last bool) error {
	if !chunked {
		return c.writeBehind(x, content)
	}
	w := c.work
	w.out = wire.AppendChunkSize(w.out, len(content))
	size := len(w.out)
	copied := len(content) < takeLeast
	if copied {
		w.out = append(w.out, content...)
	}
	w.out = append(w.out, '\r', '\n')
	if last {
		w.out = wire.AppendLastChunk(w.out, x.Stream.Trailers())
	}
	if copied {
		return c.write(x, w.out)
	}
	return c.writeParts(x, w.out[:size], content, w.out[size:])
}

// sendSmall sends an answer of known, small size with as few writes as its
// content comes in.
func (c *conn) sendSmall(x *exchange.Exchange, sent bool) error {
	w := c.work
	for {
		if x.Length >= takeLeast {
			if done, err := c.sendTaken(x, &sent, false); done {
				return err
			}
		}
		w.out = slices.Grow(w.out, int(max(x.Length-x.BytesOut, 0))+1)
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
	if done, err := c.sendTaken(x, &sent, false); done {
		return err
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

// relay sends content of any length as it comes, so that the client's pace is
// the upstream's, and nothing waits in the gateway: what is not to be had where
// it lies flows through a buffer, one read and one write at a time.
func (c *conn) relay(x *exchange.Exchange, sent, chunked bool) error {
	pooled := relays.Get().(*[]byte)
	defer relays.Put(pooled)
	buf, w := *pooled, c.work
	for {
		if done, err := c.sendTaken(x, &sent, chunked); done {
			return err
		}
		head := w.out
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
			sent, w.out = true, w.out[:0]
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

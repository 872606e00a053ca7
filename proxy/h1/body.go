package h1

import (
	"bufio"
	"sync/atomic"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// requestBody is the body of the request under way. It asks for the body
// (100 Continue) when it is first read, and not before: who refuses without
// reading spares the client the upload (RFC 9110 §10.1.1).
type requestBody struct {
	wire.Body
	c      *conn
	expect bool
	whole  atomic.Bool // Done, readable by the answering goroutine
}

var goOn = []byte("HTTP/1.1 100 Continue\r\n\r\n")

func (b *requestBody) reset() {
	b.expect = false
	b.whole.Store(true)
	b.Body.Begin(nil, 0)
}

func (b *requestBody) begin(br *bufio.Reader, length int64) {
	b.Body.Begin(br, length)
	b.whole.Store(length == 0)
}

// Read implements io.Reader within the exchange's MaxBody.
func (b *requestBody) Read(p []byte) (int, error) {
	if b.expect {
		b.expect = false
		if _, err := b.c.sock.Write(goOn); err != nil {
			return 0, err
		}
	}
	n, err := b.Body.Read(p)
	if limit := b.c.work.x.MaxBody; limit >= 0 && b.Count() > limit {
		return 0, exchange.ErrBodyTooLarge
	}
	if b.Body.Done() {
		b.whole.Store(true)
	}
	return n, err
}

// discard drops a body of known length that is there already, so that an answer
// that did not need it does not cost the connection. Nobody else may read it.
func (b *requestBody) discard() {
	if b.expect {
		return
	}
	for len(b.Body.Take()) > 0 {
	}
	if b.Body.Done() {
		b.whole.Store(true)
	}
}

// Done tells whether the whole body was read.
func (b *requestBody) Done() bool { return b.whole.Load() }

// Close gives up the rest of the body; the connection ends after the answer.
func (b *requestBody) Close() error { return nil }

// SpliceTo moves some of the body to dst within the kernel, as
// wire.Body.Splice does.
func (b *requestBody) SpliceTo(dst *wire.Sock) (int64, error) {
	if len(b.c.work.in.ahead) > 0 || b.expect || !b.c.sock.IsClear() {
		return 0, wire.ErrNoSplice
	}
	n, err := b.Body.Splice(dst, &b.c.sock.Sock, spliceMost)
	if limit := b.c.work.x.MaxBody; limit >= 0 && b.Count() > limit {
		return n, exchange.ErrBodyTooLarge
	}
	if b.Body.Done() {
		b.whole.Store(true)
	}
	return n, err
}

// spliceMost is how much moves between two looks at the limits.
const spliceMost = 1 << 20

var _ exchange.Body = (*requestBody)(nil)

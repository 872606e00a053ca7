package upstream

import (
	"bufio"
	stdtls "crypto/tls"
	"errors"
	"io"

	"weir/proxy/wire"
)

// conn is one connection to a target. It belongs to one flight, or to the pool.
type conn struct {
	target    *Target
	wire      *wire.Conn
	sock      *wire.Sock    // of wire
	tls       *stdtls.Conn  // of wire, nil without TLS
	rw        io.ReadWriter // tls or sock
	br        *bufio.Reader // nil while unused
	used      bool          // has carried a request
	large     bool          // br is larger than those of the pool
	idleSince int64
	probe     [1]byte
}

// alive tells whether an unused connection is as it was left. Whatever arrived
// since then answers nothing that was asked, and must not answer what comes next.
func (c *conn) alive() bool {
	if c.tls == nil {
		return c.sock.Pristine()
	}
	// Under TLS what arrived may be a session ticket or the like, and what was
	// received is not all that was read: only reading can tell.
	c.sock.NoWait(true)
	n, err := c.tls.Read(c.probe[:])
	c.sock.NoWait(false)
	return n == 0 && errors.Is(err, wire.ErrTimeout)
}

// attach gives the connection a buffer to read with.
func (c *conn) attach() {
	if c.br == nil {
		c.br = c.target.registry.readers.Get(c.rw)
	}
}

// enlarge replaces the buffer, which a head has filled, by one of size bytes.
func (c *conn) enlarge(size int) {
	have, _ := c.br.Peek(c.br.Buffered())
	rest := bufio.NewReaderSize(io.MultiReader(&replay{b: append([]byte(nil), have...)}, c.rw), size)
	_, _ = rest.Peek(len(have))
	_, _ = c.br.Discard(len(have))
	c.detach()
	c.br, c.large = rest, true
}

// replay reads bytes that were read before.
type replay struct{ b []byte }

func (r *replay) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.b)
	r.b = r.b[n:]
	return n, nil
}

// detach gives the buffer back. Nothing that lies in it is needed any more.
func (c *conn) detach() {
	if c.br != nil && !c.large {
		c.target.registry.readers.Put(c.br)
	}
	c.br, c.large = nil, false
}

func (c *conn) close() {
	c.detach()
	_ = c.sock.Close()
}

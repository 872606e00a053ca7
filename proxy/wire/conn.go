package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// Conn is a connection with what runs over its socket: nothing, or TLS. The
// rules of Sock hold: one goroutine may read while another writes, and Gone,
// Wake, Interrupt and Close may be called by anybody at any time.
type Conn struct {
	Sock
	over  *tls.Conn // nil in clear
	under records   // what over runs on
	first []byte    // where a ReadLent waits, nil in clear
	left  bool      // the peer sends nothing more
}

// records is the socket as TLS reads it.
type records struct {
	*Sock
	overseer Overseer
}

// Overseer sees the reads of a handshake: what TLS waits for and how much comes.
type Overseer interface {
	// BeforeRead is called before a read that may wait.
	BeforeRead()
	// AfterRead is called with what a read has brought; an error ends the handshake.
	AfterRead(n int) error
}

// Read implements io.Reader.
func (r *records) Read(p []byte) (int, error) {
	if r.overseer == nil {
		return r.Sock.Read(p)
	}
	r.overseer.BeforeRead()
	n, err := r.Sock.Read(p)
	if seen := r.overseer.AfterRead(n); seen != nil {
		return n, seen
	}
	return n, err
}

// NewConn takes over nc, in clear.
func NewConn(nc net.Conn) *Conn {
	c := &Conn{}
	c.nc = nc
	c.openRaw()
	return c
}

// Handshake puts the server's side of TLS over the socket and shakes hands,
// within the limits of the socket and under the eyes of o, nil for nobody's.
// ctx is what the hello tells config; its end is not waited for.
func (c *Conn) Handshake(ctx context.Context, config *tls.Config, o Overseer) error {
	c.under = records{&c.Sock, o}
	c.over = tls.Server(&c.under, config)
	err := c.over.HandshakeContext(context.WithoutCancel(ctx))
	c.under.overseer = nil
	return err
}

// HandshakeClient puts the client's side of TLS over the socket and shakes
// hands, within the limits of the socket.
func (c *Conn) HandshakeClient(config *tls.Config) error {
	c.over = tls.Client(&c.Sock, config)
	return c.over.Handshake()
}

// TLS returns what runs over the socket, nil in clear.
func (c *Conn) TLS() *tls.Conn { return c.over }

// IsClear tells whether the socket's bytes are the connection's: only then can
// they be moved within the kernel.
func (c *Conn) IsClear() bool { return c.over == nil }

// Side returns the connection as one end of a tunnel.
func (c *Conn) Side(early []byte) Side {
	side := Side{Sock: &c.Sock, Early: early}
	if c.over != nil {
		side.Over = c.over
	}
	return side
}

// Read implements io.Reader within the limits of the socket.
func (c *Conn) Read(p []byte) (int, error) {
	if c.over == nil {
		return c.Sock.Read(p)
	}
	return c.over.Read(p)
}

// firstRead is how much of a record is read where an idle connection waits: a
// small request is whole then.
const firstRead = 512

// ReadLent reads into a buffer that l lends only while bytes are there, as
// Sock.ReadLent does; it must have room for 512 of them. TLS wants a buffer
// before it waits: it gets a small one of the connection's own, and the rest of
// the record is had without another look at the socket.
func (c *Conn) ReadLent(l Lender) (int, error) {
	if c.over == nil {
		return c.Sock.ReadLent(l)
	}
	if c.first == nil {
		c.first = make([]byte, firstRead)
	}
	l.TakeBack()
	c.patient = true
	n, err := c.over.Read(c.first)
	c.patient = false
	if n == 0 {
		c.left = err == io.EOF || errors.Is(err, syscall.ECONNRESET)
		return 0, err
	}
	p := l.Lend()
	copy(p, c.first[:n])
	if n < len(c.first) {
		return n, nil
	}
	c.NoWait(true)
	more, _ := c.over.Read(p[n:]) // an error is there again at the next read
	c.NoWait(false)
	return n + more, nil
}

// recordMost is the content of the largest record (RFC 8446 §5.1).
const recordMost = 16 << 10

// corks gather the records of one write, so that they leave in one send.
var corks = sync.Pool{New: func() any { b := make([]byte, 0, corkMost+recordMost); return &b }}

// corkMost is how much is gathered before it is sent: whole records, and less
// than the largest segment. A byte more than that costs a segment of its own:
// 1 MiB took a fifth more time of the processor with 64 KiB.
const corkMost = 48 << 10

// Write implements io.Writer within the limits of the socket.
func (c *Conn) Write(p []byte) (int, error) {
	switch {
	case c.over == nil:
		return c.Sock.Write(p)
	case len(p) <= recordMost:
		return c.over.Write(p)
	}
	return c.writeRecords(p)
}

// writeRecords writes what fills more than one record, many of them in a send.
func (c *Conn) writeRecords(list ...[]byte) (n int, err error) {
	cork := corks.Get().(*[]byte)
	c.cork = (*cork)[:0]
	for _, p := range list {
		if len(p) == 0 {
			continue
		}
		var written int
		written, err = c.over.Write(p)
		if n += written; err != nil {
			break
		}
	}
	err = errors.Join(err, c.uncork())
	*cork = c.cork[:0]
	c.cork = nil
	corks.Put(cork)
	return n, err
}

// SomeMost is how much WriteSome takes.
const SomeMost = corkMost - recordMost

// WriteSome writes p, of at most SomeMost bytes, as far as the socket takes it
// without waiting. What is left stands in the buffer of spill and has to be
// written by WriteRest before anything else is. Without descriptors it waits.
func (c *Conn) WriteSome(p []byte, spill *[]byte) (rest []byte, err error) {
	if c.over != nil {
		c.cork = append((*spill)[:0], 0)[:0] // not nil, which is no cork
		_, err = c.over.Write(p)
		p, c.cork = c.cork, nil
		if *spill = p[:0]; err != nil {
			return nil, err
		}
	}
	c.noWaitOut = true
	n, err := c.Sock.Write(p)
	c.noWaitOut = false
	if err != nil || n == len(p) {
		return nil, err
	}
	if c.over == nil {
		*spill = append((*spill)[:0], p[n:]...)
		return *spill, nil
	}
	return p[n:], nil
}

// WriteRest writes what WriteSome has left.
func (c *Conn) WriteRest(rest []byte) error {
	_, err := c.Sock.Write(rest)
	return err
}

// gathers joins the parts of a small write.
var gathers = sync.Pool{New: func() any { b := make([]byte, 0, recordMost); return &b }}

// WriteParts writes content and what stands before and after it, in one call to
// the kernel where it can. Any of them may be empty.
func (c *Conn) WriteParts(before, content, after []byte) (int, error) {
	if c.over == nil {
		return c.Sock.WriteParts(before, content, after)
	}
	total := len(before) + len(content) + len(after)
	gather := gathers.Get().(*[]byte)
	head := append((*gather)[:0], before...)
	fits := min(len(content), max(recordMost-len(head), 0))
	head = append(head, content[:fits]...)
	var err error
	if total <= recordMost {
		_, err = c.over.Write(append(head, after...))
	} else {
		_, err = c.writeRecords(head, content[fits:], after)
	}
	if cap(head) <= 2*recordMost {
		*gather = head[:0]
	}
	gathers.Put(gather)
	if err != nil {
		return 0, err
	}
	return total, nil
}

// CloseWrite ends the sending direction, TLS first.
func (c *Conn) CloseWrite() error {
	if c.over != nil {
		c.parting()
	}
	return c.Sock.CloseWrite()
}

// End closes the connection in good order: under TLS the client is told so
// (RFC 8446 §6.1), unless it has gone already. Only the goroutine that serves the connection may call it.
func (c *Conn) End() {
	if c.over != nil && !c.left {
		c.parting()
	}
	_ = c.Close()
}

// partingTime bounds the last alert: a client that takes nothing must not keep
// a connection that is to be closed.
const partingTime = time.Second

func (c *Conn) parting() {
	c.WriteLimits(Now()+int64(partingTime), 0)
	_ = c.over.CloseWrite()
}

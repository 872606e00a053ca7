package wire

import (
	"bufio"
	"io"
	"sync"
)

// Readers hands out buffered readers of one size, so that a connection holds
// a buffer only while it has bytes to look at. Safe for concurrent use.
type Readers struct {
	size int
	pool sync.Pool
}

// NewReaders returns a pool of readers whose buffers hold size bytes: the
// longest message head that can be read.
func NewReaders(size int) *Readers { return &Readers{size: size} }

// Get returns a reader over r.
func (p *Readers) Get(r io.Reader) *bufio.Reader {
	if br, ok := p.pool.Get().(*bufio.Reader); ok {
		br.Reset(r)
		return br
	}
	return bufio.NewReaderSize(r, p.size)
}

// Put takes back a reader that holds no unread bytes.
func (p *Readers) Put(br *bufio.Reader) {
	br.Reset(nil)
	p.pool.Put(br)
}

package bench

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"testing"
)

// client is one keep-alive connection to a gateway. It allocates nothing while
// all goes well, and reads no more of an answer than it must to find its end.
type client struct {
	nc   net.Conn
	buf  []byte
	have int
}

func dial(tb testing.TB, address string) *client {
	tb.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = nc.Close() })
	return &client{nc: nc, buf: make([]byte, 128<<10)}
}

var errAnswer = errors.New("got an answer that is not the expected one")

// do sends request, which may hold several, and reads that many answers. It
// returns the bytes of the last one's body.
func (c *client) do(request []byte, answers int, status []byte) (int, error) {
	if _, err := c.nc.Write(request); err != nil {
		return 0, err
	}
	body := 0
	for range answers {
		var err error
		if body, err = c.answer(status); err != nil {
			return 0, err
		}
	}
	return body, nil
}

// answer reads one answer and checks its status line and that it keeps the
// connection.
func (c *client) answer(status []byte) (int, error) {
	end := -1
	for end < 0 {
		if end = bytes.Index(c.buf[:c.have], crlfcrlf); end < 0 {
			if err := c.read(); err != nil {
				return 0, err
			}
		}
	}
	head := c.buf[:end+2]
	if !bytes.HasPrefix(head, status) || bytes.Contains(head, []byte("\r\nConnection: close")) {
		return 0, fmt.Errorf("%w: %q; want %q and keep-alive", errAnswer, head, status)
	}
	if bytes.Contains(head, codingField) {
		return c.chunks(end + 4)
	}
	length, err := contentLength(head)
	if err != nil {
		return 0, err
	}
	rest := length - c.drop(end+4, length)
	for rest > 0 {
		if err := c.read(); err != nil {
			return 0, err
		}
		rest -= c.drop(0, rest)
	}
	return length, nil
}

// chunks reads a chunked body that begins at from and has no "0" line inside,
// and returns its length as it was sent, less the last chunk.
func (c *client) chunks(from int) (int, error) {
	for {
		if at := bytes.Index(c.buf[from:c.have], lastChunk); at >= 0 {
			c.drop(from+at+len(lastChunk), 0)
			return at, nil
		}
		if err := c.read(); err != nil {
			return 0, err
		}
	}
}

func (c *client) read() error {
	n, err := c.nc.Read(c.buf[c.have:])
	c.have += n
	return err
}

// drop forgets the first bytes that were read and up to body more. It returns
// how many of those there were.
func (c *client) drop(first, body int) int {
	dropped := min(c.have-first, body)
	c.have = copy(c.buf, c.buf[first+dropped:c.have])
	return dropped
}

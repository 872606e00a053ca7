package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// client is one keep-alive connection that sends the same request again and again. One goroutine may use it.
type client struct {
	plan    plan
	request []byte
	conn    net.Conn
	reader  *bufio.Reader
	// closed counts the connections that the server ended.
	closed int
}

func newClient(p plan) *client {
	return &client{
		plan:    p,
		request: []byte("GET " + p.path + " HTTP/1.1\r\nHost: " + p.host + "\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n"),
	}
}

func (c *client) dial() error {
	conn, err := net.DialTimeout("tcp", c.plan.address, c.plan.timeout)
	if err != nil {
		return err
	}
	c.conn = conn
	if c.reader == nil {
		c.reader = bufio.NewReaderSize(conn, 4<<10)
	}
	c.reader.Reset(conn)
	return nil
}

// ask sends one request and reads the whole answer; it dials where there is no connection. A request is never
// repeated: a connection that the server closed under it counts as its failure.
func (c *client) ask() error {
	if c.conn == nil {
		if err := c.dial(); err != nil {
			return err
		}
	}
	keep, err := c.exchange()
	if !keep {
		c.closed++
		c.close()
	}
	return err
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

func (c *client) exchange() (keep bool, err error) {
	if err := c.conn.SetDeadline(time.Now().Add(c.plan.timeout)); err != nil {
		return false, err
	}
	if _, err := c.conn.Write(c.request); err != nil {
		return false, err
	}
	return readAnswer(c.reader)
}

// readAnswer takes one answer off the reader. It knows what a gateway sends to a GET: a length or chunks.
func readAnswer(r *bufio.Reader) (keep bool, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return false, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return false, fmt.Errorf("cannot read the status line %q", line)
	}
	status := string(line[9:12])
	length, chunked, keep := -1, false, true
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return false, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 {
				return false, fmt.Errorf("cannot read the content length %q", value)
			}
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("connection")):
			keep = !bytes.EqualFold(value, []byte("close"))
		}
	}
	if err := skipBody(r, length, chunked); err != nil {
		return false, err
	}
	if status != "200" {
		return keep, errors.New("status " + status)
	}
	return keep, nil
}

func skipBody(r *bufio.Reader, length int, chunked bool) error {
	if !chunked {
		if length < 0 {
			return errors.New("cannot find the end of an answer without length")
		}
		return skip(r, length)
	}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 31)
		if err != nil {
			return fmt.Errorf("cannot read the chunk size %q", line)
		}
		if err := skip(r, int(size)+2); err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
	}
}

func skip(r *bufio.Reader, n int) error {
	_, err := r.Discard(n)
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

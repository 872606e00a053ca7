package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"
	"time"
)

// h1 is a connection that speaks HTTP/1.1, over TLS where the plan wants it. One goroutine may use it.
type h1 struct {
	net.Conn
	socket  *net.TCPConn
	timeout time.Duration
	request []byte
	reader  *bufio.Reader
}

func dialH1(p plan) (link, error) {
	conn, err := net.DialTimeout("tcp", p.address, p.timeout)
	if err != nil {
		return nil, err
	}
	l := &h1{
		Conn: conn, socket: conn.(*net.TCPConn), timeout: p.timeout,
		request: []byte("GET " + p.path + " HTTP/1.1\r\nHost: " + p.host + "\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n"),
	}
	if p.isTLS {
		if l.Conn, err = shakeHands(p, conn); err != nil {
			conn.Close()
			return nil, err
		}
	}
	l.reader = bufio.NewReaderSize(l.Conn, 4<<10)
	return l, nil
}

func shakeHands(p plan, conn net.Conn) (*tls.Conn, error) {
	secure := tls.Client(conn, p.tls())
	if err := secure.SetDeadline(time.Now().Add(p.timeout)); err != nil {
		return nil, err
	}
	if err := secure.Handshake(); err != nil {
		return nil, fmt.Errorf("cannot shake hands: %w", err)
	}
	// A server without ALPN speaks HTTP/1.1 too.
	if spoken := secure.ConnectionState().NegotiatedProtocol; spoken != "" && spoken != p.protocol {
		return nil, fmt.Errorf("cannot speak %q: the server chose %q", p.protocol, spoken)
	}
	return secure, nil
}

func (l *h1) exchange() (keep bool, err error) {
	if err := l.SetDeadline(time.Now().Add(l.timeout)); err != nil {
		return false, err
	}
	if _, err := l.Write(l.request); err != nil {
		return false, err
	}
	return readAnswer(l.reader)
}

// isOpen looks at the socket, which holds neither its end nor bytes while the connection stands.
func (l *h1) isOpen() bool {
	// The last answer's deadline may be over.
	if err := l.socket.SetDeadline(time.Time{}); err != nil {
		return false
	}
	raw, err := l.socket.SyscallConn()
	if err != nil {
		return false
	}
	open := false
	err = raw.Read(func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		open = errors.Is(err, syscall.EAGAIN)
		return true
	})
	return err == nil && open
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
	switch status {
	case "200":
		return keep, nil
	case "429":
		return keep, errRefused
	}
	return keep, errors.New("status " + status)
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

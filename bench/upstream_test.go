package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
)

// upstreams are the addresses of servers, each of which has one answer.
type upstreams struct{ k1, k16, m1, chunked, fresh1, fresh16 string }

func startUpstreams(tb testing.TB) upstreams {
	tb.Helper()
	return upstreams{
		k1:      startUpstream(tb, 1<<10, false),
		k16:     startUpstream(tb, 16<<10, false),
		m1:      startUpstream(tb, 1<<20, false),
		chunked: startUpstream(tb, 1<<10, true),
		fresh1:  startFresh(tb, 1<<10),
		fresh16: startFresh(tb, 16<<10),
	}
}

// startUpstream answers every request with so many bytes, in one chunk or with
// their length told ahead. Once a connection is
// open, serving it allocates nothing.
func startUpstream(tb testing.TB, bodyBytes int, chunked bool) string {
	tb.Helper()
	body := bytes.Repeat([]byte{'x'}, bodyBytes)
	answer := []byte("HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\nServer: upstream\r\nContent-Type: application/octet-stream\r\nCache-Control: no-cache\r\n")
	if chunked {
		answer = fmt.Appendf(answer, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", bodyBytes, body)
	} else {
		answer = fmt.Appendf(answer, "Content-Length: %d\r\n\r\n%s", bodyBytes, body)
	}
	return startAnswering(tb, answer)
}

// startFresh answers every request with so many bytes that may be kept.
func startFresh(tb testing.TB, bodyBytes int) string {
	tb.Helper()
	return startAnswering(tb, fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nServer: upstream\r\nContent-Type: application/octet-stream\r\n"+
		"Cache-Control: max-age=3600\r\nETag: \"8c4f1f0c\"\r\nContent-Length: %d\r\n\r\n%s", bodyBytes, bytes.Repeat([]byte{'x'}, bodyBytes)))
}

// startAnswering answers every request with the same bytes.
func startAnswering(tb testing.TB, answer []byte) string {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer nc.Close()
				if err := serveUpstream(nc, answer); err != nil {
					tb.Errorf("upstream: %s", err)
				}
			})
		}
	})
	tb.Cleanup(func() {
		_ = ln.Close()
		serving.Wait() // the gateway, stopped by now, has closed its connections
	})
	return ln.Addr().String()
}

var errRequest = errors.New("got a request that does not fit the buffer, or none of HTTP/1.1")

func serveUpstream(nc net.Conn, answer []byte) error {
	buf := make([]byte, 64<<10)
	have := 0
	for {
		length, err := requestLength(buf[:have])
		if err != nil {
			return err
		}
		if length > 0 && length <= have {
			have = copy(buf, buf[length:have])
			if _, err := nc.Write(answer); err != nil {
				return nil // the gateway left, as it may
			}
			continue
		}
		if have == len(buf) {
			return errRequest
		}
		n, err := nc.Read(buf[have:])
		have += n
		if err == io.EOF && have > 0 {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil
		}
	}
}

// requestLength returns the length of the request that b begins with, its body
// included, or 0 as long as its head is not whole.
func requestLength(b []byte) (int, error) {
	end := bytes.Index(b, crlfcrlf)
	if end < 0 {
		return 0, nil
	}
	head := b[:end+2]
	if !bytes.Contains(head, []byte(" HTTP/1.1\r\n")) {
		return 0, errRequest
	}
	length, err := contentLength(head)
	return end + 4 + length, err
}

var (
	crlfcrlf    = []byte("\r\n\r\n")
	lastChunk   = []byte("\r\n0\r\n\r\n")
	codingField = []byte("\r\nTransfer-Encoding: chunked\r\n")
	lengthField = []byte("\r\nContent-Length: ")
)

// contentLength reads the field of that name, 0 without one.
func contentLength(head []byte) (int, error) {
	at := bytes.Index(head, lengthField)
	if at < 0 {
		return 0, nil
	}
	digits, _, _ := bytes.Cut(head[at+len(lengthField):], []byte{'\r'})
	return strconv.Atoi(string(digits))
}

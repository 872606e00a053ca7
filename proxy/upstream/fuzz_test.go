package upstream

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// FuzzAnswer gives any bytes as an answer: what is accepted must be read as
// net/http reads it, and nothing may stay open.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		hello,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" + hello,
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\nuntil the end",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nab",
		"HTTP/1.1 200 OK\r\nConnection: keep-alive, x-a\r\nX-A: b\r\nContent-Length: 1\r\n\r\na",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: a\r\n\r\n",
		"HTTP/1.1 200\r\nSet-Cookie: a=b\r\nTrailer: X\r\nContent-Length: 0\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	r := NewRegistry(Default(), 1)
	f.Cleanup(r.Close)
	target, err := r.Acquire(Address{URL: "http://127.0.0.1:1"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		near, far := net.Pipe()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = far.Read(make([]byte, 1<<10))
			_, _ = far.Write(answer)
			_ = far.Close()
		}()
		c := &conn{target: target, sock: wire.NewSock(near)}
		c.rw = c.sock
		target.pool.reserve()
		if !target.pool.push(c, 0) {
			t.Fatal("the pool is closed")
		}
		x := request("GET", "/")
		refusal := target.Send(x, &Call{})
		got, gotErr := "", error(nil)
		if refusal == nil {
			got, gotErr = contentErr(x)
		}
		r.Targets()[0].pool.sweep(1 << 62) // a pipe cannot tell that it ended
		_ = near.Close()
		_ = far.Close()
		<-ended
		if live := target.pool.live.Load(); live != 0 || target.InFlight() != 0 {
			t.Fatalf("got %d connections and %d requests left", live, target.InFlight())
		}
		if refusal != nil || gotErr != nil {
			return
		}
		status, want, err := reference(answer)
		if err != nil {
			return // weir may understand what net/http does not, such as a last chunk without an end
		}
		if x.Response.StatusCode() != status || got != want {
			t.Fatalf("got %d %q; net/http reads %d %q", x.Response.StatusCode(), got, status, want)
		}
	})
}

// reference reads the final answer as net/http does.
func reference(answer []byte) (int, string, error) {
	br := bufio.NewReader(bytes.NewReader(answer))
	req := &http.Request{Method: "GET"}
	for {
		resp, err := http.ReadResponse(br, req)
		if err != nil {
			return 0, "", err
		}
		if resp.StatusCode < 200 {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body), err
	}
}

// FuzzRequestHead puts any field into a request: what goes upstream must hold
// one request with one framing, whatever the field says.
func FuzzRequestHead(f *testing.F) {
	f.Add("Connection", "close", int64(3), "HTTP/1.1")
	f.Add("Transfer-Encoding", "chunked", int64(0), "HTTP/1.0")
	f.Add("content-length", "7", exchange.Chunked, "HTTP/1.1")
	f.Add("Trailer", "X-Sum", exchange.Chunked, "HTTP/1.1")
	f.Add("Expect", "100-continue", int64(1), "HTTP/2")
	f.Add("X-A", "b", int64(1), "HTTP/1.1")
	f.Add("User-Agent", "", int64(1), "HTTP/1.1")
	f.Fuzz(func(t *testing.T, name, value string, length int64, protocol string) {
		if length < exchange.Chunked || strings.ContainsAny(name, " \t\r\n:") || strings.ContainsAny(protocol, "\r\n") {
			return // fields that a front end has let pass are tokens on one line
		}
		for _, c := range []byte(name) {
			if c < 0x21 || c > 0x7e || strings.IndexByte("\"(),/:;<=>?@[\\]{}", c) >= 0 {
				return
			}
		}
		for _, c := range []byte(value) {
			if c < 0x20 || c >= 0x7f {
				return
			}
		}
		var h fasthttp.RequestHeader
		h.SetNoDefaultContentType(true)
		h.SetMethod("PUT")
		h.SetRequestURI("/a")
		h.SetHost("example.org")
		h.SetProtocol(protocol)
		h.Set(name, value)
		h.SetHost("example.org")
		h.SetMethod("PUT")
		out := appendHead([]byte("before"), &h, &framing{length: length})
		text := string(out[len("before"):])
		var head wire.Head
		done, fault := head.ScanRequest([]byte(text), &wire.Limits{})
		if fault != nil || !done || head.Len != len(text) || head.Minor != 1 {
			t.Fatalf("got %q: %v; want one head", text, fault)
		}
		if head.Length != length || head.Connection || head.Upgrade || head.Continue {
			t.Fatalf("got %q: length %d, %+v; want length %d and no hop-by-hop field", text, head.Length, head, length)
		}
	})
}

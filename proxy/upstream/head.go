package upstream

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/valyala/fasthttp"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

const version = "HTTP/1.1"

// framing says how the body of a request is told from what follows.
type framing struct {
	length  int64 // bytes, 0 for none, or exchange.Chunked
	upgrade []byte
	close   bool
}

// lengthOf returns the length of the body that goes upstream.
func lengthOf(x *exchange.Exchange) int64 {
	switch {
	case x.RequestBytes != nil:
		return int64(len(x.RequestBytes))
	case x.RequestBody == nil:
		return 0
	}
	return x.RequestLength
}

// appendHead appends the head of a request with exactly one framing: fields
// that frame or that belong to the client's connection are not h's to give.
func appendHead(dst []byte, h *fasthttp.RequestHeader, f *framing) []byte {
	from := len(dst)
	dst = h.AppendBytes(dst)
	end := from + bytes.IndexByte(dst[from:], '\n') + 1
	if at := end - len("\r\n") - len(h.Protocol()); string(dst[at:end-2]) != version {
		dst = slices.Replace(dst, at, end-2, []byte(version)...)
		end = at + len(version) + 2
	}
	dst = filter(dst, end, f.length == exchange.Chunked, len(h.ContentType()) > 0)
	switch {
	case f.length == exchange.Chunked:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	case f.length > 0 || expectsLength(h.Method()):
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, f.length, 10)
		dst = append(dst, '\r', '\n')
	}
	switch {
	case len(f.upgrade) > 0:
		dst = append(dst, "Connection: Upgrade\r\n"...)
		dst = wire.AppendField(dst, []byte("Upgrade"), f.upgrade)
	case f.close:
		dst = append(dst, "Connection: close\r\n"...)
	}
	return append(dst, '\r', '\n')
}

// expectsLength tells whether servers expect a length even of an empty body
// (RFC 9110 §8.6).
func expectsLength(method []byte) bool {
	switch string(method) {
	case "POST", "PUT", "PATCH":
		return true
	}
	return false
}

// filter removes in place the field lines of b[from:] that must not be passed
// on, and the empty line.
func filter(b []byte, from int, chunked, typed bool) []byte {
	to := from
	for from < len(b) {
		end := from + bytes.IndexByte(b[from:], '\n') + 1
		line := b[from:end]
		from = end
		if len(line) <= 2 || isOurs(line, chunked, typed) {
			continue
		}
		if to+len(line) != from {
			copy(b[to:], line)
		}
		to += len(line)
	}
	return b[:to]
}

// isOurs tells whether a field line is this connection's business: framing,
// hop-by-hop, Expect, which the front end has answered, and a Content-Type
// that fasthttp made up.
func isOurs(line []byte, chunked, typed bool) bool {
	colon := bytes.IndexByte(line, ':')
	name := line[:max(colon, 0)]
	switch len(name) {
	case 0:
		return true
	case len("Expect"):
		return is(name, "Expect")
	case len("Upgrade"):
		return is(name, "Upgrade") || (!chunked && is(name, "Trailer"))
	case len("Connection"):
		return is(name, "Connection") || is(name, "Keep-Alive")
	case len("Content-Type"):
		return !typed && is(name, "Content-Type")
	case len("Content-Length"):
		return is(name, "Content-Length") || is(name, "HTTP2-Settings")
	case len("Proxy-Connection"):
		return is(name, "Proxy-Connection")
	case len("Transfer-Encoding"):
		return is(name, "Transfer-Encoding")
	}
	return false
}

// is compares field names without regard to case.
func is(name []byte, want string) bool {
	if len(name) != len(want) {
		return false
	}
	for i := range name {
		if name[i]|0x20 != want[i]|0x20 {
			return false
		}
	}
	return true
}

// isIdempotent tells whether a request may be sent twice (RFC 9110 §9.2.2).
func isIdempotent(method []byte) bool {
	switch string(method) {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE":
		return true
	}
	return false
}

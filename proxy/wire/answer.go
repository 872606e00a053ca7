package wire

import (
	"strconv"

	"github.com/valyala/fasthttp"
)

// AppendStatusLine appends the status line of an HTTP/1.1 answer. An empty
// reason is replaced by the usual one.
func AppendStatusLine(dst []byte, status int, reason []byte) []byte {
	if status == fasthttp.StatusOK && (len(reason) == 0 || string(reason) == "OK") {
		return append(dst, "HTTP/1.1 200 OK\r\n"...)
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	if len(reason) > 0 {
		dst = append(dst, reason...)
	} else {
		dst = append(dst, fasthttp.StatusMessage(status)...)
	}
	return append(dst, '\r', '\n')
}

// AppendFields appends the end-to-end fields of h, in order, but none that
// frames the message or belongs to one connection: those are written by who
// knows the connection. It reports whether Date was among them. fasthttp's own
// serialiser would replace the origin's Date (RFC 9110 §6.6.1).
func AppendFields(dst []byte, h *fasthttp.ResponseHeader) (out []byte, dated bool) {
	for name, value := range h.All() {
		switch string(name) {
		case "Connection", "Content-Length", "Transfer-Encoding":
			continue
		case "Date":
			dated = true
		}
		dst = AppendField(dst, name, value)
	}
	return dst, dated
}

// AppendField appends one field line.
func AppendField(dst, name, value []byte) []byte {
	dst = append(dst, name...)
	dst = append(dst, ':', ' ')
	dst = append(dst, value...)
	return append(dst, '\r', '\n')
}

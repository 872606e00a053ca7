package grpc

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
)

// trailerFlag marks the frame of gRPC-Web that holds the trailers.
const trailerFlag = 0x80

// Trailer fields that end a call.
const (
	StatusField  = "grpc-status"
	MessageField = "grpc-message"
	DetailsField = "grpc-status-details-bin"
)

// StatusOf returns the code that trailer field lines (each ended by CRLF) tell;
// false when they have none.
func StatusOf(lines []byte) (Code, bool) {
	for len(lines) > 0 {
		var line []byte
		line, lines, _ = bytes.Cut(lines, []byte("\r\n"))
		value, ok := cutFold(line, StatusField)
		if ok && len(value) > 0 && value[0] == ':' {
			return ParseCode(bytes.Trim(value[1:], " \t")), true
		}
	}
	return 0, false
}

// AppendField appends a trailer field line.
func AppendField[T string | []byte](dst []byte, name string, value T) []byte {
	dst = append(append(dst, name...), ": "...)
	return append(append(dst, value...), '\r', '\n')
}

// AppendStatus appends the trailer field lines of a code and its message.
func AppendStatus(dst []byte, code Code, message string) []byte {
	dst = append(code.Append(append(append(dst, StatusField...), ": "...)), '\r', '\n')
	if message == "" {
		return dst
	}
	dst = append(append(dst, MessageField...), ": "...)
	return append(AppendMessage(dst, message), '\r', '\n')
}

// AppendTrailerFrame appends the frame that ends an answer of gRPC-Web, from
// trailer field lines. Their names become lower case (PROTOCOL-WEB, HTTP wire
// protocols).
func AppendTrailerFrame(dst, lines []byte) []byte {
	dst = append(dst, trailerFlag, 0, 0, 0, 0)
	binary.BigEndian.PutUint32(dst[len(dst)-4:], uint32(len(lines)))
	inName := true
	for _, c := range lines {
		switch {
		case c == ':':
			inName = false
		case c == '\n':
			inName = true
		case inName && c >= 'A' && c <= 'Z':
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

// AppendText appends b in the text form of gRPC-Web, padded: so it may stand
// anywhere in a stream.
func AppendText(dst, b []byte) []byte { return base64.StdEncoding.AppendEncode(dst, b) }

// TextLength returns how long n bytes are in the text form.
func TextLength(n int) int { return base64.StdEncoding.EncodedLen(n) }

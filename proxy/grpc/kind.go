package grpc

import "bytes"

// Kind is the form in which a call is written.
type Kind uint8

const (
	None    Kind = iota // not gRPC
	Native              // application/grpc
	Web                 // application/grpc-web
	WebText             // application/grpc-web-text, the same in base64
)

// IsWeb tells whether the form is one of gRPC-Web's.
func (k Kind) IsWeb() bool { return k >= Web }

const (
	native = "application/grpc"
	web    = "-web"
	text   = "-text"
)

// KindOf tells the form from a Content-Type. Case and parameters do not count
// (RFC 9110 §8.3.1).
func KindOf(contentType []byte) Kind {
	k, _ := split(contentType)
	return k
}

// split takes a content type apart: what follows the form is a suffix such as
// "+proto", and parameters.
func split(contentType []byte) (Kind, []byte) {
	rest, ok := cutFold(contentType, native)
	if !ok {
		return None, nil
	}
	k := Native
	if after, ok := cutFold(rest, web); ok {
		k, rest = Web, after
		if after, ok := cutFold(rest, text); ok {
			k, rest = WebText, after
		}
	}
	if len(rest) > 0 && rest[0] != '+' && rest[0] != ';' && rest[0] != ' ' && rest[0] != '\t' {
		return None, nil
	}
	return k, rest
}

func cutFold(b []byte, prefix string) ([]byte, bool) {
	if len(b) < len(prefix) {
		return b, false
	}
	for i := range len(prefix) {
		if c := b[i]; c != prefix[i] && (c < 'A' || c > 'Z' || c|0x20 != prefix[i]) {
			return b, false
		}
	}
	return b[len(prefix):], true
}

// AppendContentType appends the content type of a message of the form k whose
// content type was of in another form: the suffix stays.
func AppendContentType(dst []byte, k Kind, of []byte) []byte {
	dst = append(dst, native...)
	if k.IsWeb() {
		dst = append(dst, web...)
	}
	if k == WebText {
		dst = append(dst, text...)
	}
	_, suffix := split(of)
	return append(dst, suffix...)
}

// Wants returns the form of gRPC-Web that a client takes whose request has the
// form asked: Accept may name the other one.
func Wants(asked Kind, accept []byte) Kind {
	for len(accept) > 0 {
		var element []byte
		element, accept, _ = bytes.Cut(accept, []byte{','})
		if k, _ := split(bytes.TrimLeft(element, " \t")); k.IsWeb() {
			return k
		}
	}
	return asked
}

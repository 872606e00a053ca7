package route

import (
	"bytes"
	"errors"
)

// Why a path is refused. A front end answers each of them with 400.
var (
	ErrNotAbsolute = errors.New("path does not begin with a slash")
	ErrByte        = errors.New("path has a byte that must be percent-encoded")
	ErrEscape      = errors.New("path has a percent sign without two hexadecimal digits")
	ErrZeroByte    = errors.New("path has an encoded zero byte")
	ErrAboveRoot   = errors.New("path leaves its root by a dot segment")
	ErrAmbiguous   = errors.New("path has an encoded separator or a dot segment with parameters")
)

// Form is a canonical form of paths. The zero value is weir's usual one, which AppendCanonical and IsCanonical use.
// It is a plain value, safe for concurrent use.
type Form struct {
	// KeepEmptySegments keeps "//" runs, for upstreams to which they mean something.
	KeepEmptySegments bool

	// RefuseAmbiguous refuses what some upstreams read as a separator or a dot segment after all:
	// %2F, %5C (decoded before the path is split) and "..;" (parameters cut off before dots are resolved).
	RefuseAmbiguous bool
}

// AppendCanonical appends the canonical form of a request target's path (its bytes before '?') to dst.
// On error it returns dst unchanged. It neither keeps nor changes raw, which must not overlap dst.
func AppendCanonical(dst, raw []byte) ([]byte, error) {
	return Form{}.Append(dst, raw)
}

// IsCanonical tells whether AppendCanonical would accept raw and append just its bytes.
func IsCanonical(raw []byte) bool {
	return Form{}.Is(raw)
}

// Is tells whether Append would accept raw and append just its bytes.
func (f Form) Is(raw []byte) bool {
	if len(raw) == 0 || raw[0] != '/' {
		return false
	}
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if classes[c] >= plain {
			continue
		}
		switch c {
		case '/':
			if !f.mayFollowSlash(raw[i+1:]) {
				return false
			}
		case '%':
			if !f.isCanonicalEscape(raw[i:]) {
				return false
			}
			i += 2
		default:
			return false
		}
	}
	return true
}

// mayFollowSlash looks only at where the segment begins: is it empty, or made of dots?
func (f Form) mayFollowSlash(segment []byte) bool {
	if len(segment) == 0 {
		return true
	}
	switch segment[0] {
	case '/':
		return f.KeepEmptySegments
	case '.':
	default:
		return true
	}
	after := segment[1:]
	if len(after) > 0 && after[0] == '.' {
		after = after[1:]
	}
	if len(after) == 0 || after[0] == '/' {
		return false
	}
	return after[0] != ';' || !f.RefuseAmbiguous
}

func (f Form) isCanonicalEscape(escape []byte) bool {
	b, ok := decodeEscape(escape)
	if !ok || b == 0 || classes[b] == unreserved {
		return false
	}
	if f.RefuseAmbiguous && (b == '/' || b == '\\') {
		return false
	}
	return escape[1] < 'a' && escape[2] < 'a'
}

// Append is AppendCanonical for this form.
func (f Form) Append(dst, raw []byte) ([]byte, error) {
	if f.Is(raw) {
		return append(dst, raw...), nil
	}
	if len(raw) == 0 || raw[0] != '/' {
		return dst, ErrNotAbsolute
	}
	root := len(dst)
	out := append(dst, '/')
	for rest := raw[1:]; ; {
		start := len(out)
		next, n, err := appendSegment(out, rest)
		if err != nil {
			return dst, err
		}
		out = next
		segment, isLast := out[start:], n == len(rest)
		switch {
		case f.RefuseAmbiguous && isAmbiguous(segment):
			return dst, ErrAmbiguous
		case string(segment) == ".":
			out = out[:start]
		case string(segment) == "..":
			if start == root+1 {
				return dst, ErrAboveRoot
			}
			out = out[:root+bytes.LastIndexByte(out[root:start-1], '/')+1]
		case !isLast && (len(segment) > 0 || f.KeepEmptySegments):
			out = append(out, '/')
		}
		if isLast {
			return out, nil
		}
		rest = rest[n+1:]
	}
}

// appendSegment appends the bytes of raw up to the next slash, each in its canonical spelling.
// It returns how many bytes of raw that were.
func appendSegment(dst, raw []byte) ([]byte, int, error) {
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case classes[c] >= plain:
			dst = append(dst, c)
		case c == '/':
			return dst, i, nil
		case c == '%':
			b, ok := decodeEscape(raw[i:])
			if !ok {
				return dst, i, ErrEscape
			}
			if b == 0 {
				return dst, i, ErrZeroByte
			}
			dst = appendByte(dst, b)
			i += 2
		default:
			return dst, i, ErrByte
		}
	}
	return dst, len(raw), nil
}

// appendByte appends an unreserved byte as it is and every other one percent-encoded.
func appendByte(dst []byte, b byte) []byte {
	if classes[b] == unreserved {
		return append(dst, b)
	}
	const digits = "0123456789ABCDEF"
	return append(dst, '%', digits[b>>4], digits[b&15])
}

func isAmbiguous(segment []byte) bool {
	after := bytes.TrimPrefix(segment, dot)
	if len(after) < len(segment) {
		after = bytes.TrimPrefix(after, dot)
		if len(after) > 0 && after[0] == ';' {
			return true
		}
	}
	return bytes.Contains(segment, encodedSlash) || bytes.Contains(segment, encodedBackslash)
}

// decodeEscape decodes the "%41" that escape begins with.
func decodeEscape(escape []byte) (b byte, ok bool) {
	if len(escape) < 3 {
		return 0, false
	}
	high, low := hexValue(escape[1]), hexValue(escape[2])
	return high<<4 | low, high < 16 && low < 16
}

func hexValue(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}

// What a byte is in a path. '/' and '%' are special: whoever meets them looks closer.
const (
	special    = iota // or refused
	plain             // stands for itself and differs from its escape: RFC 3986 §2.2, and '[' ']', which browsers send
	unreserved        // the same as its escape: RFC 3986 §2.3
)

var (
	dot              = []byte(".")
	encodedSlash     = []byte("%2F")
	encodedBackslash = []byte("%5C")

	classes = classifyBytes()
)

func classifyBytes() (classes [256]uint8) {
	for _, c := range []byte("!$&'()*+,;=:@[]") {
		classes[c] = plain
	}
	for _, c := range []byte("-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		classes[c] = unreserved
	}
	return classes
}

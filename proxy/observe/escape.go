package observe

import "unicode/utf8"

// text is what a value may be held in; both are read without a copy.
type text interface{ ~string | ~[]byte }

// maxValueBytes bounds one value of a line, so that a client with a long URL can
// neither fill the log nor the buffer of its shard.
const maxValueBytes = 4096

// escaper makes a value safe for one place of one format: whatever a client sends
// stays one value on one line. The zero value does not exist; they are made by
// newEscaper and are immutable from then on.
type escaper struct {
	style escapeStyle
	plain [256]bool // bytes that are copied as they are
}

type escapeStyle uint8

const (
	// quotedText stands between quotes, in JSON too.
	quotedText escapeStyle = iota
	// bareText stands alone, where a space or comma would begin the next field.
	bareText
	// markupText stands in XML.
	markupText
)

func newEscaper(style escapeStyle) *escaper {
	e := &escaper{style: style}
	for c := 0x20; c < 0x7f; c++ {
		switch c {
		case '"', '\\':
			e.plain[c] = style == markupText && c == '\\'
		case ' ', ',', '[', ']':
			e.plain[c] = style != bareText
		case '<', '>', '&', '\'':
			e.plain[c] = style != markupText
		default:
			e.plain[c] = true
		}
	}
	return e
}

// appendText appends v so that it cannot end the value or the line.
func appendText[T text](dst []byte, e *escaper, v T) []byte {
	cut := len(v) > maxValueBytes
	if cut {
		v = v[:maxValueBytes]
	}
	begin, start := len(dst), 0
	for i := 0; i < len(v); {
		if e.plain[v[i]] {
			i++
			continue
		}
		dst = append(dst, v[start:i]...)
		if len(dst)-begin > maxValueBytes {
			// Escapes are up to six times as long: nobody may make a line too long to be kept.
			v, start, cut = v[:i], i, true
			break
		}
		if v[i] < utf8.RuneSelf {
			dst = e.appendASCII(dst, v[i])
			i++
		} else {
			r, size := decodeRune(v[i:])
			dst = appendRune(dst, r, size)
			i += size
		}
		start = i
	}
	dst = append(dst, v[start:]...)
	if cut {
		dst = append(dst, "..."...)
	}
	return dst
}

func decodeRune[T text](v T) (rune, int) {
	// A copy of at most four bytes keeps one code for strings and slices.
	var first [utf8.UTFMax]byte
	n := copy(first[:], v[:min(len(v), utf8.UTFMax)])
	return utf8.DecodeRune(first[:n])
}

func (e *escaper) appendASCII(dst []byte, c byte) []byte {
	switch {
	case c < 0x20 || c == 0x7f:
		return appendUnicode(dst, rune(c))
	case c == '\\', c == '"' && e.style == quotedText:
		return append(dst, '\\', c)
	case e.style == bareText:
		// A reader may well count quotes without minding what stands before them.
		return appendUnicode(dst, rune(c))
	}
	switch c {
	case '<':
		return append(dst, "&lt;"...)
	case '>':
		return append(dst, "&gt;"...)
	case '&':
		return append(dst, "&amp;"...)
	case '\'':
		return append(dst, "&#39;"...)
	}
	return append(dst, "&#34;"...)
}

// appendRune copies a rune, unless it is broken, or one of those that terminals
// obey and viewers take for the end of a line.
func appendRune(dst []byte, r rune, size int) []byte {
	switch {
	case r == utf8.RuneError && size == 1:
		return append(dst, `\ufffd`...)
	case r < 0xa0, r == '\u2028', r == '\u2029':
		return appendUnicode(dst, r)
	}
	return utf8.AppendRune(dst, r)
}

func appendUnicode(dst []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}

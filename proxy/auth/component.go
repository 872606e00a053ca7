package auth

import (
	"bytes"
	"encoding/base64"
	"strings"

	"weir/proxy/exchange"
)

// component is one thing that a signature covers (RFC 9421 §2).
type component struct {
	text    []byte // its identifier as received
	name    []byte
	param   []byte // of @query-param: the name of the parameter, encoded
	wrapped bool   // bs: each line of the field is wrapped as bytes (§2.1.3)
}

// isDerived tells whether name is one of the components of a request that are
// no fields (RFC 9421 §2.2).
func isDerived(name string) bool {
	switch name {
	case "@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query":
		return true
	}
	return false
}

// isFieldName tells whether name is the name of a field in small letters.
func isFieldName(name string) bool {
	for i := range len(name) {
		if c := name[i]; !isNameChar(c) || (c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return name != ""
}

// isSupported tells whether c is a component of requests that can be had here.
// sf and key need to know each field's type, tr and req another message.
func (c *component) isSupported() bool {
	switch {
	case string(c.name) == "@query-param":
		return c.param != nil && !c.wrapped
	case c.param != nil:
		return false
	case isDerived(string(c.name)):
		return !c.wrapped
	}
	return isFieldName(string(c.name))
}

// isCanonical tells whether the identifier is spelled in the one way in which
// it stands in a signature base, so that two that are equal look equal.
func (c *component) isCanonical() bool {
	rest, ok := bytes.CutPrefix(c.text, []byte(`"`))
	if ok {
		rest, ok = bytes.CutPrefix(rest, c.name)
	}
	switch {
	case !ok:
		return false
	case c.wrapped:
		return string(rest) == `";bs`
	case c.param != nil:
		rest, ok = bytes.CutPrefix(rest, []byte(`";name="`))
		return ok && len(rest) == len(c.param)+1
	}
	return string(rest) == `"`
}

// appendValue appends the value that c has in x, or tells why it has none.
//
// Path and query are those of the target as received, for only these the client
// knows. The canonical path that routes match and upstreams get is computed from
// just these bytes, so a signature over one path authorises no other.
func (c *component) appendValue(dst []byte, x *exchange.Exchange) ([]byte, *Reason) {
	path, query, asked := bytes.Cut(x.Target, []byte{'?'})
	switch string(c.name) {
	case "@method":
		return append(dst, x.Request.Method()...), nil
	case "@scheme":
		return append(dst, x.Scheme...), nil
	case "@authority":
		return appendAuthority(dst, x), nil
	case "@target-uri":
		dst = append(append(dst, x.Scheme...), "://"...)
		return append(append(dst, x.Authority...), x.Target...), nil
	case "@request-target":
		return append(dst, x.Target...), nil
	case "@path":
		if len(path) == 0 {
			return append(dst, '/'), nil // RFC 9421 §2.2.6
		}
		return append(dst, path...), nil
	case "@query":
		return append(append(dst, '?'), query...), nil // RFC 9421 §2.2.7: "?" without one, too
	case "@query-param":
		if asked {
			return c.appendQueryParam(dst, query)
		}
		return dst, absentComponent.of(c.text)
	}
	return c.appendField(dst, x)
}

// appendAuthority appends host and port in the normal form of RFC 9110 §4.2.3.
func appendAuthority(dst []byte, x *exchange.Exchange) []byte {
	authority := x.Authority
	switch x.Scheme {
	case "http":
		authority = bytes.TrimSuffix(authority, []byte(":80"))
	case "https":
		authority = bytes.TrimSuffix(authority, []byte(":443"))
	}
	for _, b := range authority {
		if b >= 'A' && b <= 'Z' {
			b |= 0x20
		}
		dst = append(dst, b)
	}
	return dst
}

// appendField appends the value of a field (RFC 9421 §2.1).
func (c *component) appendField(dst []byte, x *exchange.Exchange) ([]byte, *Reason) {
	lines := x.Request.PeekAll(string(c.name))
	if len(lines) == 0 {
		return dst, absentComponent.of(c.text)
	}
	if !c.wrapped {
		dst, ok := joinLines(dst, lines)
		if !ok {
			return dst, malformed
		}
		return dst, nil
	}
	for i, line := range lines {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, ':')
		dst = base64.StdEncoding.AppendEncode(dst, trim(line))
		dst = append(dst, ':')
	}
	return dst, nil
}

// appendQueryParam appends the value of the one parameter of the query that has
// c's name (RFC 9421 §2.2.8); one that stands there twice may not be covered.
func (c *component) appendQueryParam(dst, query []byte) ([]byte, *Reason) {
	start, found := len(dst), false
	for len(query) > 0 {
		var pair []byte
		pair, query, _ = bytes.Cut(query, []byte{'&'})
		if len(pair) == 0 {
			continue
		}
		name, value, _ := bytes.Cut(pair, []byte{'='})
		end := len(dst)
		dst = appendEncoded(dst, name)
		same := bytes.Equal(dst[end:], c.param)
		dst = dst[:end]
		if !same {
			continue
		}
		if found {
			return dst[:start], malformed
		}
		found = true
		dst = appendEncoded(dst, value)
	}
	if !found {
		return dst, absentComponent.of(c.text)
	}
	return dst, nil
}

// appendEncoded decodes a name or value of a form and encodes it again in the
// one way of RFC 9421 §2.2.8: a space is %20.
func appendEncoded(dst, text []byte) []byte {
	const digits = "0123456789ABCDEF"
	for i := 0; i < len(text); i++ {
		b := text[i]
		switch {
		case b == '+':
			b = ' '
		case b == '%' && i+2 < len(text):
			high, low := strings.IndexByte(digits, upper(text[i+1])), strings.IndexByte(digits, upper(text[i+2]))
			if high >= 0 && low >= 0 {
				b = byte(high<<4 | low)
				i += 2
			}
		}
		if isLetter(b) || isDigit(b) || b == '*' || b == '-' || b == '.' || b == '_' {
			dst = append(dst, b)
			continue
		}
		dst = append(dst, '%', digits[b>>4], digits[b&15])
	}
	return dst
}

func upper(b byte) byte {
	if b >= 'a' && b <= 'z' {
		return b - 0x20
	}
	return b
}

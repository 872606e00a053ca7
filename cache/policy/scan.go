package policy

import "bytes"

// cutMember cuts the first member of a list off, commas in strings apart. It
// tells false, and returns the whole, when a string in it has no end.
func cutMember(list []byte) (member, rest []byte, isClosed bool) {
	isQuoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '"':
			isQuoted = !isQuoted
		case isQuoted && c == '\\':
			i++
		case !isQuoted && c == ',':
			return trim(list[:i]), list[i+1:], true
		}
	}
	if isQuoted {
		return list, nil, false
	}
	return trim(list), nil, true
}

// cutAtComma cuts at the first comma, whatever is around it.
func cutAtComma(list []byte) (member, rest []byte) {
	if i := bytes.IndexByte(list, ','); i >= 0 {
		return trim(list[:i]), list[i+1:]
	}
	return trim(list), nil
}

// cutArgument cuts name=argument. Whitespace before the sign is cut off, after it
// it is part of the argument, which so cannot be read (RFC 9111 §5.2).
func cutArgument(member []byte) (name, argument []byte, hasArgument bool) {
	i := bytes.IndexByte(member, '=')
	if i < 0 {
		return member, nil, false
	}
	name = trim(member[:i])
	if len(name) != i {
		return name, member[i:], true
	}
	return name, member[i+1:], true
}

// unquoted returns the text of a token or of a string without escapes.
func unquoted(argument []byte) ([]byte, bool) {
	if len(argument) > 0 && argument[0] == '"' {
		inner := argument[1:]
		if len(inner) == 0 || inner[len(inner)-1] != '"' {
			return nil, false
		}
		argument = inner[:len(inner)-1]
		return argument, bytes.IndexByte(argument, '"') < 0 && bytes.IndexByte(argument, '\\') < 0
	}
	return argument, bytes.IndexByte(argument, '"') < 0
}

// trim cuts optional whitespace off both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// isFold compares ASCII without case; lower is in lower case.
func isFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range b {
		if lowered(b[i]) != lower[i] {
			return false
		}
	}
	return true
}

func lowered(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func isToken(b []byte) bool {
	for _, c := range b {
		if !isTokenByte(c) {
			return false
		}
	}
	return len(b) > 0
}

func isTokenByte(c byte) bool {
	switch {
	case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		return true
	}
	return c != 0 && bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0
}

package policy

import "bytes"

// sfKind is the type of a bare item of a structured field (RFC 9651 §3.3).
type sfKind uint8

const (
	sfOther sfKind = iota
	sfInteger
	sfString
	sfTrue
	sfFalse
)

// sfItem is a bare item with the text of an integer or of a string.
type sfItem struct {
	kind sfKind
	text []byte
}

// sfScanner takes the parts of a structured field one by one (RFC 9651 §4.2).
// isBroken stays true after the first that is not there.
type sfScanner struct {
	rest     []byte
	isBroken bool
}

// separator takes the comma between members, behind which there must be one.
func (s *sfScanner) separator() {
	s.rest = bytes.TrimLeft(s.rest, " \t")
	if len(s.rest) == 0 || s.isBroken {
		return
	}
	if !s.skip(',') {
		s.isBroken = true
		return
	}
	s.rest = bytes.TrimLeft(s.rest, " \t")
	s.isBroken = len(s.rest) == 0
}

// member takes an item or an inner list.
func (s *sfScanner) member() sfItem {
	if !s.skip('(') {
		return s.bareItem()
	}
	for !s.isBroken {
		s.rest = bytes.TrimLeft(s.rest, " ")
		if s.skip(')') {
			return sfItem{}
		}
		s.bareItem()
		s.parameters()
		if !s.isBroken && s.peek() != ' ' && s.peek() != ')' {
			s.isBroken = true
		}
	}
	return sfItem{}
}

func (s *sfScanner) parameters() {
	for !s.isBroken && s.skip(';') {
		s.rest = bytes.TrimLeft(s.rest, " ")
		s.key()
		if s.skip('=') {
			s.bareItem()
		}
	}
}

func (s *sfScanner) key() []byte {
	n := 0
	for n < len(s.rest) && isKeyByte(s.rest[n], n == 0) {
		n++
	}
	s.isBroken = s.isBroken || n == 0
	return s.take(n)
}

func isKeyByte(c byte, isFirst bool) bool {
	switch {
	case c >= 'a' && c <= 'z', c == '*':
		return true
	case isFirst:
		return false
	}
	return c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.'
}

func (s *sfScanner) bareItem() sfItem {
	switch c := s.peek(); {
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == '"':
		return s.string()
	case c == '?':
		return s.boolean()
	case c == ':':
		return s.binary()
	case c == '@':
		s.take(1)
		if s.number().kind != sfInteger {
			s.isBroken = true
		}
	case c == '%':
		s.display()
	case c == '*' || lowered(c) >= 'a' && lowered(c) <= 'z':
		n := 1
		for n < len(s.rest) && (isTokenByte(s.rest[n]) || s.rest[n] == ':' || s.rest[n] == '/') {
			n++
		}
		s.take(n)
	default:
		s.isBroken = true
	}
	return sfItem{}
}

// number takes an integer of up to 15 digits or a decimal. The text of a negative
// integer holds the sign.
func (s *sfScanner) number() sfItem {
	start := s.rest
	s.skip('-')
	whole := s.digitRun()
	if s.peek() != '.' {
		s.isBroken = s.isBroken || whole == 0 || whole > 15
		return sfItem{sfInteger, start[:len(start)-len(s.rest)]}
	}
	s.take(1)
	part := s.digitRun()
	s.isBroken = s.isBroken || whole == 0 || whole > 12 || part == 0 || part > 3
	return sfItem{}
}

func (s *sfScanner) digitRun() int {
	n := 0
	for n < len(s.rest) && s.rest[n] >= '0' && s.rest[n] <= '9' {
		n++
	}
	s.take(n)
	return n
}

// string takes a string. It copies only one with escapes.
func (s *sfScanner) string() sfItem {
	s.take(1)
	var copied []byte
	for n := 0; n < len(s.rest); n++ {
		switch c := s.rest[n]; {
		case c == '"':
			text := s.take(n)
			if copied != nil {
				text = append(copied, text...)
			}
			s.take(1)
			return sfItem{sfString, text}
		case c == '\\':
			if n+1 == len(s.rest) || s.rest[n+1] != '"' && s.rest[n+1] != '\\' {
				s.isBroken = true
				return sfItem{}
			}
			copied = append(append(copied, s.take(n)...), s.rest[1])
			s.take(2)
			n = -1
		case c < ' ' || c > '~':
			s.isBroken = true
			return sfItem{}
		}
	}
	s.isBroken = true
	return sfItem{}
}

func (s *sfScanner) boolean() sfItem {
	s.take(1)
	switch {
	case s.skip('1'):
		return sfItem{kind: sfTrue}
	case s.skip('0'):
		return sfItem{kind: sfFalse}
	}
	s.isBroken = true
	return sfItem{}
}

func (s *sfScanner) binary() sfItem {
	s.take(1)
	end := bytes.IndexByte(s.rest, ':')
	if end < 0 {
		s.isBroken = true
		return sfItem{}
	}
	for _, c := range s.take(end) {
		if c != '+' && c != '/' && c != '=' && !(c >= '0' && c <= '9' || lowered(c) >= 'a' && lowered(c) <= 'z') {
			s.isBroken = true
		}
	}
	s.take(1)
	return sfItem{}
}

// display takes a display string, whose text nothing here asks for.
func (s *sfScanner) display() {
	s.take(1)
	if !s.skip('"') {
		s.isBroken = true
		return
	}
	end := bytes.IndexByte(s.rest, '"')
	if end < 0 {
		s.isBroken = true
		return
	}
	s.take(end)
	s.take(1)
}

// peek returns the next byte, 0 at the end.
func (s *sfScanner) peek() byte {
	if len(s.rest) == 0 {
		return 0
	}
	return s.rest[0]
}

func (s *sfScanner) skip(c byte) bool {
	if s.peek() != c || len(s.rest) == 0 {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *sfScanner) take(n int) []byte {
	taken := s.rest[:n]
	s.rest = s.rest[n:]
	return taken
}

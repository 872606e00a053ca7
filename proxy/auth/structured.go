package auth

// scanner reads structured fields (RFC 8941) strictly and in place; dates and
// display strings (RFC 9651), which no field read here has, are refused. Once
// bad is set nothing more is read. What it returns is part of text.
type scanner struct {
	text []byte
	at   int
	bad  bool
}

// kind is the type of a bare item.
type kind uint8

const (
	aBoolean kind = iota
	aString
	anInteger
	aDecimal
	aToken
	aBytes
)

// item is a bare item.
type item struct {
	kind    kind
	text    []byte // as received: a string without its quotes, bytes in base64
	number  int64  // of an integer
	truth   bool   // of a boolean
	escaped bool   // the string has escapes
}

// member steps to the nth member of a dictionary, behind the one before, and
// returns its key: nil at the end.
func (s *scanner) member(n int) []byte {
	if n == 0 {
		s.spaces()
		if s.ended() {
			return nil
		}
		return s.key()
	}
	s.white()
	if s.ended() {
		return nil
	}
	if !s.take(',') {
		return s.fail()
	}
	s.white()
	if s.ended() {
		return s.fail()
	}
	return s.key()
}

// parameter steps to the next parameter of what was read, if there is one.
func (s *scanner) parameter() (key []byte, value item, ok bool) {
	if !s.take(';') {
		return nil, item{}, false
	}
	s.spaces()
	key = s.key()
	value = item{truth: true}
	if !s.bad && s.take('=') {
		value = s.item()
	}
	return key, value, !s.bad
}

// element steps to the next item of an inner list whose parenthesis was taken,
// and takes the closing one when there is none.
func (s *scanner) element(n int) (item, bool) {
	from := s.at
	s.spaces()
	if s.take(')') {
		return item{}, false
	}
	if n > 0 && s.at == from {
		s.fail()
		return item{}, false
	}
	v := s.item()
	return v, !s.bad
}

// item reads a bare item.
func (s *scanner) item() item {
	if s.bad || s.at == len(s.text) {
		s.fail()
		return item{}
	}
	switch c := s.text[s.at]; {
	case c == '"':
		return s.quoted()
	case c == ':':
		return s.bytes()
	case c == '?':
		return s.boolean()
	case c == '-' || isDigit(c):
		return s.number()
	case c == '*' || isLetter(c):
		return s.token()
	}
	s.fail()
	return item{}
}

func (s *scanner) quoted() item {
	v := item{kind: aString}
	for i := s.at + 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			v.text = s.text[s.at+1 : i]
			s.at = i + 1
			return v
		case c == '\\':
			i++
			if i == len(s.text) || (s.text[i] != '"' && s.text[i] != '\\') {
				s.fail()
				return item{}
			}
			v.escaped = true
		case c < ' ' || c > '~':
			s.fail()
			return item{}
		}
	}
	s.fail()
	return item{}
}

// bytes reads a byte sequence: whole groups of base64.
func (s *scanner) bytes() item {
	from := s.at + 1
	pads := 0
	for i := from; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == ':':
			if (i-from)%4 != 0 || pads > 2 {
				s.fail()
				return item{}
			}
			s.at = i + 1
			return item{kind: aBytes, text: s.text[from:i]}
		case c == '=':
			pads++
		case pads > 0 || !(isLetter(c) || isDigit(c) || c == '+' || c == '/'):
			s.fail()
			return item{}
		}
	}
	s.fail()
	return item{}
}

func (s *scanner) boolean() item {
	if s.at+1 < len(s.text) {
		switch s.text[s.at+1] {
		case '0', '1':
			s.at += 2
			return item{truth: s.text[s.at-1] == '1'}
		}
	}
	s.fail()
	return item{}
}

// number reads an integer of up to 15 digits, or a decimal of up to 12 and 3.
func (s *scanner) number() item {
	from := s.at
	negative := s.take('-')
	first, point := s.at, -1
	v := item{kind: anInteger}
	for ; s.at < len(s.text); s.at++ {
		c := s.text[s.at]
		if c == '.' && point < 0 && s.at > first {
			v.kind, point = aDecimal, s.at
			if s.at-first > 12 {
				break
			}
			continue
		}
		if !isDigit(c) || s.at-first > 16 {
			break
		}
		if point < 0 {
			v.number = v.number*10 + int64(c-'0')
		}
	}
	digits := s.at - first
	if digits == 0 || (point < 0 && digits > 15) || (point >= 0 && (point-first > 12 || s.at-point-1 < 1 || s.at-point-1 > 3)) {
		s.fail()
		return item{}
	}
	if negative {
		v.number = -v.number
	}
	v.text = s.text[from:s.at]
	return v
}

func (s *scanner) token() item {
	from := s.at
	for s.at < len(s.text) && (isNameChar(s.text[s.at]) || s.text[s.at] == ':' || s.text[s.at] == '/') {
		s.at++
	}
	return item{kind: aToken, text: s.text[from:s.at]}
}

func (s *scanner) key() []byte {
	from := s.at
	for ; s.at < len(s.text); s.at++ {
		c := s.text[s.at]
		small := (c >= 'a' && c <= 'z') || c == '*'
		if !small && (s.at == from || !(isDigit(c) || c == '_' || c == '-' || c == '.')) {
			break
		}
	}
	if s.at == from {
		return s.fail()
	}
	return s.text[from:s.at]
}

func (s *scanner) take(c byte) bool {
	if s.bad || s.at == len(s.text) || s.text[s.at] != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) spaces() {
	for s.take(' ') {
	}
}

func (s *scanner) white() {
	for s.take(' ') || s.take('\t') {
	}
}

func (s *scanner) ended() bool { return s.bad || s.at == len(s.text) }

func (s *scanner) fail() []byte {
	s.bad = true
	return nil
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// isNameChar accepts what a token of HTTP is made of (RFC 9110 §5.6.2).
func isNameChar(c byte) bool {
	if isLetter(c) || isDigit(c) {
		return true
	}
	switch c {
	case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~':
		return true
	}
	return false
}

// joinLines appends a field's lines as the one value that they stand for (RFC
// 9421 §2.1), and tells whether it is made of what a field may hold.
func joinLines(dst []byte, lines [][]byte) ([]byte, bool) {
	for i, line := range lines {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		line = trim(line)
		for _, c := range line {
			if (c < ' ' && c != '\t') || c == 0x7f {
				return dst, false // a line end would be a line of the signature base
			}
		}
		dst = append(dst, line...)
	}
	return dst, true
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

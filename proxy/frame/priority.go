package frame

// Urgency is how a stream stands to others (RFC 9218 §4). Lower values go
// first; streams that are incremental share what their urgency gets.
type Urgency struct {
	Level       uint8 // 0 to 7
	Incremental bool
}

// defaultLevel is the urgency of a request that says nothing (RFC 9218 §4.1).
const defaultLevel = 3

// DefaultUrgency returns what holds for a request that says nothing.
func DefaultUrgency() Urgency { return Urgency{Level: defaultLevel} }

// ParseUrgency reads a Priority field: a dictionary of structured fields
// (RFC 9218 §5, RFC 9651 §3.2). What it does not know or what is out of range
// is ignored; a field that is no dictionary says nothing at all.
func ParseUrgency(b []byte) Urgency {
	u := DefaultUrgency()
	for b = trimSpace(b); len(b) > 0; {
		key, value, rest, ok := member(b)
		if !ok {
			return DefaultUrgency()
		}
		switch {
		case key == "u" && len(value) == 1 && value[0] >= '0' && value[0] <= '7':
			u.Level = value[0] - '0'
		case key == "i" && (len(value) == 0 || string(value) == "?1"):
			u.Incremental = true
		case key == "i" && string(value) == "?0":
			u.Incremental = false
		}
		b = rest
	}
	return u
}

// member splits the first member from a dictionary. Values are cut by their
// look only: those that matter here are of one or two characters.
func member(b []byte) (key string, value, rest []byte, ok bool) {
	n := keyLen(b)
	if n == 0 {
		return "", nil, nil, false
	}
	if n == 1 {
		key = keys[b[0]&0x7f]
	}
	b = b[n:]
	if len(b) > 0 && b[0] == '=' {
		if n = itemLen(b[1:]); n == 0 {
			return "", nil, nil, false
		}
		value, b = b[1:1+n], b[1+n:]
	}
	for len(b) > 0 && b[0] == ';' { // parameters, which say nothing here
		b = trimSpace(b[1:])
		if n = keyLen(b); n == 0 {
			return "", nil, nil, false
		}
		if b = b[n:]; len(b) > 0 && b[0] == '=' {
			if n = itemLen(b[1:]); n == 0 {
				return "", nil, nil, false
			}
			b = b[1+n:]
		}
	}
	b = trimSpace(b)
	if len(b) == 0 {
		return key, value, nil, true
	}
	if b[0] != ',' {
		return "", nil, nil, false
	}
	b = trimSpace(b[1:])
	return key, value, b, len(b) > 0 // no comma at the end
}

// keys are the one-letter keys as strings, so that telling one allocates nothing.
var keys = [128]string{'u': "u", 'i': "i"}

func keyLen(b []byte) int {
	n := 0
	for n < len(b) && (isLower(b[n]) || b[n] == '*' || (n > 0 && (isDigit(b[n]) || b[n] == '_' || b[n] == '-' || b[n] == '.'))) {
		n++
	}
	return n
}

// itemLen measures a bare item or an inner list.
func itemLen(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case '"', ':':
		for n := 1; n < len(b); n++ {
			switch {
			case b[n] == '\\' && b[0] == '"':
				n++
			case b[n] == b[0]:
				return n + 1
			}
		}
		return 0
	case '(':
		for n := 1; n < len(b); n++ {
			switch b[n] {
			case ')':
				return n + 1
			case '"', ':':
				m := itemLen(b[n:])
				if m == 0 {
					return 0
				}
				n += m - 1
			}
		}
		return 0
	}
	n := 0
	for n < len(b) && b[n] > ' ' && b[n] < 0x7f && b[n] != ',' && b[n] != ';' {
		n++
	}
	return n
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func trimSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

package wire

// isToken marks the characters of a token (RFC 9110 §5.6.2).
var isToken = table("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

// isHost marks what a registered name may hold here: reg-name without percent
// encoding, which no client sends and which hides names (RFC 3986 §3.2.2).
var isHost = table("-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!$&'()*+,;=")

// isTarget marks visible ASCII but '#': what a request target may hold before
// its form is checked.
var isTarget = func() (t [256]bool) {
	for c := 0x21; c < 0x7f; c++ {
		t[c] = c != '#'
	}
	return t
}()

// isValue marks field-vchar, SP, HTAB and obs-text (RFC 9110 §5.5).
var isValue = func() (t [256]bool) {
	for c := 0x20; c < 0x100; c++ {
		t[c] = c != 0x7f
	}
	t['\t'] = true
	return t
}()

func table(chars string) (t [256]bool) {
	for i := range len(chars) {
		t[chars[i]] = true
	}
	return t
}

func cleanValue(b []byte) bool {
	for _, c := range b {
		if !isValue[c] {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHex(c byte) bool {
	return isDigit(c) || (c|0x20 >= 'a' && c|0x20 <= 'f')
}

// isIPv6 accepts IPv6address (RFC 3986 §3.2.2) and so no zone, which means
// nothing outside the machine that it is of (RFC 6874).
func isIPv6(b []byte) bool {
	groups, gap := 0, false
	whole := func() bool { return (gap && groups < 8) || (!gap && groups == 8) }
	if len(b) >= 2 && b[0] == ':' && b[1] == ':' {
		gap, b = true, b[2:]
	}
	for len(b) > 0 {
		n := 0
		for n < len(b) && isHex(b[n]) {
			n++
		}
		if n < len(b) && b[n] == '.' {
			groups += 2
			return isIPv4(b) && whole()
		}
		if n == 0 || n > 4 {
			return false
		}
		groups++
		if b = b[n:]; len(b) == 0 {
			break
		}
		if len(b) == 1 || b[0] != ':' {
			return false
		}
		if b = b[1:]; b[0] == ':' {
			if gap {
				return false
			}
			gap, b = true, b[1:]
		}
	}
	return whole()
}

// isIPv4 accepts IPv4address (RFC 3986 §3.2.2).
func isIPv4(b []byte) bool {
	for octets := 1; ; octets++ {
		n, value := 0, 0
		for n < len(b) && n < 3 && isDigit(b[n]) {
			value = value*10 + int(b[n]-'0')
			n++
		}
		if n == 0 || value > 255 || (n > 1 && b[0] == '0') {
			return false
		}
		if b = b[n:]; octets == 4 || len(b) == 0 {
			return octets == 4 && len(b) == 0
		}
		if b[0] != '.' {
			return false
		}
		b = b[1:]
	}
}

// trim removes OWS on both sides (RFC 9110 §5.6.3).
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// equalFold compares ASCII without regard to case.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		d := s[i]
		if c == d {
			continue
		}
		if c|0x20 != d|0x20 || c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	return true
}

// parseDecimal reads 1*DIGIT that fits an int64 (RFC 9110 §8.6).
func parseDecimal(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if !isDigit(c) {
			return 0, false
		}
		d := int64(c - '0')
		if n > (1<<63-1-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// IsToken tells whether b is a token (RFC 9110 §5.6.2), as field names are.
func IsToken(b []byte) bool { return len(b) > 0 && isTokens(b) }

// IsFieldValue tells whether b may be a field's value, white space around it
// aside (RFC 9110 §5.5).
func IsFieldValue(b []byte) bool { return cleanValue(b) }

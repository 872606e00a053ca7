package observe

import "bytes"

const redacted = "REDACTED"

// appendQuery appends a query with the values of secret parameters replaced.
func appendQuery(dst []byte, e *escaper, query []byte) []byte {
	if len(query) > maxValueBytes {
		// Cut between parameters, or the beginning of a secret might be all that is left of its name.
		query = query[:maxValueBytes]
		if i := bytes.LastIndexByte(query, '&'); i >= 0 {
			query = query[:i]
		}
	}
	shown := 0 // where the part begins that is not appended yet
	for start := 0; start < len(query); {
		end := start
		equals := -1
		for end < len(query) && query[end] != '&' && query[end] != ';' {
			if query[end] == '=' && equals < 0 {
				equals = end
			}
			end++
		}
		if equals >= 0 && isSecretKey(query[start:equals]) {
			dst = appendText(dst, e, query[shown:equals+1])
			dst = append(dst, redacted...)
			shown = end
		}
		start = end + 1
	}
	return appendText(dst, e, query[shown:])
}

// appendURL appends a path or URL together with its query, as appendQuery does.
// A fragment may hold tokens too, and so may what stands before an @.
func appendURL(dst []byte, e *escaper, url []byte) []byte {
	if i := bytes.IndexByte(url, '#'); i >= 0 {
		url = url[:i]
	}
	query := []byte(nil)
	if i := bytes.IndexByte(url, '?'); i >= 0 {
		url, query = url[:i+1], url[i+1:]
	}
	if i := bytes.Index(url, []byte("://")); i >= 0 {
		authority := url[i+3:]
		if j := bytes.IndexByte(authority, '/'); j >= 0 {
			authority = authority[:j]
		}
		if j := bytes.LastIndexByte(authority, '@'); j >= 0 {
			dst = appendText(dst, e, url[:i+3])
			dst = append(dst, redacted...)
			url = url[i+3+j:]
		}
	}
	dst = appendText(dst, e, url)
	return appendQuery(dst, e, query)
}

// queryOf returns what stands behind the first question mark.
func queryOf(target []byte) []byte {
	i := bytes.IndexByte(target, '?')
	if i < 0 {
		return nil
	}
	return target[i+1:]
}

// longestSecretKey is enough for all that isSecretKey looks for, ends included.
const longestSecretKey = 64

// isSecretKey tells whether the value of a query parameter must not be logged. It
// sees through case, percent-encoding and - for _, as servers do.
func isSecretKey(key []byte) bool {
	var folded [longestSecretKey]byte
	n := 0
	for i := 0; i < len(key); i++ {
		c := key[i]
		if c == '%' && i+2 < len(key) {
			high, low := hexValue(key[i+1]), hexValue(key[i+2])
			if high < 16 && low < 16 {
				c = high<<4 | low
				i += 2
			}
		}
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c == '-':
			c = '_'
		}
		if n == len(folded) {
			// Only the end of a long key matters.
			n = copy(folded[:], folded[1:])
		}
		folded[n] = c
		n++
	}
	return isSecretName(folded[:n])
}

func isSecretName(name []byte) bool {
	switch string(name) {
	case "code", "sig", "auth", "authorization", "jwt", "assertion", "client_assertion", "samlresponse",
		"sid", "sessionid", "session_id", "pwd", "pass", "passwd", "passphrase", "otp", "pin",
		"awsaccesskeyid":
		return true
	}
	return endsWith(name, "key") || endsWith(name, "token") || endsWith(name, "secret") || endsWith(name, "password") ||
		endsWith(name, "signature") || endsWith(name, "credential") || endsWith(name, "credentials")
}

func endsWith(name []byte, end string) bool {
	return len(name) >= len(end) && string(name[len(name)-len(end):]) == end
}

// hexValue returns 16 for what is not a hexadecimal digit.
func hexValue(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}

package policy

import "bytes"

// NotModified tells whether q's conditions make a 304 of a stored answer of
// status 200 (RFC 9110 §13.1, §13.2.2): If-None-Match by weak comparison, else
// If-Modified-Since.
func NotModified(q *Request, t *Terms) bool {
	isRead := q.isMethod("GET") || q.isMethod("HEAD")
	switch {
	case q.IfNoneMatch != nil:
		return (isRead || q.isMethod("QUERY")) && matchesAny(q.IfNoneMatch, t.ETag)
	case q.IfModifiedSince == nil || !isRead:
		return false
	}
	since, ok := dateOf(q.IfModifiedSince, t.Date)
	// RFC 9111 §4.3.2: without Last-Modified, the answer's own date.
	modified := t.LastModified
	if modified == 0 {
		modified = t.Date
	}
	return ok && modified <= since
}

// matchesAny looks for an entity tag in a list by weak comparison (RFC 9110
// §8.8.3.2). Tags without quotes are tolerated on both sides.
func matchesAny(list, tag []byte) bool {
	if string(trim(list)) == "*" {
		return true
	}
	if len(tag) == 0 {
		return false
	}
	for len(list) > 0 {
		var one []byte
		if one, list = cutTag(list); len(one) > 0 && isSameWeakly(one, tag) {
			return true
		}
	}
	return false
}

// cutTag cuts the first entity tag off a list. In a tag a backslash is a
// character as others are, unlike in strings.
func cutTag(list []byte) (tag, rest []byte) {
	list = trim(list)
	start := 0
	if bytes.HasPrefix(list, []byte("W/")) {
		start = 2
	}
	if len(list) > start && list[start] == '"' {
		if end := bytes.IndexByte(list[start+1:], '"'); end >= 0 {
			end += start + 2
			_, rest = cutAtComma(list[end:])
			return list[:end], rest
		}
	}
	return cutAtComma(list)
}

func isSameWeakly(a, b []byte) bool { return bytes.Equal(opaque(a), opaque(b)) }

// opaque returns what tells tags apart, without weakness and quotes.
func opaque(tag []byte) []byte {
	tag = bytes.TrimPrefix(tag, []byte("W/"))
	if n := len(tag); n >= 2 && tag[0] == '"' && tag[n-1] == '"' {
		return tag[1 : n-1]
	}
	return tag
}

// isStrong tells whether a tag may be compared strongly.
func isStrong(tag []byte) bool {
	return len(tag) >= 2 && tag[0] == '"' && tag[len(tag)-1] == '"'
}

package policy

import "bytes"

// Request is what a request says about caching. The zero value says nothing.
// It borrows the values that it was given.
type Request struct {
	Method  []byte // GET when empty
	Control Directives

	Authorization, Cookie        bool
	IfNoneMatch, IfModifiedSince []byte
	IfMatch, IfUnmodifiedSince   bool
	Range, IfRange               []byte

	hasControl bool // Cache-Control came, so Pragma says nothing (RFC 9111 §5.4)
	pragma     bool // Pragma: no-cache
}

// Reset forgets everything, so that q can serve the next request.
func (q *Request) Reset() { *q = Request{} }

// Add takes one field line, its name in canonical case. Fields that say nothing
// about caching are passed over. It allocates only to join the second line of a
// condition to the first.
func (q *Request) Add(name, value []byte) {
	switch requestFieldOf(name) {
	case cacheControl:
		q.hasControl = true
		q.Control.Add(value)
		if len(q.Control.NoCacheFields) > 0 {
			// Of a request, no-cache has no argument.
			q.Control.Has |= NoCache
		}
	case pragma:
		q.pragma = q.pragma || hasNoCache(value)
	case authorization:
		q.Authorization = true
	case cookie:
		q.Cookie = true
	case ifNoneMatch:
		q.IfNoneMatch = joined(q.IfNoneMatch, value)
	case ifModifiedSince:
		q.IfModifiedSince = joined(q.IfModifiedSince, value)
	case ifMatch:
		q.IfMatch = true
	case ifUnmodifiedSince:
		q.IfUnmodifiedSince = true
	case byteRange:
		q.Range = joined(q.Range, value)
	case ifRange:
		q.IfRange = joined(q.IfRange, value)
	}
}

// Concerns tells whether Add would take a field of that name.
func Concerns(name []byte) bool { return requestFieldOf(name) != noField }

// isMethod tells whether the request has that method.
func (q *Request) isMethod(method string) bool {
	return string(q.Method) == method || len(q.Method) == 0 && method == "GET"
}

// wantsValidation tells whether nothing stored may serve unless it was validated.
func (q *Request) wantsValidation() bool {
	return q.Control.Has&NoCache != 0 || q.pragma && !q.hasControl
}

// joined joins a further line as a list. Of fields that are no lists this makes
// what cannot be read, as it should.
func joined(before, value []byte) []byte {
	if before == nil {
		return value
	}
	return bytes.Join([][]byte{before, value}, []byte(", "))
}

// hasNoCache looks for no-cache in a value of Pragma.
func hasNoCache(value []byte) bool {
	for len(value) > 0 {
		var member []byte
		if member, value = cutAtComma(value); isFold(member, "no-cache") {
			return true
		}
	}
	return false
}

// field is a field that this package knows.
type field uint8

const (
	noField field = iota
	cacheControl
	pragma
	authorization
	cookie
	ifNoneMatch
	ifModifiedSince
	ifMatch
	ifUnmodifiedSince
	byteRange
	ifRange
)

// requestFieldOf knows a field of requests by its name. The length tells most
// others apart at once.
func requestFieldOf(name []byte) field {
	switch len(name) {
	case 5:
		if isFold(name, "range") {
			return byteRange
		}
	case 6:
		switch {
		case isFold(name, "cookie"):
			return cookie
		case isFold(name, "pragma"):
			return pragma
		}
	case 8:
		switch {
		case isFold(name, "if-range"):
			return ifRange
		case isFold(name, "if-match"):
			return ifMatch
		}
	case 13:
		switch {
		case isFold(name, "cache-control"):
			return cacheControl
		case isFold(name, "authorization"):
			return authorization
		case isFold(name, "if-none-match"):
			return ifNoneMatch
		}
	case 17:
		if isFold(name, "if-modified-since") {
			return ifModifiedSince
		}
	case 19:
		if isFold(name, "if-unmodified-since") {
			return ifUnmodifiedSince
		}
	}
	return noField
}

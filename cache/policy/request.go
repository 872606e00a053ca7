package policy

// Request is what a request says about caching. The zero value says nothing.
// It borrows the values that it was given.
type Request struct {
	Method  []byte
	Control Directives

	Authorization, Cookie        bool
	IfNoneMatch, IfModifiedSince []byte // joined by the caller where there are several
	IfMatch, IfUnmodifiedSince   bool
	Range, IfRange               []byte
}

// Reset forgets everything, so that q can serve the next request.
func (q *Request) Reset() { *q = Request{} }

// Add takes one field line, its name in canonical case. Fields that say nothing
// about caching are passed over.
func (q *Request) Add(name, value []byte) { panic("not built") }

// Concerns tells whether Add would take a field of that name.
func Concerns(name []byte) bool { panic("not built") }

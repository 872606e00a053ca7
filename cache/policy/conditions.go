package policy

// NotModified tells whether q's conditions make a 304 of a stored answer of
// status 200 (RFC 9110 §13.1, §13.2.2): If-None-Match by weak comparison, else
// If-Modified-Since.
func NotModified(q *Request, t *Terms) bool { panic("not built") }

// Span is a range of bytes, both ends inclusive (RFC 9110 §14.1.2).
type Span struct{ First, Last int64 }

// RangeOutcome says what becomes of a Range field.
type RangeOutcome uint8

// The outcomes.
const (
	WholeAnswer   RangeOutcome = iota // the field is not there, not understood, or If-Range does not hold
	PartialAnswer                     // 206
	Unsatisfiable                     // 416
)

// Ranges decides which parts of a stored answer of so many bytes q asks for
// (RFC 9110 §14.2), in the order asked. If-Range is compared strongly. More than
// MaxSpans, or such as overlap, get the whole.
func Ranges(dst []Span, q *Request, t *Terms, length int64) ([]Span, RangeOutcome) {
	panic("not built")
}

// MaxSpans is how many ranges of one request are answered as such.
const MaxSpans = 8

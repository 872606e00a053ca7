package policy

import (
	"bytes"
	"math"
)

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

// MaxSpans is how many ranges of one request are answered as such.
const MaxSpans = 8

// Ranges decides which parts of a stored answer of so many bytes q asks for
// (RFC 9110 §14.2), in the order asked. If-Range is compared strongly. More than
// MaxSpans, or such as overlap, get the whole.
func Ranges(dst []Span, q *Request, t *Terms, length int64) ([]Span, RangeOutcome) {
	if len(q.Range) == 0 || length < 0 || !q.isMethod("GET") || !ifRangeHolds(q, t) {
		return dst, WholeAnswer
	}
	specs, ok := cutUnit(q.Range)
	if !ok {
		return dst, WholeAnswer
	}
	before, asked := len(dst), 0
	for len(specs) > 0 {
		var spec []byte
		if spec, specs = cutAtComma(specs); len(spec) == 0 {
			continue
		}
		span, isValid := spanOf(spec, length)
		asked++
		if !isValid || asked > MaxSpans || overlaps(dst[before:], span) {
			return dst[:before], WholeAnswer
		}
		if span.First <= span.Last {
			dst = append(dst, span)
		}
	}
	switch {
	case len(dst) > before:
		return dst, PartialAnswer
	case asked == 0 || length == 0 && hasSuffix(q.Range):
		// The end of nothing is nothing, which no Content-Range could say.
		return dst, WholeAnswer
	}
	return dst, Unsatisfiable
}

// cutUnit cuts bytes= off.
func cutUnit(value []byte) ([]byte, bool) {
	value = trim(value)
	const unit = "bytes="
	if len(value) < len(unit) || !isFold(value[:len(unit)], unit) {
		return nil, false
	}
	return value[len(unit):], true
}

// spanOf reads one range. A span whose end lies before its beginning is one that
// cannot be satisfied.
func spanOf(spec []byte, length int64) (Span, bool) {
	i := bytes.IndexByte(spec, '-')
	if i < 0 {
		return Span{}, false
	}
	last, hasLast := position(spec[i+1:])
	if i == 0 {
		return Span{max(length-last, 0), length - 1}, hasLast
	}
	first, ok := position(spec[:i])
	switch {
	case !ok, !hasLast && i+1 < len(spec), hasLast && last < first:
		return Span{}, false
	case !hasLast:
		last = math.MaxInt64
	}
	return Span{first, min(last, length-1)}, true
}

// position reads a number of bytes. Larger ones than fit are as large as can be.
func position(text []byte) (int64, bool) {
	n := int64(0)
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n > (math.MaxInt64-9)/10 {
			n = math.MaxInt64 / 10
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(text) > 0
}

func overlaps(spans []Span, span Span) bool {
	for _, s := range spans {
		if span.First <= s.Last && s.First <= span.Last && span.First <= span.Last {
			return true
		}
	}
	return false
}

func hasSuffix(value []byte) bool {
	specs, _ := cutUnit(value)
	for len(specs) > 0 {
		var spec []byte
		if spec, specs = cutAtComma(specs); len(spec) > 0 && spec[0] == '-' {
			if n, _ := position(spec[1:]); n > 0 {
				return true
			}
		}
	}
	return false
}

// ifRangeHolds compares If-Range strongly (RFC 9110 §13.1.5): a date only when
// the answer was sent at least a second after it was modified (§8.8.2.2).
func ifRangeHolds(q *Request, t *Terms) bool {
	if q.IfRange == nil {
		return true
	}
	value := trim(q.IfRange)
	if len(value) > 0 && value[0] == '"' {
		return isStrong(value) && bytes.Equal(value, t.ETag)
	}
	date, ok := dateOf(value, t.Date)
	return ok && t.LastModified != 0 && date == t.LastModified && t.LastModified < t.Date
}

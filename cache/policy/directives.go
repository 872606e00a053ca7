package policy

// Directive is a set of Cache-Control's directives (RFC 9111 §5.2, RFC 5861,
// RFC 8246). Those with an argument are in it only when that could be used.
type Directive uint32

// The directives.
const (
	NoStore Directive = 1 << iota
	NoCache
	NoTransform
	OnlyIfCached
	MaxAge
	MaxStale
	MinFresh
	SMaxAge
	Public
	Private
	MustRevalidate
	ProxyRevalidate
	MustUnderstand
	Immutable
	StaleWhileRevalidate
	StaleIfError
)

// Directives are what the lines of a Cache-Control field say together. The zero
// value says nothing.
type Directives struct {
	Has Directive
	// Seconds of the directives that have them, at least 0, at most 2^31
	// (RFC 9111 §1.2.2). AnyStale: max-stale came without a number.
	MaxAge, SMaxAge, MaxStale, MinFresh, StaleWhileRevalidate, StaleIfError int64
	AnyStale                                                                bool
	// NoCacheFields and PrivateFields are the fields that no-cache="…" and
	// private="…" name, borrowed; the directive itself is then not in Has.
	NoCacheFields, PrivateFields [][]byte
}

// Add takes one field line. What cannot be read is passed over, but in the safe
// direction: a broken max-age is 0.
func (d *Directives) Add(value []byte) { panic("not built") }

package policy

import "time"

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

// restrictive are the directives that only ever forbid: a line that cannot be
// read to its end may still add them.
const restrictive = NoStore | NoCache | NoTransform | Private | MustRevalidate | ProxyRevalidate

// maxSeconds is what larger numbers of seconds count as (RFC 9111 §1.2.2).
const maxSeconds = 1 << 31

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
// direction: a broken max-age is 0. Of several that say different things the
// first counts (RFC 9111 §4.2.1).
func (d *Directives) Add(value []byte) {
	taken := ^Directive(0)
	for len(value) > 0 {
		var member []byte
		isClosed := false
		if taken != restrictive {
			member, value, isClosed = cutMember(value)
		}
		if !isClosed {
			// A string without an end may hide what was meant: nothing
			// after it makes the answer more cacheable.
			if taken != restrictive {
				value = member
			}
			taken = restrictive
			member, value = cutAtComma(value)
		}
		name, argument, hasArgument := cutArgument(member)
		d.take(directiveOf(name), argument, hasArgument, taken)
	}
}

func (d *Directives) take(one Directive, argument []byte, hasArgument bool, taken Directive) {
	switch one {
	case MaxAge:
		d.takeLifetime(one, &d.MaxAge, argument, taken)
	case SMaxAge:
		d.takeLifetime(one, &d.SMaxAge, argument, taken)
	case MaxStale:
		if taken&one != 0 && d.Has&one == 0 {
			seconds, ok := secondsOf(argument)
			if ok || !hasArgument {
				d.Has, d.MaxStale, d.AnyStale = d.Has|one, seconds, !hasArgument
			}
		}
	case MinFresh:
		d.takeKnown(one&taken, &d.MinFresh, argument)
	case StaleWhileRevalidate:
		d.takeKnown(one&taken, &d.StaleWhileRevalidate, argument)
	case StaleIfError:
		d.takeKnown(one&taken, &d.StaleIfError, argument)
	case NoCache:
		d.NoCacheFields = d.takeNames(one, d.NoCacheFields, argument, hasArgument)
	case Private:
		d.PrivateFields = d.takeNames(one, d.PrivateFields, argument, hasArgument)
	case Public, Immutable, MustUnderstand:
		// They permit and have no argument: with one, nobody knows what was meant.
		if !hasArgument {
			d.Has |= one & taken
		}
	default:
		d.Has |= one & (taken | OnlyIfCached)
	}
}

// takeLifetime takes seconds that make an answer fresh: what cannot be read is 0.
func (d *Directives) takeLifetime(one Directive, into *int64, argument []byte, taken Directive) {
	if d.Has&one != 0 {
		return
	}
	d.Has |= one
	if taken&one != 0 {
		*into, _ = secondsOf(argument)
	}
}

// takeKnown takes seconds, if they can be read.
func (d *Directives) takeKnown(one Directive, into *int64, argument []byte) {
	if seconds, ok := secondsOf(argument); ok && d.Has&one == 0 {
		*into = seconds
		d.Has |= one
	}
}

// takeNames takes a directive that may name fields: it holds for the whole answer
// when it names none, or something that is no name.
func (d *Directives) takeNames(one Directive, names [][]byte, argument []byte, hasArgument bool) [][]byte {
	text, ok := unquoted(argument)
	if !hasArgument || !ok {
		d.Has |= one
		return names
	}
	before := len(names)
	for len(text) > 0 {
		var name []byte
		name, text = cutAtComma(text)
		if len(name) == 0 {
			continue
		}
		if !isToken(name) {
			d.Has |= one
			return names[:before]
		}
		names = append(names, name)
	}
	if len(names) == before {
		d.Has |= one
	}
	return names
}

// directiveOf knows a directive by its name, 0 for others.
func directiveOf(name []byte) Directive {
	switch len(name) {
	case 6:
		return ifFold(name, "public", Public)
	case 7:
		return ifFold(name, "max-age", MaxAge) | ifFold(name, "private", Private)
	case 8:
		return ifFold(name, "no-store", NoStore) | ifFold(name, "no-cache", NoCache) | ifFold(name, "s-maxage", SMaxAge)
	case 9:
		return ifFold(name, "max-stale", MaxStale) | ifFold(name, "min-fresh", MinFresh) | ifFold(name, "immutable", Immutable)
	case 12:
		return ifFold(name, "no-transform", NoTransform)
	case 14:
		return ifFold(name, "only-if-cached", OnlyIfCached) | ifFold(name, "stale-if-error", StaleIfError)
	case 15:
		return ifFold(name, "must-revalidate", MustRevalidate) | ifFold(name, "must-understand", MustUnderstand)
	case 16:
		return ifFold(name, "proxy-revalidate", ProxyRevalidate)
	case 22:
		return ifFold(name, "stale-while-revalidate", StaleWhileRevalidate)
	}
	return 0
}

func ifFold(name []byte, lower string, one Directive) Directive {
	if isFold(name, lower) {
		return one
	}
	return 0
}

// secondsOf reads delta-seconds (RFC 9111 §1.2.2), quoted or not.
func secondsOf(argument []byte) (int64, bool) {
	text, ok := unquoted(argument)
	if !ok {
		return 0, false
	}
	return digits(text)
}

// digits reads a number of seconds, at most maxSeconds.
func digits(text []byte) (int64, bool) {
	if len(text) == 0 {
		return 0, false
	}
	n := int64(0)
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int64(c-'0'), maxSeconds)
	}
	return n, true
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

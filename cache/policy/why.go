package policy

import (
	"strconv"
	"time"
)

// AppendWhy appends the arithmetic of Use in words, for an explanation:
// "fresh: age 12s of 60s (max-age)".
func (r *Rules) AppendWhy(dst []byte, t *Terms, q *Request, resident time.Duration) []byte {
	age := t.Age(resident)
	if age < t.Lifetime {
		dst = append(dst, "fresh: "...)
	} else {
		dst = append(dst, "stale for "...)
		dst = append(appendSeconds(dst, age-t.Lifetime), ": "...)
	}
	dst = appendSeconds(append(dst, "age "...), age)
	if t.InitialAge > 0 {
		dst = appendSeconds(append(dst, " ("...), t.InitialAge)
		dst = append(dst, " when it came)"...)
	}
	dst = appendSeconds(append(dst, " of "...), t.Lifetime)
	dst = append(append(append(dst, " ("...), t.Source.String()...), ')')
	dst = r.appendSaid(dst, t, q)
	switch r.Use(t, q, resident) {
	case ServeStale:
		dst = append(dst, "; served while it is fetched anew"...)
	case Validate:
		dst = append(dst, "; to be validated"...)
	case Refetch:
		dst = append(dst, "; to be replaced"...)
	case GatewayTimeout:
		dst = append(dst, "; may not be fetched"...)
	}
	return dst
}

// appendSaid appends what the answer and the request say beside the lifetime.
func (r *Rules) appendSaid(dst []byte, t *Terms, q *Request) []byte {
	dst = appendIf(dst, t.NoCache, ", no-cache")
	dst = appendIf(dst, t.MustRevalidate, ", must-revalidate")
	dst = appendIf(dst, t.Immutable, ", immutable")
	dst = appendAsked(dst, t.StaleWhileRevalidate > 0, ", stale-while-revalidate ", t.StaleWhileRevalidate)
	dst = appendAsked(dst, t.StaleIfError > 0, ", stale-if-error ", t.StaleIfError)
	dst = appendIf(dst, !r.IsFor(q, t), ", asked with Cookie")
	if r.Unheeded {
		return dst
	}
	c := &q.Control
	dst = appendAsked(dst, c.Has&MaxAge != 0, ", asked for max-age ", seconds(c.MaxAge))
	if r.Fixed {
		return dst
	}
	dst = appendIf(dst, q.wantsValidation(), ", asked for no-cache")
	dst = appendAsked(dst, c.Has&MinFresh != 0, ", asked for min-fresh ", seconds(c.MinFresh))
	dst = appendIf(dst, c.AnyStale, ", asked for max-stale")
	dst = appendAsked(dst, c.Has&MaxStale != 0 && !c.AnyStale, ", asked for max-stale ", seconds(c.MaxStale))
	return appendIf(dst, c.Has&OnlyIfCached != 0, ", asked for only-if-cached")
}

func appendIf(dst []byte, is bool, text string) []byte {
	if is {
		return append(dst, text...)
	}
	return dst
}

func appendAsked(dst []byte, is bool, text string, d time.Duration) []byte {
	if is {
		return appendSeconds(append(dst, text...), d)
	}
	return dst
}

func appendSeconds(dst []byte, d time.Duration) []byte {
	return append(strconv.AppendInt(dst, int64(d/time.Second), 10), 's')
}

package policy

import (
	"bytes"
	"time"
)

// maxVary is by how many fields a stored answer may vary: each lookup has to put
// them together.
const maxVary = 16

// maxHeuristic bounds a lifetime that nobody stated: what was not changed for
// years is not good for months.
const maxHeuristic = 7 * 24 * time.Hour

// Verdict is what may be done with an answer.
type Verdict struct {
	Store bool
	// Why says it in a few words, for an explanation and for Cache-Status.
	Why   string
	Terms Terms
	// Drop are the fields that may not be stored with it: those that no-cache="…"
	// and private="…" name, and OwnField. Borrowed from the answer.
	Drop [][]byte
}

// Judge decides whether the answer to q may be stored, and on which terms
// (RFC 9111 §3).
func (r *Rules) Judge(q *Request, a *Answer) Verdict {
	if why := r.forbids(q, a); why != "" {
		return Verdict{Why: why}
	}
	v := Verdict{Terms: a.terms()}
	if r.Fixed {
		v.Terms.Fixed, v.Terms.InitialAge = true, 0
		v.Terms.Source, v.Terms.Lifetime = FromRules, r.ttlOf(a.Status)
		v.Terms.StaleWhileRevalidate, v.Terms.StaleIfError = r.StaleWhileRevalidate, r.StaleIfError
		v.Store, v.Why = true, "kept for the time that the rules say"
		if v.Terms.Lifetime <= 0 {
			v.Store, v.Why = false, "the rules give this status no time"
		}
		v.Drop = a.drop()
		return v
	}
	v.Terms.obey(r, a.control())
	v.Terms.Lifetime, v.Terms.Source = r.lifetime(q, a)
	v.Why = v.Terms.uselessBecause(a)
	v.Store = v.Why == ""
	if v.Store {
		v.Why = "fresh by " + v.Terms.Source.String()
		if v.Terms.NoCache || v.Terms.Lifetime <= v.Terms.InitialAge {
			v.Why = "to be validated"
		}
		v.Drop = a.drop()
	}
	return v
}

// forbids returns why an answer may not be stored whatever its freshness, "" when
// it may.
func (r *Rules) forbids(q *Request, a *Answer) string {
	switch {
	case !isFinal(a.Status):
		return "status of no whole answer"
	case len(r.Only) > 0 && !r.Only[a.Status]:
		return "status not listed"
	case a.SetCookie && !r.SetCookie && (r.Fixed || !a.drops("Set-Cookie")):
		return "Set-Cookie"
	case r.Fixed && q.Authorization && !r.Personal:
		return "request has Authorization"
	case r.Fixed:
		return ""
	case !q.isMethod("GET") && !q.isMethod("QUERY"):
		return "method"
	case !r.Unheeded && q.Control.Has&NoStore != 0:
		return "request has no-store"
	}
	return a.forbids(q)
}

func (a *Answer) forbids(q *Request) string {
	has := a.control().Has
	switch isUnderstood := has&MustUnderstand != 0 && isKnown(a.Status); {
	case has&MustUnderstand != 0 && !isUnderstood:
		return "must-understand"
	case has&NoStore != 0 && !isUnderstood:
		return "no-store"
	case has&Private != 0:
		return "private"
	case a.VaryAll:
		return "varies by everything"
	case len(a.Vary) > maxVary:
		return "varies by too many fields"
	case q.Authorization && has&(Public|MustRevalidate|SMaxAge) == 0:
		return "request has Authorization"
	}
	return ""
}

// isFinal tells whether the answer is whole and depends on nothing that its key
// does not hold: 304, 412 and 416 answer conditions and ranges.
func isFinal(status int) bool {
	switch status {
	case 206, 304, 412, 416:
		return false
	}
	return status >= 200 && status <= 599
}

// isKnown tells whether weir does what the status asks of a cache.
func isKnown(status int) bool {
	switch {
	case status >= 200 && status <= 205, status >= 300 && status <= 308 && status != 306, status >= 400 && status <= 417,
		status >= 500 && status <= 505:
		return isFinal(status)
	}
	switch status {
	case 421, 422, 425, 426, 428, 429, 431, 451, 511:
		return true
	}
	return false
}

// isHeuristic tells whether a status may be cached without explicit freshness
// (RFC 9110 §15.1).
func isHeuristic(status int) bool {
	switch status {
	case 200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501:
		return true
	}
	return false
}

// terms begins terms with what is the same in all modes.
func (a *Answer) terms() Terms {
	return Terms{
		InitialAge: a.initialAge(), Targeted: a.IsTargeted,
		ETag: bytes.Clone(a.ETag), Date: a.sent(), LastModified: a.lastModified,
	}
}

// obey takes what directives say beside the lifetime.
func (t *Terms) obey(r *Rules, c *Directives) {
	t.NoCache = c.Has&NoCache != 0
	// s-maxage has the meaning of proxy-revalidate in it (RFC 9111 §5.2.2.10).
	t.MustRevalidate = c.Has&(MustRevalidate|ProxyRevalidate|SMaxAge) != 0
	t.Immutable = c.Has&Immutable != 0
	t.StaleWhileRevalidate, t.StaleIfError = r.StaleWhileRevalidate, r.StaleIfError
	if c.Has&StaleWhileRevalidate != 0 {
		t.StaleWhileRevalidate = seconds(c.StaleWhileRevalidate)
	}
	if c.Has&StaleIfError != 0 {
		t.StaleIfError = seconds(c.StaleIfError)
	}
	if t.NoCache || t.MustRevalidate {
		t.StaleWhileRevalidate, t.StaleIfError = 0, 0
	}
}

// lifetime returns freshness_lifetime and where it comes from (RFC 9111 §4.2.1).
func (r *Rules) lifetime(q *Request, a *Answer) (time.Duration, Source) {
	lifetime, source := a.stated()
	if source == FromNothing {
		return r.unstated(q, a)
	}
	return r.bounded(lifetime), source
}

func (r *Rules) bounded(lifetime time.Duration) time.Duration {
	if r.MaxTTL > 0 {
		return min(lifetime, r.MaxTTL)
	}
	return lifetime
}

// stated returns the lifetime that the answer states. An Expires that cannot be
// read is in the past (RFC 9111 §5.3).
func (a *Answer) stated() (time.Duration, Source) {
	c := a.control()
	switch {
	case c.Has&SMaxAge != 0:
		return seconds(c.SMaxAge), FromSMaxAge
	case c.Has&MaxAge != 0:
		return seconds(c.MaxAge), FromMaxAge
	case a.IsTargeted || !a.hasExpires:
		return 0, FromNothing
	case !a.isExpiresOK:
		return 0, FromExpires
	}
	return seconds(min(max(a.expires-a.sent(), 0), maxSeconds)), FromExpires
}

// unstated returns the lifetime of an answer that states none.
func (r *Rules) unstated(q *Request, a *Answer) (time.Duration, Source) {
	if q.Cookie && !r.Personal || a.pragma && !a.hasControl && !a.IsTargeted {
		return 0, FromNothing
	}
	if ttl, ok := r.Statuses[a.Status]; ok {
		if ttl <= 0 {
			return 0, FromNothing
		}
		return ttl, FromRules
	}
	isPublic := a.control().Has&Public != 0
	mayGuess := isPublic || isHeuristic(a.Status)
	if r.Heuristic > 0 && mayGuess && a.lastModified != 0 {
		since := min(max(a.sent()-a.lastModified, 0), maxSeconds)
		guess := time.Duration(float64(seconds(since)) * min(r.Heuristic, 1))
		return r.bounded(min(guess, maxHeuristic)), FromHeuristic
	}
	if r.TTL > 0 && (mayGuess || r.Only[a.Status]) {
		return r.TTL, FromRules
	}
	return 0, FromNothing
}

// ttlOf is the time of the fixed mode.
func (r *Rules) ttlOf(status int) time.Duration {
	if ttl, ok := r.Statuses[status]; ok {
		return ttl
	}
	return r.TTL
}

// saysSomething are the directives that, with a validator, make an answer worth
// keeping without a lifetime.
const saysSomething = NoCache | Public | MustRevalidate | ProxyRevalidate | Immutable | StaleWhileRevalidate | StaleIfError

// uselessBecause returns why no request could ever be served, "" when one could.
func (t *Terms) uselessBecause(a *Answer) string {
	has := a.control().Has
	switch {
	case t.Source == FromNothing && has&saysSomething == 0:
		return "no freshness"
	case t.Source == FromNothing && has&Public == 0 && !isHeuristic(a.Status):
		return "status not cacheable by default"
	case t.HasValidator():
		return ""
	case t.NoCache:
		return "no-cache and no validator"
	case t.Lifetime <= 0 && t.StaleWhileRevalidate <= 0 && t.StaleIfError <= 0:
		return "stale at once and no validator"
	case t.MustRevalidate && t.Lifetime <= t.InitialAge:
		return "stale at once and no validator"
	}
	return ""
}

// drop lists the fields that are not stored.
func (a *Answer) drop() [][]byte {
	c := a.control()
	names := append(c.NoCacheFields[:len(c.NoCacheFields):len(c.NoCacheFields)], c.PrivateFields...)
	if a.hasOwn {
		names = append(names, []byte(OwnField))
	}
	return names
}

func (a *Answer) drops(field string) bool {
	for _, name := range a.drop() {
		if bytes.EqualFold(name, []byte(field)) {
			return true
		}
	}
	return false
}

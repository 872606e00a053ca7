package policy

import "time"

// Terms are what is kept of an answer's say about caching. They are not changed
// once made, and hold nothing of the message that they came from.
type Terms struct {
	Lifetime                           time.Duration // of freshness, RFC 9111 §4.2.1
	InitialAge                         time.Duration // corrected_initial_age, §4.2.3
	StaleWhileRevalidate, StaleIfError time.Duration
	Source                             Source // of Lifetime
	NoCache                            bool   // to be validated before every use
	MustRevalidate                     bool   // never used stale
	Immutable                          bool
	Fixed                              bool // made by AWS's rules
	Targeted                           bool // made of CDN-Cache-Control or Weir-Cache-Control

	ETag         []byte // as sent, nil for none
	Date         int64  // Unix seconds
	LastModified int64  // Unix seconds, 0 for none
}

// Source tells where a lifetime comes from.
type Source uint8

// The sources.
const (
	FromNothing Source = iota
	FromSMaxAge
	FromMaxAge
	FromExpires
	FromHeuristic
	FromRules
)

// String names the source as an explanation does: "s-maxage".
func (s Source) String() string {
	switch s {
	case FromSMaxAge:
		return "s-maxage"
	case FromMaxAge:
		return "max-age"
	case FromExpires:
		return "Expires"
	case FromHeuristic:
		return "heuristic"
	case FromRules:
		return "rules"
	default:
		return "nothing"
	}
}

// Age returns current_age after the answer has been here for resident (RFC 9111
// §4.2.3). A resident below 0, as of a clock that stepped, is 0.
func (t *Terms) Age(resident time.Duration) time.Duration {
	return t.InitialAge + min(max(resident, 0), maxResident)
}

// maxResident keeps sums of an age and a resident time from overflowing.
const maxResident = maxSeconds * time.Second

// HasValidator tells whether the upstream can be asked if the answer still holds.
func (t *Terms) HasValidator() bool { return t.ETag != nil || t.LastModified != 0 }

// Use says how a stored answer may serve a request.
type Use uint8

// The uses.
const (
	Serve          Use = iota // as it is
	ServeStale                // as it is, and fetched anew in the background
	Validate                  // after the upstream has said that it still holds
	Refetch                   // not at all: AWS's max-age=0 wants it replaced
	GatewayTimeout            // only-if-cached cannot be met (RFC 9111 §5.2.1.7)
)

// Use decides how an answer that has been here for resident may serve q. In the
// fixed mode Refetch is AWS's invalidation and nothing else: an answer whose time
// is over is to be validated, which may as well be a plain fetch, as AWS does it.
func (r *Rules) Use(t *Terms, q *Request, resident time.Duration) Use {
	age := t.Age(resident)
	switch {
	case r.Fixed:
		if !r.Unheeded && q.Control.Has&MaxAge != 0 && q.Control.MaxAge == 0 {
			return Refetch
		}
		return t.use(age)
	case r.Unheeded && r.IsFor(q, t):
		return t.use(age)
	case r.Unheeded:
		return Validate
	}
	use := Validate
	if !q.wantsValidation() && r.IsFor(q, t) {
		use = t.useAsked(&q.Control, age)
	}
	if use == Validate && q.Control.Has&OnlyIfCached != 0 {
		return GatewayTimeout
	}
	return use
}

// IsFor tells whether an answer of those terms is for such as q at all: the times
// that the rules give hold for requests without Cookie.
func (r *Rules) IsFor(q *Request, t *Terms) bool {
	return r.Fixed || r.Personal || !q.Cookie || t.Source != FromRules && t.Source != FromHeuristic
}

// use decides for a request that says nothing.
func (t *Terms) use(age time.Duration) Use {
	switch {
	case t.NoCache:
		return Validate
	case age < t.Lifetime:
		return Serve
	case !t.MustRevalidate && age-t.Lifetime < t.StaleWhileRevalidate:
		return ServeStale
	}
	return Validate
}

// useAsked decides for a request with directives (RFC 9111 §5.2.1).
func (t *Terms) useAsked(c *Directives, age time.Duration) Use {
	use := t.use(age)
	if t.NoCache || c.Has&(MaxAge|MinFresh|MaxStale) == 0 {
		return use
	}
	isFresh := age < t.Lifetime
	// RFC 8246 §2: what is immutable is not asked for again while it is fresh.
	if c.Has&MaxAge != 0 && !(isFresh && t.Immutable) && (c.MaxAge == 0 || age > seconds(c.MaxAge)) {
		return Validate
	}
	if c.Has&MinFresh != 0 && t.Lifetime-age < seconds(c.MinFresh) {
		return Validate
	}
	if isFresh || t.MustRevalidate {
		return use
	}
	if c.Has&MaxStale != 0 && (c.AnyStale || age-t.Lifetime <= seconds(c.MaxStale)) {
		if use == ServeStale {
			return use
		}
		return Serve
	}
	// Who says how old, how fresh or how stale an answer may be takes no other.
	return Validate
}

// MayRescue tells whether a stored answer may serve q because the upstream failed
// (stale-if-error, RFC 5861 §4), with a status or with none at all (0). It is
// never one that has to be validated, nor where the request wants it validated.
func (r *Rules) MayRescue(t *Terms, q *Request, resident time.Duration, status int) bool {
	switch status {
	case 0, 500, 502, 503, 504:
	default:
		return false
	}
	isHeeded := !r.Fixed && !r.Unheeded
	if t.NoCache || isHeeded && q.wantsValidation() {
		return false
	}
	staleness := t.Age(resident) - t.Lifetime
	switch {
	case staleness < 0:
		return true
	case t.MustRevalidate:
		return false
	case staleness < t.StaleIfError:
		return true
	}
	if !isHeeded {
		return false
	}
	c := &q.Control
	return c.Has&StaleIfError != 0 && staleness < seconds(c.StaleIfError) ||
		c.Has&MaxStale != 0 && (c.AnyStale || staleness <= seconds(c.MaxStale))
}

// Bypasses tells whether q must not be served from a cache and its answer not be
// kept, and why: no-store, If-Match and If-Unmodified-Since, a method that no
// rule knows, in the fixed mode Authorization. "" for no.
func (r *Rules) Bypasses(q *Request) string {
	switch {
	case !r.Fixed && !q.isMethod("GET") && !q.isMethod("HEAD") && !q.isMethod("QUERY"):
		return "method"
	case !r.Fixed && !r.Unheeded && q.Control.Has&NoStore != 0:
		return "no-store"
	case r.Fixed && q.Authorization && !r.Personal:
		// What is kept was for requests without it, a 401 perhaps.
		return "request has Authorization"
	case q.IfMatch:
		return "if-match"
	case q.IfUnmodifiedSince:
		return "if-unmodified-since"
	}
	return ""
}

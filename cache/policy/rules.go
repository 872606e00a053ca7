package policy

import "time"

// Rules are what an operator has set for a route. The zero value is RFC 9111
// for a shared cache, with no freshness that the answer does not give.
type Rules struct {
	// Fixed is AWS's mode: what an answer says of caching is not heeded, TTL
	// holds, and of a request only Cache-Control: max-age=0 is.
	Fixed bool
	// TTL is how long answers are fresh: all in the fixed mode, else those that
	// do not say it themselves. In the standard mode 0 gives them nothing.
	TTL time.Duration
	// Statuses is a TTL by status, before TTL (negative caching). 0 keeps none.
	Statuses map[int]time.Duration
	// Only lists the statuses that may be stored, all when empty.
	Only map[int]bool
	// Heuristic is which part of the time since Last-Modified an answer is fresh
	// that does not say it (RFC 9111 §4.2.2), 0 for none, a week at most. It goes
	// before TTL and after Statuses.
	Heuristic float64
	// MaxTTL bounds what answers say, 0 for no bound.
	MaxTTL time.Duration
	// StaleWhileRevalidate and StaleIfError hold for answers that do not say it
	// (RFC 5861), must-revalidate and its like apart.
	StaleWhileRevalidate, StaleIfError time.Duration
	// SetCookie stores answers with Set-Cookie too, that field with them.
	SetCookie bool
	// Personal lets TTL, Statuses and Heuristic hold for requests with Cookie too,
	// and the fixed mode for those with Authorization.
	Personal bool
	// Unheeded has no request directive heeded.
	Unheeded bool
}

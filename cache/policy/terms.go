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
func (s Source) String() string { panic("not built") }

// Age returns current_age after the answer has been here for resident.
func (t *Terms) Age(resident time.Duration) time.Duration { return t.InitialAge + resident }

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

// Use decides how an answer that has been here for resident may serve q.
// Why says it with the arithmetic when explain is set.
func (r *Rules) Use(t *Terms, q *Request, resident time.Duration) Use { panic("not built") }

// MayRescue tells whether a stale answer may serve q because the upstream failed
// (stale-if-error, RFC 5861 §4), with a status or with none at all (0).
func (r *Rules) MayRescue(t *Terms, q *Request, resident time.Duration, status int) bool {
	panic("not built")
}

// AppendWhy appends the arithmetic of Use in words, for an explanation:
// "fresh: age 12s of 60s (max-age)".
func (r *Rules) AppendWhy(dst []byte, t *Terms, q *Request, resident time.Duration) []byte {
	panic("not built")
}

// Bypasses tells whether q must not be served from a cache and its answer not be
// kept, and why: no-store, If-Match and If-Unmodified-Since, a method that no
// rule knows. "" for no.
func (r *Rules) Bypasses(q *Request) string { panic("not built") }

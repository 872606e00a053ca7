package policy

import "time"

// Answer is what an answer says about caching, gathered field by field. It
// borrows the values that it was given.
type Answer struct {
	Status              int
	Requested, Received time.Time // wall clock, around the exchange with the upstream

	Control  Directives // of Cache-Control
	Targeted Directives // of CDN-Cache-Control or Weir-Cache-Control, the nearer one (RFC 9213)
	// IsTargeted tells that Targeted holds in Control's place.
	IsTargeted bool

	ETag, LastModified []byte
	Vary               [][]byte // names, as sent
	VaryAll            bool     // Vary: *
	SetCookie          bool
	Partial            bool     // Content-Range is there
	Tags               [][]byte // Surrogate-Key, Cache-Tag, Cache-Groups
	InvalidatesGroups  [][]byte // Cache-Group-Invalidation (RFC 9875)
	Location           []byte
	ContentLocation    []byte
}

// Begin readies a for an answer.
func (a *Answer) Begin(status int, requested, received time.Time) { panic("not built") }

// Add takes one field line, its name in canonical case.
func (a *Answer) Add(name, value []byte) { panic("not built") }

// Verdict is what may be done with an answer.
type Verdict struct {
	Store bool
	// Why says it in a few words, for an explanation and for Cache-Status.
	Why   string
	Terms Terms
	// Drop are the fields that may not be stored with it: those that no-cache="…"
	// and private="…" name.
	Drop [][]byte
}

// Judge decides whether the answer to q may be stored, and on which terms
// (RFC 9111 §3).
func (r *Rules) Judge(q *Request, a *Answer) Verdict { panic("not built") }

// Freshen decides the terms of a stored answer after the 304 (or the answer to
// HEAD) a: what that does not say stays as it was (RFC 9111 §4.3.4, §4.3.5).
func (r *Rules) Freshen(q *Request, stored *Terms, a *Answer) Verdict { panic("not built") }

// IsUpdatable tells whether a field of a 304 replaces the stored one (RFC 9111 §3.2).
func IsUpdatable(name []byte) bool { panic("not built") }

// Invalidates tells whether the answer to a request makes stored ones of its URI
// invalid (RFC 9111 §4.4).
func Invalidates(method []byte, status int) bool { panic("not built") }

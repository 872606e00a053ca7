package cache

import (
	"sync/atomic"

	"weir/cache/policy"
)

// Entry is one stored answer. It is not changed after Fill.Answer, Fill.Refreshed
// or Cache.Replace has had it; only its body may grow until it is whole. Any
// number may read it at once. The memory belongs to the garbage collector, so
// that whoever holds an entry may go on when it is evicted.
type Entry struct {
	Status int
	// Lines are the end-to-end fields, Date among them, each line ended by CRLF.
	Lines []byte
	Terms policy.Terms
	// Vary are the names that the answer varies by, in canonical case, sorted.
	Vary []string
	// Tags are what it can be purged by.
	Tags [][]byte
	// At is Cache.Now when the answer was received.
	At int64
	// Encoded tells that Body is gzip that the gateway has made, of PlainLength bytes.
	Encoded     bool
	PlainLength int64
	// PlainLines are Lines for those who get the content without the coding.
	PlainLines []byte

	Body *Body

	place *placement // a copy of an entry is one of its own once it is located
}

// placement is what the cache knows of an entry beside: set by the cache.
type placement struct {
	address  *address
	selected []byte   // values of Vary
	born     uint64   // number of the last purge when its fetch began
	tags     []uint64 // their sums
	cost     int64

	// state is the number of the last purge that was looked at, times two, and
	// one where it is to be validated.
	state atomic.Uint64
	// fate is what is no longer in the log of purges: set once, never taken back.
	fate atomic.Uint32
}

package h2

import "sync/atomic"

// Stats counts what clients of one server have done that they should not, or
// that costs more than it brings. Any goroutine may read it at any time.
type Stats struct {
	Streams  atomic.Int64 // requests that were begun
	Refused  atomic.Int64 // turned away with REFUSED_STREAM
	Reset    atomic.Int64 // given up by the client
	Invalid  atomic.Int64 // ended because of what the client sent
	Errors   atomic.Int64 // connections ended because of a protocol error
	Calmed   atomic.Int64 // connections ended because of an abuse limit
	Timeouts atomic.Int64 // connections ended because the client took or acknowledged nothing
}

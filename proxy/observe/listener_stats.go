package observe

import "sync/atomic"

// ListenerStats counts the connections of one listener. It comes from
// [Metrics.Listener]; all methods may be called at once.
type ListenerStats struct {
	listener string
	cells    []listenerCell
}

type listenerCell struct {
	accepted   atomic.Uint64
	closed     atomic.Uint64
	refused    atomic.Uint64
	handshakes [handshakeOutcomes]atomic.Uint64
	_          [24]byte // fills the second cache line
}

// Handshake is how a TLS handshake ended.
type Handshake uint8

// The ends of a handshake.
const (
	HandshakeFull       Handshake = iota
	HandshakeResumed              // by a ticket
	HandshakePlain                // the client spoke in clear
	HandshakeTimeout              // the client was too slow
	HandshakeTooLarge             // the client sent too much
	HandshakeAlert                // the client refused what it was shown
	HandshakeLeft                 // the client left
	HandshakeFailed               // the gateway refused: no certificate, no common protocol, a client certificate that is not accepted
	HandshakeTurnedAway           // too many were under way
	handshakeOutcomes
)

// handshakeNames are the values of the label "outcome".
var handshakeNames = [handshakeOutcomes]string{
	"full", "resumed", "plain", "timeout", "too_large", "alert", "left", "failed", "turned_away",
}

// Handshake counts the end of a TLS handshake.
func (s *ListenerStats) Handshake(shard int, outcome Handshake) {
	s.cell(shard).handshakes[outcome].Add(1)
}

// Accept counts a connection that is served from now on.
func (s *ListenerStats) Accept(shard int) { s.cell(shard).accepted.Add(1) }

// Close counts the end of a connection that was accepted.
func (s *ListenerStats) Close(shard int) { s.cell(shard).closed.Add(1) }

// Refuse counts a connection that was closed because there were too many.
func (s *ListenerStats) Refuse(shard int) { s.cell(shard).refused.Add(1) }

func (s *ListenerStats) cell(shard int) *listenerCell {
	if uint(shard) >= uint(len(s.cells)) {
		shard = 0
	}
	return &s.cells[shard]
}

// totals reads what closed before what was accepted: the connections between the
// two reads then never make the difference negative.
func (s *ListenerStats) totals() (accepted, open, refused uint64) {
	var closed uint64
	for i := range s.cells {
		closed += s.cells[i].closed.Load()
	}
	for i := range s.cells {
		accepted += s.cells[i].accepted.Load()
		refused += s.cells[i].refused.Load()
	}
	return accepted, accepted - closed, refused
}

// handshakes sums up the handshakes that ended so.
func (s *ListenerStats) handshakes(outcome Handshake) (sum uint64) {
	for i := range s.cells {
		sum += s.cells[i].handshakes[outcome].Load()
	}
	return sum
}

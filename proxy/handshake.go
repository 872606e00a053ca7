package proxy

import (
	"context"
	stdtls "crypto/tls"
	"errors"
	"flag"
	"io"
	"net"
	"runtime"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/h1"
	"weir/proxy/observe"
	"weir/proxy/wire"
	weirtls "weir/tls"
)

// Protocols as ALPN names them (RFC 7301 §6).
const (
	protocolH1 = "http/1.1"
	protocolH2 = "h2"
	protocolH3 = "h3"
)

// HandshakeLimits bounds what handshakes of clients may take.
type HandshakeLimits struct {
	Timeout    time.Duration
	Computing  int
	Pending    int
	PerAddress int
}

// RegisterFlags defines the flags of handshakes.
func (l *HandshakeLimits) RegisterFlags(fs *flag.FlagSet) {
	fs.DurationVar(&l.Timeout, "tls.handshakeTimeout", 10*time.Second, "Time a client has for its TLS handshake. 0 means no limit")
	fs.IntVar(&l.Computing, "tls.computing", 0, "TLS handshakes that compute at once; the others wait for their turn, so that requests get theirs. 0 means one for each core (GOMAXPROCS)")
	fs.IntVar(&l.Pending, "tls.pending", 4096, "TLS handshakes under way at once on a listener; more connections are closed. 0 means no limit")
	fs.IntVar(&l.PerAddress, "tls.pendingPerAddress", 256, "TLS handshakes under way at once from one client address. 0 means no limit")
}

const (
	// helloMost bounds what a client may send before its handshake is over: the
	// largest certificate chain that crypto/tls takes, twice.
	helloMost = 128 << 10
	// turnMost is how long a handshake waits for its turn to compute. One that
	// waits longer goes on: those before it may be waiting for somebody else.
	turnMost = 250 * time.Millisecond
)

var errHelloTooLarge = errors.New("the client sent more than a handshake needs")

// handshakes are the turns of a process to compute a handshake.
type handshakes struct{ turns chan struct{} }

func newHandshakes(computing int) *handshakes {
	if computing <= 0 {
		computing = runtime.GOMAXPROCS(0)
	}
	return &handshakes{turns: make(chan struct{}, computing)}
}

// handshake is one client's. It computes between its reads, and only then has a turn.
type handshake struct {
	all  *handshakes
	turn bool
	read int
}

// BeforeRead implements wire.Overseer.
func (h *handshake) BeforeRead() { h.done() }

// AfterRead implements wire.Overseer.
func (h *handshake) AfterRead(n int) error {
	if h.read += n; h.read > helloMost {
		return errHelloTooLarge
	}
	select {
	case h.all.turns <- struct{}{}:
		h.turn = true
		return nil
	default:
	}
	timer := time.NewTimer(turnMost)
	defer timer.Stop()
	select {
	case h.all.turns <- struct{}{}:
		h.turn = true
	case <-timer.C:
	}
	return nil
}

func (h *handshake) done() {
	if h.turn {
		h.turn = false
		<-h.all.turns
	}
}

// shake shakes hands with the client of c, and returns what was agreed on, nil
// if the connection has to end.
func (a *arrival) shake(c *wire.Conn) *exchange.TLS {
	stats := a.known.stats
	if !a.ln.pending.enter(a.address) {
		stats.Handshake(a.shard, observe.HandshakeTurnedAway)
		return nil
	}
	defer a.ln.pending.leave(a.address)
	by := wire.After(wire.Now(), a.g.options.Handshakes.Timeout)
	c.ReadLimits(by, 0)
	c.WriteLimits(by, 0)
	h := &handshake{all: a.g.handshakes}
	ctx := weirtls.WithHandshake(context.Background())
	err := c.Handshake(ctx, a.known.secure, h)
	h.done()
	if err != nil {
		outcome := outcomeOf(err)
		stats.Handshake(a.shard, outcome)
		if outcome == observe.HandshakePlain {
			h1.TurnToTLS(a.nc)
		}
		a.g.log.Debug().Err(err).Str("listener", a.known.name).Stringer("client", a.address).Msg("cannot shake hands with a client")
		return nil
	}
	state := c.TLS().ConnectionState()
	if state.DidResume {
		stats.Handshake(a.shard, observe.HandshakeResumed)
	} else {
		stats.Handshake(a.shard, observe.HandshakeFull)
	}
	if state.NegotiatedProtocol == weirtls.ProtocolACME {
		return nil // the handshake was the whole of the challenge (RFC 8737 §3)
	}
	session := sessionOf(weirtls.SessionOf(ctx, state))
	session.AltSvc = a.known.altSvc
	return session
}

// outcomeOf tells why a handshake failed.
func outcomeOf(err error) observe.Handshake {
	var record stdtls.RecordHeaderError
	var alert stdtls.AlertError
	var op *net.OpError
	switch {
	case errors.As(err, &record) && looksPlain(record.RecordHeader):
		return observe.HandshakePlain
	case errors.Is(err, wire.ErrTimeout):
		return observe.HandshakeTimeout
	case errors.Is(err, errHelloTooLarge):
		return observe.HandshakeTooLarge
	case errors.As(err, &alert), errors.As(err, &op) && op.Op == "remote error":
		return observe.HandshakeAlert
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &op):
		return observe.HandshakeLeft
	}
	return observe.HandshakeFailed
}

// looksPlain tells whether what should have been a record begins like a request.
func looksPlain(header [5]byte) bool {
	for _, c := range header[:3] {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

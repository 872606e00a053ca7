package h3

import (
	"context"
	"errors"
	"net"
	"sync/atomic"

	"github.com/quic-go/quic-go"

	"weir/proxy/wire"
)

// guard bounds handshakes. What a client claims of its address is not believed
// once there are many (RFC 9000 §8.1.2).
type guard struct {
	server *Server
	second atomic.Int64 // that begun counts
	begun  atomic.Int64
}

// attempt is one handshake.
type attempt struct {
	guard *guard
	over  atomic.Bool
}

type attemptKey struct{}

var errHandshakes = errors.New("too many handshakes")

// doubts tells whether a client has to prove its address by a Retry first.
func (g *guard) doubts(net.Addr) bool {
	cfg, stats := &g.server.cfg, &g.server.Stats
	many := cfg.RetryAbove >= 0 && stats.Handshakes.Load() >= int64(cfg.RetryAbove)
	fast := cfg.RetryRate >= 0 && g.rate() >= int64(cfg.RetryRate)
	if !many && !fast {
		return false
	}
	stats.Retries.Add(1)
	return true
}

// rate returns how many handshakes were begun in the present second.
func (g *guard) rate() int64 {
	second := wire.Now() / 1e9
	if g.second.Swap(second) != second {
		g.begun.Store(0)
	}
	return g.begun.Load()
}

// begin counts a handshake, or refuses it.
func (g *guard) begin(ctx context.Context, _ *quic.ClientInfo) (context.Context, error) {
	cfg, stats := &g.server.cfg, &g.server.Stats
	g.rate()
	g.begun.Add(1)
	if n := stats.Handshakes.Add(1); cfg.MaxHandshakes > 0 && n > int64(cfg.MaxHandshakes) {
		stats.Handshakes.Add(-1)
		stats.Refused.Add(1)
		return nil, errHandshakes
	}
	a := &attempt{guard: g}
	context.AfterFunc(ctx, func() {
		if a.end() {
			stats.Failed.Add(1)
		}
	})
	ctx = context.WithValue(ctx, attemptKey{}, a)
	if asked := g.server.asked; asked.Begin != nil {
		ctx = asked.Begin(ctx)
	}
	return ctx, nil
}

// done counts the handshake of a connection that was accepted.
func (g *guard) done(qc *quic.Conn) {
	if a, ok := qc.Context().Value(attemptKey{}).(*attempt); ok {
		a.end()
	}
}

// end ends the attempt, and tells whether nobody had.
func (a *attempt) end() bool {
	if !a.over.CompareAndSwap(false, true) {
		return false
	}
	a.guard.server.Stats.Handshakes.Add(-1)
	return true
}

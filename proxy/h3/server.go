package h3

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"weir/proxy/exchange"
	"weir/proxy/front"
	"weir/proxy/wire"
)

// Server serves the HTTP/3 connections of one UDP socket. All of it may be
// called by many goroutines at once, Serve only once.
type Server struct {
	front.Crowd
	Stats Stats

	cfg      Config
	limits   wire.Limits
	handler  front.Handler
	shards   int
	turn     atomic.Uint64 // spreads connections over the shards
	readers  *wire.Readers
	requests sync.Pool
	date     front.Date
	asked    Listening
	guard    guard
	stop     context.CancelFunc
	stopped  context.Context
}

// Listening is what a server asks of who opened its socket.
type Listening struct {
	TLS  *tls.Config   // its protocols are not used
	Name func() string // of the listener, asked for each connection
	// Begin adds to the context of a handshake what TLS is to find in its hello,
	// Info makes of that what exchanges carry. Both may be nil.
	Begin func(context.Context) context.Context
	Info  func(context.Context, tls.ConnectionState) *exchange.TLS
	// Admit tells whether the address may have one more connection, Left that
	// it has one less. Nil admits everybody.
	Admit func(netip.Addr) bool
	Left  func(netip.Addr)
}

// Stats counts for metrics.
type Stats struct {
	Connections atomic.Int64 // that were set up
	Refused     atomic.Int64 // for Admit or MaxHandshakes
	Handshakes  atomic.Int64 // in progress
	Failed      atomic.Int64 // handshakes
	Retries     atomic.Int64 // clients asked to prove their address
	Streams     atomic.Int64 // requests that began
	Resets      atomic.Int64 // requests that their client gave up
	Abuses      atomic.Int64 // connections closed for excessive load
}

// windowLeast is the smallest window: less than some packets would only stall.
const windowLeast = 16 << 10

// New returns a server whose exchanges go to handler and carry one of the
// shards, which its connections take in turn.
func New(cfg Config, shards int, handler front.Handler) *Server {
	cfg.Front.MaxHead = max(cfg.Front.MaxHead, 1<<10)
	cfg.MaxStreams, cfg.Window, cfg.MaxWindow = max(cfg.MaxStreams, 1), max(cfg.Window, windowLeast), max(cfg.MaxWindow, windowLeast)
	s := &Server{
		cfg:     cfg,
		limits:  wire.Limits{Head: cfg.Front.MaxHead, Target: cfg.Front.MaxTarget, Fields: cfg.Front.MaxFields},
		handler: handler,
		shards:  max(shards, 1),
		readers: wire.NewReaders(cfg.Front.MaxHead),
	}
	s.guard.server = s
	s.stopped, s.stop = context.WithCancel(context.Background())
	s.requests.New = func() any { return newRequest(s) }
	return s
}

// Serve serves the connections that arrive on pc until Drain or Close, and
// returns when the last has ended. It closes pc.
func (s *Server) Serve(pc net.PacketConn, asked Listening) error {
	s.asked = asked
	transport := &quic.Transport{
		Conn:                pc,
		StatelessResetKey:   &quic.StatelessResetKey{},
		VerifySourceAddress: s.guard.doubts,
		ConnContext:         s.guard.begin,
	}
	_, _ = rand.Read(transport.StatelessResetKey[:])
	defer pc.Close()
	defer transport.Close()
	var serving sync.WaitGroup
	listener, err := transport.Listen(forQUIC(asked.TLS), s.quicConfig())
	if err != nil {
		return fmt.Errorf("cannot serve HTTP/3 on %q: %w", pc.LocalAddr(), err)
	}
	swept := make(chan struct{})
	ending, end := context.WithCancel(context.Background())
	go func() {
		defer close(swept)
		s.sweep(ending)
	}()
	for {
		qc, err := listener.Accept(s.stopped)
		if err != nil {
			if s.stopped.Err() == nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, quic.ErrServerClosed) {
				s.Close()
				err = fmt.Errorf("cannot accept HTTP/3 connections any more: %w", err)
			} else {
				err = nil
			}
			_ = listener.Close()
			<-s.Crowd.Drain()
			serving.Wait()
			end()
			<-swept
			return err
		}
		serving.Go(func() { s.serve(qc) })
	}
}

// idleForever stands for an idle timeout that nobody wants.
const idleForever = 24 * time.Hour

func (s *Server) quicConfig() *quic.Config {
	cfg := &s.cfg
	idle := cfg.Front.IdleTimeout
	if idle <= 0 {
		idle = idleForever
	}
	return &quic.Config{
		HandshakeIdleTimeout:           (cfg.HandshakeTimeout + 1) / 2, // quic-go ends a handshake after twice that
		MaxIdleTimeout:                 idle,
		MaxIncomingStreams:             int64(cfg.MaxStreams),
		MaxIncomingUniStreams:          maxUniStreams,
		InitialStreamReceiveWindow:     uint64(min(cfg.Window, 256<<10)),
		MaxStreamReceiveWindow:         uint64(cfg.Window),
		InitialConnectionReceiveWindow: uint64(min(cfg.MaxWindow, 512<<10)),
		MaxConnectionReceiveWindow:     uint64(cfg.MaxWindow),
		// Without it a client could give a request up and open the next while the
		// first is still being worked on, without end (CVE-2023-44487).
		RequireStreamCreditRelease: true,
	}
}

// protocol is HTTP/3's name in ALPN (RFC 9114 §3.1).
const protocol = "h3"

// forQUIC returns config for QUIC: HTTP/3 is the one protocol, and TLS 1.3 the
// oldest version (RFC 9001 §4.2).
func forQUIC(config *tls.Config) *tls.Config {
	ready := len(config.NextProtos) == 1 && config.NextProtos[0] == protocol && config.MinVersion == tls.VersionTLS13
	if ready && config.GetConfigForClient == nil {
		return config // once for all hellos, not a copy for each
	}
	c := config.Clone()
	c.NextProtos, c.MinVersion, c.MaxVersion = []string{protocol}, tls.VersionTLS13, 0
	if get := c.GetConfigForClient; get != nil {
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := get(hello)
			if chosen == nil || err != nil {
				return chosen, err
			}
			return forQUIC(chosen), nil
		}
	}
	return c
}

// serve serves one connection.
func (s *Server) serve(qc *quic.Conn) {
	s.guard.done(qc)
	peer := front.AddrPort(qc.RemoteAddr())
	if s.asked.Admit != nil {
		if !s.asked.Admit(peer.Addr()) {
			s.Stats.Refused.Add(1)
			_ = qc.CloseWithError(codeExcessiveLoad, "at the connection limit")
			return
		}
		if s.asked.Left != nil {
			defer s.asked.Left(peer.Addr())
		}
	}
	c := newConn(s, qc)
	// Ahead of Enter: who drains writes to the stream that is opened here.
	if c.openControl() != nil || !s.Enter(c) {
		_ = qc.CloseWithError(codeNoError, "")
		return
	}
	defer s.Leave(c)
	s.Stats.Connections.Add(1)
	c.serve()
}

// Drain tells every client that no further request is served (RFC 9114 §5.2),
// and returns a channel that is closed when all connections have ended.
func (s *Server) Drain() <-chan struct{} {
	done := s.Crowd.Drain()
	s.stop()
	return done
}

// Close closes every connection at once, and the socket.
func (s *Server) Close() {
	s.stop()
	s.Crowd.Close()
}

// tick is how often limits of time are looked at.
const tick = 250 * time.Millisecond

// sweep holds connections and requests to their limits of time. One goroutine
// does so for all: a timer for each read and write would cost more than the
// limits are worth.
func (s *Server) sweep(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			now := wire.Now()
			s.Each(func(c front.Conn) { c.(*conn).look(now) })
		}
	}
}

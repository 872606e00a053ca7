package proxy

import (
	"context"
	stdtls "crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"weir/proxy/config"
	"weir/proxy/exchange"
	"weir/proxy/front"
	"weir/proxy/h3"
	weirtls "weir/tls"
)

// quicServer serves HTTP/3 beside a listener, on the UDP port of its number.
type quicServer struct {
	server *h3.Server
	socket net.PacketConn // nil once it is served
	offer  []byte         // Alt-Svc
}

// quicServers are the servers of HTTP/3 that run: also those of listeners that
// are gone, until their connections have ended.
type quicServers struct {
	mu      sync.Mutex
	running map[*h3.Server]struct{}
	past    []*h3.Stats // of those that have ended: counters never go back
	ended   sync.WaitGroup
}

func (q *quicServers) each(f func(front.Drainer)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for s := range q.running {
		f(s)
	}
}

// sum adds up a count of the servers, those that have ended included.
func (q *quicServers) sum(pick func(*h3.Stats) *atomic.Int64) (total int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for s := range q.running {
		total += pick(&s.Stats).Load()
	}
	for _, stats := range q.past {
		total += pick(stats).Load()
	}
	return total
}

// run serves pc in a goroutine of its own.
func (q *quicServers) run(s *h3.Server, serve func() error, failed func(error)) {
	q.mu.Lock()
	if q.running == nil {
		q.running = make(map[*h3.Server]struct{})
	}
	q.running[s] = struct{}{}
	q.mu.Unlock()
	q.ended.Go(func() {
		if err := serve(); err != nil {
			failed(err)
		}
		q.mu.Lock()
		delete(q.running, s)
		q.past = append(q.past, &s.Stats)
		q.mu.Unlock()
	})
}

func wantsQUIC(l config.Listener) bool { return l.TLS && slices.Contains(l.Protocols, protocolH3) }

// openQUIC opens the UDP sockets that the listeners lack. On an error none is
// left open.
func openQUIC(listeners map[string]*listener, wanted map[string]config.Listener) (map[*listener]net.PacketConn, error) {
	opened := make(map[*listener]net.PacketConn)
	for name, ln := range listeners {
		if !wantsQUIC(wanted[name]) || ln.quic != nil {
			continue
		}
		address := ln.sockets[0].Addr().String() // with the port that the kernel chose for :0
		network := strings.Replace(networkOf(wanted[name].Address), "tcp", "udp", 1)
		pc, err := net.ListenPacket(network, address)
		if err != nil {
			for _, pc := range opened {
				_ = pc.Close()
			}
			return nil, fmt.Errorf("cannot listen on %q for HTTP/3: %w", address, plainListenError(err))
		}
		opened[ln] = pc
	}
	return opened, nil
}

// followQUIC makes ready to serve HTTP/3 on pc, goes on, or ends, as settings
// want it.
func (ln *listener) followQUIC(g *Gateway, pc net.PacketConn, settings config.Listener) {
	if !wantsQUIC(settings) {
		if ln.quic != nil {
			ln.quic.server.Drain()
			ln.quic = nil
		}
		return
	}
	if pc == nil {
		return
	}
	cfg := g.options.HTTP3
	cfg.Front = g.options.Listen
	port := pc.LocalAddr().(*net.UDPAddr).Port
	ln.quic = &quicServer{server: h3.New(cfg, g.options.Shards, g), socket: pc, offer: []byte(h3.AltSvc(port))}
}

// serveQUIC begins to serve what followQUIC has made ready.
func (ln *listener) serveQUIC(g *Gateway) {
	if ln.quic == nil || ln.quic.socket == nil {
		return
	}
	pc, server := ln.quic.socket, ln.quic.server
	ln.quic.socket = nil
	asked := h3.Listening{
		TLS:   g.secure.QUICConfig(),
		Name:  func() string { return ln.known.Load().name },
		Begin: weirtls.WithHandshake,
		Info: func(ctx context.Context, state stdtls.ConnectionState) *exchange.TLS {
			return sessionOf(weirtls.SessionOf(ctx, state))
		},
		Admit: func(address netip.Addr) bool {
			stats := ln.known.Load().stats
			if !ln.admission.enter(address) {
				stats.Refuse(0)
				return false
			}
			stats.Accept(0)
			return true
		},
		Left: func(address netip.Addr) {
			ln.known.Load().stats.Close(0)
			ln.admission.leave(address)
		},
	}
	g.quic.run(server, func() error { return server.Serve(pc, asked) }, func(err error) {
		g.log.Error().Err(err).Str("listener", ln.known.Load().name).Msg("cannot serve HTTP/3 any more")
	})
}

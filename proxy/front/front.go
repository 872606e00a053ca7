package front

import (
	"net"
	"net/netip"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// Handler serves one exchange: it sets the answer and has x.Front send it.
// Many goroutines call it at once.
type Handler interface{ Serve(x *exchange.Exchange) }

// Server serves the connections of one shard, of one protocol. All of it may
// be called by many goroutines at once.
type Server interface {
	// Serve serves the requests of one connection until it ends; early holds
	// what was read of it already. The caller ends c afterwards.
	Serve(c *wire.Conn, from Origin, early []byte)
	Drainer
}

// Drainer is a server as the end of the process sees it, whatever it is given
// its connections by. All of it may be called by many goroutines at once.
type Drainer interface {
	// Drain ends the connections that wait for a request, makes the others end
	// with their answers, and returns a channel that is closed when all have.
	Drain() <-chan struct{}
	// CloseTunnels closes what has become a tunnel.
	CloseTunnels()
	// Close closes every connection at once.
	Close()
	// Tunnels returns how many tunnels are open.
	Tunnels() int64
}

// Origin is where a connection came in.
type Origin struct {
	Listener string        // name in the document
	TLS      *exchange.TLS // nil in clear
}

// AddrPort returns the address of a TCP or UDP peer, the zero value for others.
func AddrPort(a net.Addr) netip.AddrPort {
	from, ok := a.(interface{ AddrPort() netip.AddrPort })
	if !ok {
		return netip.AddrPort{}
	}
	ap := from.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

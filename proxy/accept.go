package proxy

import (
	stdtls "crypto/tls"
	"errors"
	"net"
	"net/netip"

	"github.com/valyala/fasthttp"

	"weir/proxy/front"
	"weir/proxy/h1"
	"weir/proxy/wire"
)

// serve accepts connections on every socket.
func (ln *listener) serve(g *Gateway) {
	for shard := range g.shards {
		socket := ln.sockets[shard%len(ln.sockets)]
		server := ln.server(g, shard)
		server.Logger = silent{}
		ln.accepting.Add(1)
		go func() {
			defer ln.accepting.Done()
			if err := server.Serve(tagged{socket}); err != nil && !errors.Is(err, net.ErrClosed) {
				g.log.Error().Err(err).Str("listener", ln.known.Load().name).Msg("cannot accept connections any more")
			}
		}()
	}
}

// frontProtocol is what a connection is handed over by: fasthttp accepts it
// and lends it a worker, the front end drives it (docs/adr/0001).
const frontProtocol = "weir/front"

func (ln *listener) server(g *Gateway, shard int) *fasthttp.Server {
	server := &fasthttp.Server{
		Concurrency: 1 << 30,
		Handler:     func(*fasthttp.RequestCtx) { panic("BUG: fasthttp serves a connection by itself") },
	}
	server.NextProto(frontProtocol, func(c net.Conn) error {
		// A goroutine of its own: fasthttp's frames above it would double the
		// stack of every idle connection.
		a := &arrival{g: g, ln: ln, shard: shard, nc: c.(*taggedConn).hand()}
		go a.drive()
		return nil
	})
	return server
}

// arrival is a connection on its way to the server of its protocol.
type arrival struct {
	g       *Gateway
	ln      *listener
	known   *knownAs
	shard   int
	nc      net.Conn
	address netip.Addr
}

// drive admits a connection, finds out its protocol and has it served.
func (a *arrival) drive() {
	a.address, a.known = clientOf(a.nc), a.ln.known.Load()
	if !a.ln.admission.enter(a.address) {
		a.known.stats.Refuse(a.shard)
		if a.known.secure == nil {
			h1.TurnAway(a.nc)
		}
		_ = a.nc.Close()
		return
	}
	a.known.stats.Accept(a.shard)
	c, from := wire.NewConn(a.nc), front.Origin{Listener: a.known.name}
	servers := &a.g.shards[a.shard]
	switch {
	case a.known.secure != nil:
		if from.TLS = a.shake(c); from.TLS == nil {
			a.leave(c)
			return
		}
		server := front.Server(servers.h1)
		if from.TLS.Protocol == protocolH2 {
			server = servers.h2
		}
		// A goroutine of its own once more: the handshake has grown this one's stack.
		go a.serve(server, c, from, nil)
	case a.known.h2c:
		a.sniff(c, from)
	default:
		a.serve(servers.h1, c, from, nil)
	}
}

func (a *arrival) serve(server front.Server, c *wire.Conn, from front.Origin, early []byte) {
	server.Serve(c, from, early)
	a.leave(c)
}

func (a *arrival) leave(c *wire.Conn) {
	c.End()
	a.known.stats.Close(a.shard)
	a.ln.admission.leave(a.address)
}

// sniff tells HTTP/2 with prior knowledge from HTTP/1.1 by its first bytes
// (RFC 9113 §3.3). Where HTTP/1.1 is not spoken, HTTP/2 refuses what it is not.
func (a *arrival) sniff(c *wire.Conn, from front.Origin) {
	var first [len(preface)]byte
	n := 0
	c.ReadLimits(wire.After(wire.Now(), a.g.options.Listen.HeadTimeout), 0)
	for n < len(first) && string(first[:n]) == preface[:n] {
		m, err := c.Read(first[n:])
		n += m
		if err != nil {
			break
		}
	}
	server := front.Server(a.g.shards[a.shard].h1)
	if string(first[:n]) == preface || !a.known.h1 {
		server = a.g.shards[a.shard].h2
	}
	if n == 0 {
		a.leave(c)
		return
	}
	a.serve(server, c, from, first[:n])
}

// preface is what an HTTP/2 client sends first (RFC 9113 §3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

func clientOf(nc net.Conn) netip.Addr {
	if tcp, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// close stops accepting. Connections that are open stay open, those of HTTP/3
// until their requests have ended: they share the socket.
func (ln *listener) close() {
	if ln.quic != nil {
		ln.quic.server.Drain()
	}
	for _, socket := range ln.sockets {
		_ = socket.Close()
	}
	ln.accepting.Wait()
}

// tagged makes fasthttp hand connections over by frontProtocol.
type tagged struct{ net.Listener }

func (t tagged) Accept() (net.Conn, error) {
	c, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &taggedConn{Conn: c}, nil
}

type taggedConn struct {
	net.Conn
	handed bool
}

// hand returns the connection, which fasthttp no longer closes.
func (c *taggedConn) hand() net.Conn {
	c.handed = true
	return c.Conn
}

// Close closes the connection unless it was handed over.
func (c *taggedConn) Close() error {
	if c.handed {
		return nil
	}
	return c.Conn.Close()
}

// Handshake and ConnectionState are what fasthttp asks for the protocol.
func (c *taggedConn) Handshake() error { return nil }

func (c *taggedConn) ConnectionState() stdtls.ConnectionState {
	return stdtls.ConnectionState{NegotiatedProtocol: frontProtocol}
}

// silent drops fasthttp's own log: what it could say, the gateway says.
type silent struct{}

func (silent) Printf(string, ...any) {}

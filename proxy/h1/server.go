package h1

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// Handler serves one exchange: it sets the answer and has x.Front send it.
// Many goroutines call it at once, one for each connection.
type Handler interface{ Serve(x *exchange.Exchange) }

// Server serves the HTTP/1.1 connections of one shard. Serve may be called by
// many goroutines at once.
type Server struct {
	cfg     Config
	limits  wire.Limits
	handler Handler
	shard   int
	readers *wire.Readers
	works   sync.Pool
	date    dateLine

	draining atomic.Bool
	mu       sync.Mutex
	conns    map[*conn]struct{}
	open     atomic.Int64 // len(conns)
	ended    sync.WaitGroup

	tunnels atomic.Int64
}

// NewServer returns a server whose exchanges carry shard and go to handler.
func NewServer(cfg Config, shard int, handler Handler) *Server {
	cfg.MaxHead = max(cfg.MaxHead, 1<<10)
	s := &Server{
		cfg:     cfg,
		limits:  wire.Limits{Head: cfg.MaxHead, Target: cfg.MaxTarget, Fields: cfg.MaxFields},
		handler: handler,
		shard:   shard,
		readers: wire.NewReaders(cfg.MaxHead),
		conns:   make(map[*conn]struct{}),
	}
	s.works.New = func() any { return &work{} }
	return s
}

// Serve serves the requests of one connection until it ends. The caller
// closes nc afterwards.
func (s *Server) Serve(nc net.Conn, listener string) {
	c := &conn{server: s, sock: wire.NewSock(nc), listener: listener, peer: addrPort(nc.RemoteAddr())}
	if !s.enter(c) {
		return
	}
	defer s.leave(c)
	c.serve()
}

func (s *Server) enter(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	s.conns[c] = struct{}{}
	s.open.Add(1)
	s.ended.Add(1)
	return true
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.open.Add(-1)
	s.mu.Unlock()
	s.ended.Done()
}

// Connections returns how many connections are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Tunnels returns how many connections are tunnels now.
func (s *Server) Tunnels() int64 { return s.tunnels.Load() }

// Drain ends the connections that wait for a request, makes the others end
// with their answer, and returns a channel that is closed when all have ended.
func (s *Server) Drain() <-chan struct{} {
	s.draining.Store(true)
	s.mu.Lock()
	for c := range s.conns {
		if c.idle.CompareAndSwap(true, false) {
			c.sock.Interrupt()
		}
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.ended.Wait()
		close(done)
	}()
	return done
}

// resume lets a connection go on that Drain took for an idle one while its
// request arrived. The lock is Drain's: its interruption is over then.
func (s *Server) resume(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.sock.Resume()
}

// CloseTunnels closes the connections that are tunnels.
func (s *Server) CloseTunnels() { s.closeWhere(func(c *conn) bool { return c.tunnel.Load() }) }

// Close closes every connection at once.
func (s *Server) Close() { s.closeWhere(func(*conn) bool { return true }) }

func (s *Server) closeWhere(f func(*conn) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if f(c) {
			_ = c.sock.Close()
		}
	}
}

// addrPort returns the address of a TCP peer, the zero value for others.
func addrPort(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// dateLine keeps the Date field line of the present second.
type dateLine struct{ line atomic.Pointer[datedLine] }

type datedLine struct {
	second int64
	bytes  []byte
}

func (d *dateLine) append(dst []byte, now time.Time) []byte {
	second := now.Unix()
	line := d.line.Load()
	if line == nil || line.second != second {
		b := now.UTC().AppendFormat([]byte("Date: "), "Mon, 02 Jan 2006 15:04:05 GMT")
		line = &datedLine{second, append(b, '\r', '\n')}
		d.line.Store(line)
	}
	return append(dst, line.bytes...)
}

// turnedAway is said to a connection that there is no room for.
const turnedAway = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nCache-Control: no-store\r\nRetry-After: 1\r\n" +
	"Proxy-Status: weir; error=connection_limit_reached\r\nContent-Length: 115\r\nConnection: close\r\n\r\n" +
	`{"type":"urn:weir:problem:overloaded","title":"The gateway is at its connection limit.","status":503,"instance":""}`

// TurnAway answers a connection that is over a limit without reading from it.
func (s *Server) TurnAway(nc net.Conn) {
	_ = nc.SetDeadline(time.Now().Add(time.Second))
	_, _ = nc.Write([]byte(turnedAway))
	if c, ok := nc.(interface{ CloseWrite() error }); ok && c.CloseWrite() == nil {
		_, _ = nc.Read(make([]byte, 4096)) // or the reset of closing unread bytes could overtake the answer
	}
}

package h1

import (
	"net"
	"sync"
	"time"

	"weir/proxy/front"
	"weir/proxy/wire"
)

// Server serves the HTTP/1.1 connections of one shard. Serve may be called by
// many goroutines at once.
type Server struct {
	front.Crowd
	cfg     front.Config
	limits  wire.Limits
	handler front.Handler
	shard   int
	readers *wire.Readers
	works   sync.Pool
	date    front.Date
}

var _ front.Server = (*Server)(nil)

// NewServer returns a server whose exchanges carry shard and go to handler.
func NewServer(cfg front.Config, shard int, handler front.Handler) *Server {
	cfg.MaxHead = max(cfg.MaxHead, 1<<10)
	s := &Server{
		cfg:     cfg,
		limits:  wire.Limits{Head: cfg.MaxHead, Target: cfg.MaxTarget, Fields: cfg.MaxFields},
		handler: handler,
		shard:   shard,
		readers: wire.NewReaders(cfg.MaxHead),
	}
	s.works.New = func() any { return &work{} }
	return s
}

// Serve serves the requests of one connection until it ends; early is what was
// read of it already, at most 2 KiB. The caller ends nc afterwards.
func (s *Server) Serve(nc *wire.Conn, from front.Origin, early []byte) {
	c := &conn{server: s, sock: nc, from: from, peer: front.AddrPort(nc.RemoteAddr())}
	if !s.Enter(c) {
		return
	}
	defer s.Leave(c)
	c.serve(early)
}

// turnedAway is said to a connection that there is no room for.
const turnedAway = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nCache-Control: no-store\r\nRetry-After: 1\r\n" +
	"Proxy-Status: weir; error=connection_limit_reached\r\nContent-Length: 115\r\nConnection: close\r\n\r\n" +
	`{"type":"urn:weir:problem:overloaded","title":"The gateway is at its connection limit.","status":503,"instance":""}`

// plainOnTLS is said to a client that speaks HTTP in clear to a port for TLS.
const plainOnTLS = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\nCache-Control: no-store\r\n" +
	"Content-Length: 138\r\nConnection: close\r\n\r\n" +
	`{"type":"urn:weir:problem:plain_on_tls","title":"This port speaks TLS; the request came in clear. Use https.","status":400,"instance":""}` + "\n"

// TurnAway answers a connection that is over a limit without reading from it.
func TurnAway(nc net.Conn) { sayAndClose(nc, turnedAway) }

// TurnToTLS answers a client whose first bytes are not those of TLS.
func TurnToTLS(nc net.Conn) { sayAndClose(nc, plainOnTLS) }

func sayAndClose(nc net.Conn, text string) {
	_ = nc.SetDeadline(time.Now().Add(time.Second))
	_, _ = nc.Write([]byte(text))
	if c, ok := nc.(interface{ CloseWrite() error }); ok && c.CloseWrite() == nil {
		_, _ = nc.Read(make([]byte, 4096)) // or the reset of closing unread bytes could overtake the answer
	}
}

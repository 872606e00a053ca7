package h2

import (
	"sync"

	"weir/proxy/exchange"
	"weir/proxy/frame"
	"weir/proxy/front"
	"weir/proxy/hpack"
	"weir/proxy/wire"
)

// Server serves the HTTP/2 connections of one shard. All of it may be called by
// many goroutines at once.
type Server struct {
	front.Crowd
	Stats   Stats
	cfg     front.Config
	own     Config
	limits  wire.Limits
	handler front.Handler
	shard   int
	date    front.Date
	readers *wire.Readers

	works, streams, outs sync.Pool
	relays, smallRelays  sync.Pool
	hello                []byte // SETTINGS and what else every connection begins with
}

var _ front.Server = (*Server)(nil)

// NewServer returns a server whose exchanges carry shard and go to handler.
func NewServer(cfg front.Config, own Config, shard int, handler front.Handler) *Server {
	cfg.MaxHead = max(cfg.MaxHead, 1<<10)
	own = own.bounded()
	s := &Server{
		cfg:     cfg,
		own:     own,
		limits:  wire.Limits{Target: cfg.MaxTarget, Fields: cfg.MaxFields},
		handler: handler,
		shard:   shard,
		readers: wire.NewReaders(cfg.MaxHead + 1<<10),
	}
	s.works.New = func() any { return &work{buf: make([]byte, 2*(own.MaxFrame+frame.HeaderLen))} }
	s.streams.New = func() any { return newStream() }
	s.outs.New = func() any { return &out{b: make([]byte, 0, outStart)} }
	s.relays.New = func() any { b := make([]byte, relaySize); return &b }
	s.smallRelays.New = func() any { b := make([]byte, relaySmall); return &b }
	s.hello = frame.AppendSettings(nil,
		frame.Setting{ID: frame.TableSize, Value: uint32(own.TableSize)},
		frame.Setting{ID: frame.MaxStreams, Value: uint32(own.MaxStreams)},
		frame.Setting{ID: frame.InitialWindow, Value: uint32(own.Window)},
		frame.Setting{ID: frame.MaxFrame, Value: uint32(own.MaxFrame)},
		frame.Setting{ID: frame.MaxFieldSection, Value: uint32(cfg.MaxHead)},
		frame.Setting{ID: frame.ConnectProtocol, Value: 1},
		frame.Setting{ID: frame.NoOldPriorities, Value: 1},
	)
	if grow := own.ConnectionWindow - frame.DefaultWindow; grow > 0 {
		s.hello = frame.AppendWindowUpdate(s.hello, 0, uint32(grow))
	}
	return s
}

// Serve serves the requests of one connection until it ends and no exchange of
// it is left; early is what was read of it already. The caller ends nc afterwards.
func (s *Server) Serve(nc *wire.Conn, from front.Origin, early []byte) {
	now := wire.Now()
	c := &conn{
		server: s, sock: nc, from: from, peer: front.AddrPort(nc.RemoteAddr()),
		dec: hpack.NewDecoder(max(s.own.TableSize, hpack.DefaultTableSize)), enc: hpack.NewEncoder(min(s.own.TableSize, hpack.DefaultTableSize)),
		their: frame.DefaultPeer(), window: frame.DefaultWindow, in: frame.NewInbound(int32(s.own.ConnectionWindow)),
		frames: newBudget(s.own.FrameBurst, s.own.FrameRate, now),
		resets: newBudget(s.own.ResetBurst, s.own.ResetRate, now),
		begun:  now,
	}
	c.dec.Judge = judge
	if !s.Enter(c) {
		return
	}
	defer s.Leave(c)
	c.serve(early)
}

// stream returns a stream of the pool for the request with number id.
func (s *Server) stream(c *conn, id uint32) *stream {
	st := s.streams.Get().(*stream)
	st.c, st.id = c, id
	return st
}

// release gives a stream back that nobody can find any more.
func (s *Server) release(st *stream) {
	st.forget()
	s.streams.Put(st)
}

var _ exchange.Front = (*stream)(nil)

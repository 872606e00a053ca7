package upstream

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"weir/proxy/frame"
	"weir/proxy/hpack"
	"weir/proxy/wire"
)

const (
	sessionBuffer = 32 << 10 // holds any frame that weir allows
	keptBuffer    = 64 << 10 // larger buffers are not kept for later
	outMost       = 256 << 10
	repliesMost   = 1 << 20 // of what a target makes weir say without reading it
	chatterMost   = 1000    // frames in a row and in a second that carry nothing on
	connWindow    = frame.MaxWindow
	blockFrames   = 128 // frames that a field block may come in
)

// session is one HTTP/2 connection to a target (RFC 9113). Its goroutine reads;
// whoever has something to send writes, and takes along what others have
// queued. All but what belongs to the reader is guarded by mu.
type session struct {
	target *Target
	wire   *wire.Conn
	shard  int

	// Of the reader.
	buf     []byte
	filled  int
	dec     hpack.Decoder
	waste   hpack.Fields // fields of streams that nobody waits for any more
	block   []byte       // of a field block that comes in pieces
	blockOf frame.Header // its HEADERS frame; Stream 0 when there is none
	pieces  int
	woken   []*stream

	lastRead atomic.Int64

	mu       sync.Mutex
	streams  map[uint32]*stream
	next     uint32 // identifier of the next stream
	open     int    // streams, and rights to open one
	limit    int    // of open
	used     bool   // has carried a request
	peer     frame.Peer
	greeted  bool          // the target's first SETTINGS have come
	settled  chan struct{} // closed then, or when the connection has ended
	enc      hpack.Encoder
	window   frame.Window // for what is sent on all streams together
	inbound  frame.Inbound
	out      []byte
	spare    []byte
	spill    []byte          // of who writes
	flushing bool            // somebody writes, and will write what is queued meanwhile
	chatter  int             // frames in a row that carry nothing on
	chatAt   int64           // when the first of them came
	late     int             // frames that may still come on streams that were given up
	lateData int             // and their content in bytes
	owed     int             // bytes of out that the target has made weir say
	pings    int             // that wait for their answer
	pingedAt int64           // when the last of them was sent
	heard    bool            // more than their answers has come since then
	pong     []chan struct{} // closed when the next answer to a PING comes
	goaway   bool            // takes no new streams
	idleAt   int64           // since when nothing is open
	err      error           // why the connection has ended
}

// newSession makes plain, which has just been opened, an HTTP/2 connection.
// The caller starts its reader.
func newSession(plain *conn, shard int) *session {
	t := plain.target
	config := &t.registry.config
	c := &session{
		target: t, wire: plain.wire, shard: shard,
		buf: make([]byte, sessionBuffer), dec: hpack.NewDecoder(hpack.DefaultTableSize),
		streams: make(map[uint32]*stream), next: 1, limit: config.MaxStreams,
		peer: frame.DefaultPeer(), settled: make(chan struct{}),
		enc: hpack.NewEncoder(hpack.DefaultTableSize), window: frame.DefaultWindow,
		inbound: frame.NewInbound(frame.DefaultWindow), heard: true,
	}
	c.dec.Judge = judge
	c.peer.Push = false
	now := wire.Now()
	c.lastRead.Store(now)
	c.idleAt = t.registry.clock.Load()
	c.wire.ReadLimits(0, config.Ping)
	c.wire.WriteLimits(0, config.IdleTimeout)

	c.out = append(c.out, frame.Preface...)
	c.out = frame.AppendSettings(c.out,
		frame.Setting{ID: frame.EnablePush, Value: 0},
		frame.Setting{ID: frame.InitialWindow, Value: uint32(config.Window)},
		frame.Setting{ID: frame.MaxFieldSection, Value: uint32(config.HeadLimit)})
	c.out = frame.AppendWindowUpdate(c.out, 0, c.inbound.Resize(connWindow))
	return c
}

// reserve takes the right to open a stream. It tells whether there was one,
// and whether the connection should be proved alive before it is used.
func (c *session) reserve() (ok, doubtful bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil || c.goaway || c.open >= c.limit {
		return false, false
	}
	c.open++
	ping := int64(c.target.registry.config.Ping)
	return true, ping > 0 && wire.Now()-c.lastRead.Load() >= ping
}

// leave gives back a right to open a stream; mu is held.
func (c *session) leave() {
	c.open--
	if c.open > 0 {
		return
	}
	c.idleAt = c.target.registry.clock.Load()
	if c.goaway || c.target.pool.closed.Load() || c.target.limits.MaxIdle <= 0 {
		c.end(errSessionUp)
	}
}

// quit gives back a right to open a stream that was not used.
func (c *session) quit() {
	c.mu.Lock()
	c.leave()
	c.flush()
	c.target.sessions.wakeOne()
}

// takesConnect tells whether the target takes extended CONNECTs.
func (c *session) takesConnect() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peer.ConnectProtocol
}

// retire lets no new stream begin, and closes the connection when none is open.
func (c *session) retire() {
	c.mu.Lock()
	c.goaway = true
	if c.open == 0 {
		c.end(errSessionUp)
	}
	c.flush()
}

// isIdleSince tells whether nothing was open since before oldest.
func (c *session) isIdleSince(oldest int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open == 0 && c.idleAt < oldest
}

// end ends the connection and all of its streams; mu is held. The target is
// told why if it can still hear it.
func (c *session) end(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	for id, s := range c.streams {
		delete(c.streams, id)
		s.fail(err)
		s.signal()
	}
	for _, waiting := range c.pong {
		close(waiting)
	}
	c.pong = nil
	if !c.greeted {
		close(c.settled)
	}
	code := frame.NoError
	var broken *breach
	if errors.As(err, &broken) {
		code = broken.code
	}
	if err == errSessionUp || broken != nil {
		c.out = frame.AppendGoAway(c.out, 0, code, "")
		if !c.flushing {
			c.flushing = true
			go c.farewell()
			return
		}
		// Who writes says it, unless the target keeps it from that.
		time.AfterFunc(farewellTime, func() { _ = c.wire.Close() })
		return
	}
	_ = c.wire.Close()
}

package h3

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// conn is one client connection. Requests run on goroutines of their own.
type conn struct {
	server   *Server
	qc       *quic.Conn
	shard    int
	listener string
	tls      *exchange.TLS

	mu       sync.Mutex
	requests map[quic.StreamID]*request
	next     quic.StreamID // the first that was not accepted
	last     quic.StreamID // that, once no more are accepted; else -1
	idle     int64         // since when there is no request, on wire's clock; 0 while there is one
	resets   int           // requests given up, beyond those that ended
	emptied  chan struct{} // closed when draining and no request is left

	control  *quic.SendStream
	seen     [4]atomic.Bool // unidirectional streams that may come once
	retiring atomic.Bool
}

// maxUniStreams is how many unidirectional streams a client may have open:
// three are needed, the others are for types that nobody knows.
const maxUniStreams = 8

func newConn(s *Server, qc *quic.Conn) *conn {
	c := &conn{server: s, qc: qc, last: -1, requests: make(map[quic.StreamID]*request), emptied: make(chan struct{})}
	c.shard = int(s.turn.Add(1) % uint64(s.shards))
	c.idle = wire.Now()
	if s.asked.Name != nil {
		c.listener = s.asked.Name()
	}
	if s.asked.Info != nil {
		c.tls = s.asked.Info(qc.Context(), qc.ConnectionState().TLS)
	}
	return c
}

// serve accepts streams until the connection ends, and returns when nothing of
// it is left.
func (c *conn) serve() {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { c.acceptUni(&running) })
	for {
		stream, err := c.qc.AcceptStream(context.Background())
		if err != nil {
			return
		}
		r, ok := c.begin(stream)
		if !ok {
			stream.ReleaseStreamCredit()
			stream.CancelRead(codeRequestRejected)
			stream.CancelWrite(codeRequestRejected)
			continue
		}
		running.Add(1)
		r.running = &running
		go r.run()
	}
}

// begin begins a request, unless the client was told that none are taken.
func (c *conn) begin(stream *quic.Stream) (*request, bool) {
	id := stream.StreamID()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last >= 0 && id >= c.last {
		return nil, false
	}
	r := c.server.requests.Get().(*request)
	r.begin(c, stream)
	c.next, c.idle = id+4, 0
	c.requests[id] = r
	c.server.Stats.Streams.Add(1)
	return r, true
}

// begun returns how many requests have begun.
func (c *conn) begun() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int(c.next / 4)
}

// end ends a request. A client that gives up most of what it asks for costs
// more than it is worth (CVE-2023-44487).
func (c *conn) end(r *request, reset bool) {
	c.mu.Lock()
	delete(c.requests, r.stream.StreamID())
	if len(c.requests) == 0 {
		c.idle = wire.Now()
		if c.last >= 0 {
			c.close(c.emptied)
		}
	}
	if !reset {
		c.resets = max(c.resets-1, 0)
		c.mu.Unlock()
		return
	}
	c.resets++
	most := c.server.cfg.MaxResets
	abusive := most > 0 && c.resets > most
	c.mu.Unlock()
	c.server.Stats.Resets.Add(1)
	if abusive {
		c.overload("too many requests were given up")
	}
}

// close closes ch once, under mu.
func (c *conn) close(ch chan struct{}) {
	select {
	case <-ch:
	default:
		close(ch)
	}
}

// fail ends the connection for a breach of the protocol (RFC 9114 §8).
func (c *conn) fail(code quic.ApplicationErrorCode, reason string) {
	_ = c.qc.CloseWithError(code, reason)
}

// overload ends the connection of a client that makes work for nothing.
func (c *conn) overload(reason string) {
	c.server.Stats.Abuses.Add(1)
	c.fail(codeExcessiveLoad, reason)
}

// look holds the connection and its requests to their limits of time.
func (c *conn) look(now int64) {
	idle := int64(c.server.cfg.Front.IdleTimeout)
	c.mu.Lock()
	late := idle > 0 && c.idle != 0 && now-c.idle > idle
	for _, r := range c.requests {
		r.look(now)
	}
	c.mu.Unlock()
	if late {
		go c.fail(codeNoError, "idle") // closing waits, which the crowd's lock forbids
	}
}

// Retire tells the client that no more requests are served, lets those that
// it has sent end, and then closes the connection.
func (c *conn) Retire() {
	if c.retiring.CompareAndSwap(false, true) {
		go c.retire()
	}
}

const (
	// anyID stands for all requests: the first GOAWAY only says that one with
	// the real limit comes, so that requests on their way are served (RFC 9114 §5.2).
	anyID = 1<<62 - 4
	// partingLeast and partingMost bound how long the client has to take what
	// was sent last; a client that hangs up earlier ends the wait.
	partingLeast = 100 * time.Millisecond
	partingMost  = 2 * time.Second
)

func (c *conn) retire() {
	c.sendControl(appendFrame(nil, frameGoAway, 8), anyID)
	if !c.wait(c.parting()) {
		return
	}
	c.mu.Lock()
	c.last = c.next
	if len(c.requests) == 0 {
		c.close(c.emptied)
	}
	c.mu.Unlock()
	c.sendControl(appendFrame(nil, frameGoAway, uint64(len(appendVarint(nil, uint64(c.last))))), uint64(c.last))
	select {
	case <-c.emptied:
	case <-c.qc.Context().Done():
		return
	}
	if c.wait(c.parting()) {
		c.fail(codeNoError, "")
	}
}

// parting returns some round trips of time.
func (c *conn) parting() time.Duration {
	return min(max(4*c.qc.ConnectionStats().SmoothedRTT, partingLeast), partingMost)
}

// wait waits for d, unless the connection ends before.
func (c *conn) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.qc.Context().Done():
		return false
	}
}

// CloseTunnels closes what has become a tunnel.
func (c *conn) CloseTunnels() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		if r.tunnel.Load() {
			r.stream.CancelRead(codeNoError)
			r.stream.CancelWrite(codeNoError)
		}
	}
}

// Close closes the connection at once.
func (c *conn) Close() error {
	go c.fail(codeNoError, "") // closing waits, which the crowd's lock forbids
	return nil
}

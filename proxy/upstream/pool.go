package upstream

import (
	"sync"
	"sync/atomic"
	"time"

	"weir/proxy/exchange"
)

// pool keeps the connections of one target in one stack a shard. The newest
// is used first: it is the likeliest to be alive, and the rest can age out.
type pool struct {
	target  *Target
	shards  []stack
	live    atomic.Int64 // connections that exist or are being dialed
	dialed  atomic.Uint64
	failed  atomic.Uint64
	waiting atomic.Int64
	closed  atomic.Bool

	mu      sync.Mutex
	waiters []*waiter // first come, first served
}

// stack is one shard's unused connections, oldest first.
type stack struct {
	mu     sync.Mutex
	conns  []*conn
	count  atomic.Int32 // len(conns), readable without the lock
	reused atomic.Uint64
	_      [64]byte // the next shard's lock stays out of this cache line
}

// waiter is a request that waits for a connection. What it is handed is a
// connection, or nil: the right to dial one.
type waiter struct{ handed chan *conn }

func (p *pool) open(t *Target, shards int) {
	p.target = t
	p.shards = make([]stack, shards)
}

// take returns a connection: an unused one unless fresh is asked for, or a new one.
func (p *pool) take(shard int, wait time.Duration, fresh bool) (*conn, *exchange.Refusal, error) {
	if !fresh {
		if c := p.unused(shard); c != nil {
			return c, nil, nil
		}
	}
	until := time.Time{}
	if wait > 0 {
		until = time.Now().Add(wait)
	}
	if !p.reserve() {
		p.target.sessions.evict()
		if fresh {
			p.evict(shard)
		}
		if !fresh || !p.reserve() {
			c, r := p.await(shard, wait, fresh)
			if r != nil || c != nil {
				return c, r, nil
			}
		}
	}
	c, r, err := p.target.dial(until, p.target.tls)
	if r != nil {
		p.failed.Add(1)
		p.leave()
		return nil, r, err
	}
	p.dialed.Add(1)
	return c, nil, nil
}

// unused takes from the shard's own stack, and from the others before anybody dials.
func (p *pool) unused(shard int) *conn {
	for i := range p.shards {
		s := &p.shards[(shard+i)%len(p.shards)]
		for s.count.Load() > 0 {
			c := s.pop()
			if c == nil {
				break
			}
			if c.alive() {
				s.reused.Add(1)
				return c
			}
			c.close()
			p.leave()
		}
	}
	return nil
}

func (s *stack) pop() *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.conns) - 1
	if n < 0 {
		return nil
	}
	c := s.conns[n]
	s.conns[n] = nil
	s.conns = s.conns[:n]
	s.count.Store(int32(n))
	return c
}

// put takes back a connection that may carry another request.
func (p *pool) put(c *conn, shard int) {
	if p.waiting.Load() > 0 && p.hand(c) {
		return
	}
	if p.closed.Load() || p.idle() >= p.target.limits.MaxIdle || !p.push(c, shard) {
		p.drop(c)
		return
	}
	// Who began to wait meanwhile has either seen the connection or is seen here.
	if p.waiting.Load() > 0 {
		if c := p.unused(shard); c != nil && !p.hand(c) {
			p.put(c, shard)
		}
	}
}

func (p *pool) push(c *conn, shard int) bool {
	c.idleSince = p.target.registry.clock.Load()
	s := &p.shards[shard%len(p.shards)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.closed.Load() {
		return false
	}
	s.conns = append(s.conns, c)
	s.count.Store(int32(len(s.conns)))
	return true
}

// drop closes a connection that was in use.
func (p *pool) drop(c *conn) {
	c.close()
	p.leave()
}

func (p *pool) idle() int {
	n := 0
	for i := range p.shards {
		n += int(p.shards[i].count.Load())
	}
	return n
}

// reserve makes room for one more connection.
func (p *pool) reserve() bool {
	limit := int64(p.target.limits.MaxConnections)
	if p.live.Add(1) <= limit || limit <= 0 {
		return true
	}
	p.live.Add(-1)
	return false
}

// leave frees the room of one connection, for the first who waits.
func (p *pool) leave() {
	defer p.target.sessions.wakeOne()
	if p.waiting.Load() > 0 && p.hand(nil) {
		return
	}
	p.live.Add(-1)
	if p.waiting.Load() > 0 && p.reserve() && !p.hand(nil) {
		p.live.Add(-1)
	}
}

// evict closes one unused connection, so that a fresh one has room.
func (p *pool) evict(shard int) {
	for i := range p.shards {
		if c := p.shards[(shard+i)%len(p.shards)].pop(); c != nil {
			p.drop(c)
			return
		}
	}
}

// hand gives c, or the right to dial, to who waits longest.
func (p *pool) hand(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiters) == 0 {
		return false
	}
	w := p.waiters[0]
	p.waiters = p.waiters[1:]
	p.waiting.Store(int64(len(p.waiters)))
	w.handed <- c
	return true
}

// await waits for a connection or, returning nil, for the right to dial one.
func (p *pool) await(shard int, wait time.Duration, fresh bool) (*conn, *exchange.Refusal) {
	w := &waiter{handed: make(chan *conn, 1)}
	p.mu.Lock()
	p.waiters = append(p.waiters, w)
	p.waiting.Store(int64(len(p.waiters)))
	p.mu.Unlock()

	// What came free before the waiter was seen.
	if p.reserve() {
		if p.withdraw(w) {
			return nil, nil
		}
		p.live.Add(-1)
	} else if c := p.unused(shard); c != nil {
		if p.withdraw(w) {
			return p.useful(c, fresh), nil
		}
		p.put(c, shard)
	}
	var late <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case c := <-w.handed:
		return p.useful(c, fresh), nil
	case <-late:
	}
	if p.withdraw(w) {
		return nil, exchange.PoolExhausted
	}
	return p.useful(<-w.handed, fresh), nil
}

// useful turns a used connection into the right to dial where a fresh one is
// needed, or where it died while it was handed over.
func (p *pool) useful(c *conn, fresh bool) *conn {
	if c == nil || (!fresh && c.alive()) {
		return c
	}
	c.close()
	return nil
}

// withdraw takes w out of the queue; false means that it was handed something.
func (p *pool) withdraw(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.waiters {
		if other == w {
			p.waiters = append(p.waiters[:i:i], p.waiters[i+1:]...)
			p.waiting.Store(int64(len(p.waiters)))
			return true
		}
	}
	return false
}

// close closes the unused connections and makes the others close when they end.
func (p *pool) close() {
	p.closed.Store(true)
	for i := range p.shards {
		for c := p.shards[i].pop(); c != nil; c = p.shards[i].pop() {
			p.drop(c)
		}
	}
}

// sweep closes connections unused since before oldest, and those that their
// target closed or spoke on.
func (p *pool) sweep(oldest int64) {
	for i := range p.shards {
		for _, c := range p.shards[i].sift(oldest) {
			p.drop(c)
		}
	}
}

// sift takes out of the stack what must not be kept.
func (s *stack) sift(oldest int64) (gone []*conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.conns[:0]
	for _, c := range s.conns {
		if c.idleSince < oldest || c.sock.Gone() {
			gone = append(gone, c)
			continue
		}
		kept = append(kept, c)
	}
	clear(s.conns[len(kept):])
	s.conns = kept
	s.count.Store(int32(len(kept)))
	return gone
}

// Stats counts the connections of a target.
type Stats struct {
	Idle, Busy, Waiting int
	Streams             int    // requests and tunnels on HTTP/2 connections, which are busy while there are any
	Dialed, Failed      uint64 // connections opened, and not
	Reused              uint64 // requests that found one open
}

// Stats reads the counters. They may disagree by what happens meanwhile.
func (t *Target) Stats() Stats {
	p := &t.pool
	s := Stats{Waiting: int(p.waiting.Load() + t.sessions.waiting.Load()), Dialed: p.dialed.Load(), Failed: p.failed.Load()}
	for i := range p.shards {
		shard := &p.shards[i]
		shard.mu.Lock()
		s.Idle += len(shard.conns)
		shard.mu.Unlock()
		s.Reused += shard.reused.Load()
	}
	t.sessions.count(&s)
	s.Busy = max(int(p.live.Load())-s.Idle, 0)
	return s
}

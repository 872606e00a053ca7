package upstream

import (
	"sync"
	"sync/atomic"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// sessions keeps the HTTP/2 connections of one target, in one list a shard.
// They count as connections of the target's pool.
type sessions struct {
	target *Target
	decks  []deck

	waiting atomic.Int64
	mu      sync.Mutex
	waiters []chan struct{} // first come, first served
}

// deck is one shard's connections, oldest first.
type deck struct {
	mu      sync.Mutex
	list    []*session
	dialing *dialing
	count   atomic.Int32 // len(list), readable without the lock
	reused  atomic.Uint64
	_       [64]byte // the next shard's lock stays out of this cache line
}

// dialing is a connection that is being opened, and who else wants it.
type dialing struct {
	done    chan struct{}
	refusal *exchange.Refusal // valid once done
	err     error
}

// place is what a request is sent by: a session with the right to open one
// stream, or HTTP/1.1, for which there may be a connection already.
type place struct {
	session *session
	plain   *conn
	http1   bool
}

func (p *sessions) open(t *Target, shards int) {
	p.target = t
	p.decks = make([]deck, shards)
}

// take finds room for one stream, or makes it.
func (p *sessions) take(shard int, wait time.Duration) (place, *exchange.Refusal, error) {
	shard %= len(p.decks)
	until := time.Time{}
	if wait > 0 {
		until = time.Now().Add(wait)
	}
	for {
		if c := p.room(shard, until); c != nil {
			return place{session: c}, nil, nil
		}
		if p.target.isHTTP1Now() {
			return place{http1: true}, nil, nil
		}
		d, mine := p.decks[shard].join()
		if mine {
			// Another may have been opened since the look for room.
			if c := p.room(shard, until); c != nil {
				p.decks[shard].part(d, nil, nil)
				return place{session: c}, nil, nil
			}
		}
		switch {
		case !mine:
			if !waitFor(d.done, until) {
				return place{}, exchange.ConnectTimeout, wire.ErrTimeout
			}
			if d.refusal != nil {
				return place{}, d.refusal, d.err
			}
		case !p.target.pool.reserve():
			p.decks[shard].part(d, nil, nil)
			if !p.await(shard, until) {
				return place{}, exchange.PoolExhausted, nil
			}
		default:
			at, r, err := p.dial(shard, until)
			p.decks[shard].part(d, r, err)
			if r != nil {
				if c := p.elsewhere(shard, until); c != nil {
					return place{session: c}, nil, nil
				}
			}
			p.wakeAll()
			return at, r, err
		}
	}
}

// room looks for a connection that takes one more stream: in the shard's own
// list, and, before a second one is opened there, in the others'.
func (p *sessions) room(shard int, until time.Time) *session {
	own := &p.decks[shard]
	if c := own.room(until); c != nil {
		return c
	}
	limit := p.target.limits.MaxConnections
	if own.count.Load() == 0 && (limit <= 0 || int(p.target.pool.live.Load()) < limit) {
		return nil
	}
	return p.elsewhere(shard, until)
}

// elsewhere looks in the lists of the other shards.
func (p *sessions) elsewhere(shard int, until time.Time) *session {
	for i := 1; i < len(p.decks); i++ {
		if c := p.decks[(shard+i)%len(p.decks)].room(until); c != nil {
			return c
		}
	}
	return nil
}

// room takes the newest connection with room, so that the oldest can end.
func (d *deck) room(until time.Time) *session {
	if d.count.Load() == 0 {
		return nil
	}
	for {
		c, doubtful := d.pick()
		if c == nil || !doubtful {
			return c
		}
		if c.answersPing(until) {
			return c
		}
	}
}

func (d *deck) pick() (c *session, doubtful bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.list) - 1; i >= 0; i-- {
		if ok, doubtful := d.list[i].reserve(); ok {
			d.reused.Add(1)
			return d.list[i], doubtful
		}
	}
	return nil, false
}

// join takes part in the opening of a connection; mine tells who has to do it.
func (d *deck) join() (_ *dialing, mine bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dialing != nil {
		return d.dialing, false
	}
	d.dialing = &dialing{done: make(chan struct{})}
	return d.dialing, true
}

// part tells those who took part how it went.
func (d *deck) part(of *dialing, r *exchange.Refusal, err error) {
	d.mu.Lock()
	d.dialing = nil
	d.mu.Unlock()
	of.refusal, of.err = r, err
	close(of.done)
}

// dial opens a connection; its place in the pool is reserved already.
func (p *sessions) dial(shard int, until time.Time) (place, *exchange.Refusal, error) {
	t := p.target
	plain, r, err := t.dial(until, t.tlsH2)
	if r != nil {
		t.pool.failed.Add(1)
		t.pool.leave()
		return place{}, r, err
	}
	t.pool.dialed.Add(1)
	if plain.tls != nil && plain.tls.ConnectionState().NegotiatedProtocol != "h2" {
		if t.protocol == speaksAny {
			t.http1At.Store(wire.Now())
			return place{plain: plain, http1: true}, nil, nil
		}
		t.pool.drop(plain)
		return place{}, exchange.ProtocolMismatch, errNotH2
	}
	c := newSession(plain, shard)
	c.open = 1
	if r, err := c.greet(until); r != nil {
		t.pool.failed.Add(1)
		return place{}, r, err
	}
	p.add(c)
	return place{session: c}, nil, nil
}

// greet starts the session and waits for the target's settings.
func (c *session) greet(until time.Time) (*exchange.Refusal, error) {
	go c.read()
	c.mu.Lock()
	c.flush()
	late := !waitFor(c.settled, until)
	c.mu.Lock()
	if late && !c.greeted {
		c.end(wire.ErrTimeout)
	}
	err := c.err
	if err != nil {
		c.open--
	}
	c.mu.Unlock()
	switch {
	case err == nil:
		return nil, nil
	case late:
		return exchange.ConnectTimeout, err
	case err == errNotH2 || err == breachFirst:
		return exchange.ProtocolMismatch, err
	}
	return refusalOfRead(err, false), err
}

func (p *sessions) add(c *session) {
	d := &p.decks[c.shard]
	d.mu.Lock()
	d.list = append(d.list, c)
	d.count.Store(int32(len(d.list)))
	d.mu.Unlock()
	c.mu.Lock()
	ended := c.err != nil
	c.mu.Unlock()
	if ended {
		p.remove(c)
	}
}

func (p *sessions) remove(c *session) {
	d := &p.decks[c.shard]
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, other := range d.list {
		if other == c {
			d.list = append(d.list[:i:i], d.list[i+1:]...)
			d.count.Store(int32(len(d.list)))
			return
		}
	}
}

// forget takes a connection out that has ended.
func (p *sessions) forget(c *session) {
	p.remove(c)
	p.target.pool.leave()
	p.wakeAll()
}

// all returns the connections of all shards.
func (p *sessions) all() []*session {
	var list []*session
	for i := range p.decks {
		d := &p.decks[i]
		d.mu.Lock()
		list = append(list, d.list...)
		d.mu.Unlock()
	}
	return list
}

// close lets each connection end with its last stream.
func (p *sessions) close() {
	for _, c := range p.all() {
		c.retire()
	}
}

// sweep closes connections on which nothing was open since before oldest.
func (p *sessions) sweep(oldest int64) {
	for _, c := range p.all() {
		if c.isIdleSince(oldest) {
			c.retire()
		}
	}
}

// evict closes one connection on which nothing is open.
func (p *sessions) evict() {
	for _, c := range p.all() {
		if c.isIdleSince(never) {
			c.retire()
			return
		}
	}
}

const never = 1 << 62

// count adds the connections to s.
func (p *sessions) count(s *Stats) {
	for i := range p.decks {
		s.Reused += p.decks[i].reused.Load()
	}
	for _, c := range p.all() {
		c.mu.Lock()
		if c.open == 0 {
			s.Idle++
		}
		s.Streams += c.open
		c.mu.Unlock()
	}
}

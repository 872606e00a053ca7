package upstream

import (
	"time"
)

// waitFor waits for done until the time given; zero is no limit.
func waitFor(done <-chan struct{}, until time.Time) bool {
	if until.IsZero() {
		<-done
		return true
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
	}
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// await waits until a stream or a connection has ended, or there is room already.
func (p *sessions) await(shard int, until time.Time) bool {
	freed := make(chan struct{})
	p.mu.Lock()
	p.waiters = append(p.waiters, freed)
	p.waiting.Store(int64(len(p.waiters)))
	p.mu.Unlock()
	// What came free before the waiter was seen.
	p.target.pool.evict(shard)
	for i := range p.decks {
		if p.decks[(shard+i)%len(p.decks)].hasRoom() {
			p.withdraw(freed)
			return true
		}
	}
	if limit := int64(p.target.limits.MaxConnections); p.target.pool.live.Load() < limit {
		p.withdraw(freed)
		return true
	}
	if waitFor(freed, until) {
		return true
	}
	if !p.withdraw(freed) {
		p.wakeOne() // what this one was told of is another's
	}
	return false
}

func (d *deck) hasRoom() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.list {
		c.mu.Lock()
		has := c.err == nil && !c.goaway && c.open < c.limit
		c.mu.Unlock()
		if has {
			return true
		}
	}
	return false
}

func (p *sessions) withdraw(w chan struct{}) bool {
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

// wakeOne tells who waits longest that there may be room.
func (p *sessions) wakeOne() { p.wake(1) }

// wakeAll tells all who wait, where a connection was opened or has ended.
func (p *sessions) wakeAll() { p.wake(1 << 30) }

func (p *sessions) wake(n int) {
	if p.waiting.Load() == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for ; n > 0 && len(p.waiters) > 0; n-- {
		close(p.waiters[0])
		p.waiters = p.waiters[1:]
	}
	p.waiting.Store(int64(len(p.waiters)))
}

// pongTime bounds the wait for the proof that a connection is alive: longer
// than that, and opening another is quicker.
const pongTime = 2 * time.Second

// answersPing proves that the connection, of which nothing was heard for long,
// is alive. If it is not, the right to open a stream is given back, and the
// connection takes no more; streams that wait on it are quiet's to judge.
func (c *session) answersPing(until time.Time) bool {
	limit := time.Now().Add(pongTime)
	if !until.IsZero() && until.Before(limit) {
		limit = until
	}
	pong := make(chan struct{})
	c.mu.Lock()
	if c.err != nil {
		c.leave()
		c.mu.Unlock()
		return false
	}
	if len(c.pong) == 0 {
		c.ping()
	}
	c.pong = append(c.pong, pong)
	c.flush()
	answered := waitFor(pong, limit)
	c.mu.Lock()
	defer c.mu.Unlock()
	if answered && c.err == nil {
		return true
	}
	c.goaway = true
	if c.open == 1 {
		c.end(errSilent)
	}
	c.leave()
	return false
}

package front

import (
	"sync"
	"sync/atomic"
)

// Conn is what a Crowd asks of a connection. Crowd calls it under its lock, so
// nothing of it may wait.
type Conn interface {
	// Retire ends the connection if it waits for a request; else it ends with
	// the answers that are under way.
	Retire()
	// CloseTunnels closes what has become a tunnel.
	CloseTunnels()
	// Close closes the connection at once.
	Close() error
}

// Crowd is the set of a server's open connections. The zero value is ready;
// it may be used by many goroutines at once.
type Crowd struct {
	draining atomic.Bool
	mu       sync.Mutex
	conns    map[Conn]struct{}
	open     atomic.Int64 // len(conns)
	ended    sync.WaitGroup
	tunnels  atomic.Int64
}

// Enter adds a connection, unless the crowd drains. Leave must follow.
func (c *Crowd) Enter(conn Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining.Load() {
		return false
	}
	if c.conns == nil {
		c.conns = make(map[Conn]struct{})
	}
	c.conns[conn] = struct{}{}
	c.open.Add(1)
	c.ended.Add(1)
	return true
}

// Leave takes a connection out.
func (c *Crowd) Leave(conn Conn) {
	c.mu.Lock()
	delete(c.conns, conn)
	c.open.Add(-1)
	c.mu.Unlock()
	c.ended.Done()
}

// Open returns how many connections are open.
func (c *Crowd) Open() int64 { return c.open.Load() }

// Tunnels returns how many tunnels are open.
func (c *Crowd) Tunnels() int64 { return c.tunnels.Load() }

// AddTunnel counts a tunnel that opens (1) or closes (-1).
func (c *Crowd) AddTunnel(n int64) { c.tunnels.Add(n) }

// IsDraining tells whether Drain was called.
func (c *Crowd) IsDraining() bool { return c.draining.Load() }

// Drain retires every connection and returns a channel that is closed when all
// have left.
func (c *Crowd) Drain() <-chan struct{} {
	c.draining.Store(true)
	c.each(Conn.Retire)
	done := make(chan struct{})
	go func() {
		c.ended.Wait()
		close(done)
	}()
	return done
}

// CloseTunnels closes the tunnels.
func (c *Crowd) CloseTunnels() { c.each(Conn.CloseTunnels) }

// Close closes every connection at once.
func (c *Crowd) Close() { c.each(func(conn Conn) { _ = conn.Close() }) }

// Each calls f for every connection, under the crowd's lock.
func (c *Crowd) Each(f func(Conn)) { c.each(f) }

func (c *Crowd) each(f func(Conn)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		f(conn)
	}
}

// Settled returns when no call of the crowd to one of its connections is under way.
func (c *Crowd) Settled() {
	c.mu.Lock()
	defer c.mu.Unlock()
}

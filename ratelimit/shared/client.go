package shared

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/ratelimit"

	"github.com/redis/rueidis"
)

// Client is what a node has in common with others. It may be used by many
// goroutines at once. It is away until Redis has answered, and finds by itself
// when Redis is gone and when it is back.
type Client struct {
	config  Config
	scripts scripts
	seed    maphash.Seed
	node    string // this node's name among the heartbeats

	redis atomic.Pointer[rueidis.Client] // nil until the first connection
	lanes [lanes]lane
	// spread tells that keys lie on several servers, so that lanes beyond the first are used.
	spread atomic.Bool
	nodes  atomic.Int64

	asks     sync.Pool
	accounts accounts
	local    *ratelimit.Table // the node's own share of limits, while Redis is away
	kicked   chan struct{}    // a round is wanted before its time

	mutex  sync.Mutex
	limits map[string]*Limit
	quotas map[string]*Quota

	marking sync.Mutex
	marked  int // lanes that are known to be away

	context context.Context // until Close
	stop    context.CancelFunc
	io      context.Context // until the last word of Close is said
	cut     context.CancelFunc
	group   sync.WaitGroup
	closing sync.Mutex // between the start of a goroutine and Close
	closed  bool

	counts counts
}

// New returns a client that connects in the background, whether Redis is there
// or not; the error is about the config. Close ends it.
func New(config Config) (*Client, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(config.Prefix, "{}") {
		return nil, fmt.Errorf("cannot share limits: the prefix %q has a brace, which says where keys lie in a Cluster", config.Prefix)
	}
	var name [8]byte
	_, _ = rand.Read(name[:])
	c := &Client{
		config:  config,
		scripts: newScripts(),
		seed:    maphash.MakeSeed(),
		node:    hex.EncodeToString(name[:]),
		local:   ratelimit.NewTable(config.Keys),
		kicked:  make(chan struct{}, 1),
		limits:  make(map[string]*Limit),
		quotas:  make(map[string]*Quota),
	}
	c.context, c.stop = context.WithCancel(context.Background())
	c.io, c.cut = context.WithCancel(context.Background())
	c.nodes.Store(int64(max(1, config.Nodes)))
	c.accounts.init(config.Keys)
	for i := range c.lanes {
		c.lanes[i].init(c)
	}
	c.start(c.connect)
	return c, nil
}

// Close gives leased credit back if Redis is there, and returns when every
// goroutine has ended. What is asked afterwards is decided as if Redis were away.
func (c *Client) Close() {
	c.closing.Lock()
	was := c.closed
	c.closed = true
	c.closing.Unlock()
	if was {
		return
	}
	c.stop()
	if !c.answers() {
		c.cut()
	}
	c.group.Wait()
	for i := range c.lanes {
		c.lanes[i].away.Store(true)
	}
	if redis := c.redis.Load(); redis != nil {
		(*redis).Close()
	}
	c.cut()
}

// start runs f until Close, which waits for it. After Close it does nothing.
func (c *Client) start(f func()) {
	c.closing.Lock()
	defer c.closing.Unlock()
	if c.closed {
		return
	}
	c.group.Go(f)
}

// Now reads the clock that now of Take is of.
func (c *Client) Now() int64 { return c.config.Clock.Now() }

// State tells whether Redis, or a part of a Cluster, is away, since when and
// why. It is away as well if its answers take longer than Config.Timeout; fast
// limits and quotas then go on.
func (c *Client) State() (away bool, since time.Time, err error) {
	for i := range c.used() {
		if away, since, err := c.lanes[i].state(); away {
			return away, since, err
		}
	}
	return false, time.Time{}, nil
}

// Ready waits until Redis answers, all of it, in whatever time. The error says
// why it does not.
func (c *Client) Ready(ctx context.Context) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if c.answers() {
			return nil
		}
		select {
		case <-ctx.Done():
			_, _, err := c.State()
			return fmt.Errorf("cannot reach Redis: %w", err)
		case <-c.context.Done():
			return errClosed
		case <-tick.C:
		}
	}
}

// answers tells whether all of Redis does, in whatever time.
func (c *Client) answers() bool {
	for i := range c.used() {
		if c.lanes[i].away.Load() {
			return false
		}
	}
	return true
}

// Retain forgets the limits and quotas that no name of limits and quotas says;
// what they hold of the shared ones goes back.
func (c *Client) Retain(limits, quotas []string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for name, l := range keepOnly(c.limits, limits) {
		l.dropped.Store(true)
		delete(c.limits, name)
	}
	for name, q := range keepOnly(c.quotas, quotas) {
		q.dropped.Store(true)
		delete(c.quotas, name)
	}
}

// keepOnly returns what of all no name says.
func keepOnly[T any](all map[string]T, names []string) map[string]T {
	drop := make(map[string]T)
	for name, v := range all {
		drop[name] = v
	}
	for _, name := range names {
		delete(drop, name)
	}
	return drop
}

// counts are the counters behind Stats.
type counts struct {
	timeouts, errors, overflowed, lost, rounds atomic.Uint64
}

// Stats are counters since New, and what is held now.
type Stats struct {
	Timeouts   uint64 // exact decisions whose answer came too late
	Errors     uint64 // answers of Redis that were errors, and broken connections
	Overflowed uint64 // fast decisions by the local share, for want of room
	Lost       uint64 // tokens that could not be given back
	Rounds     uint64 // synchronisations of fast limits and quotas
	Keys       int    // keys of fast limits and quotas that are held
	Nodes      int    // nodes that share, as far as this one knows
}

// Stats reads the counters.
func (c *Client) Stats() Stats {
	return Stats{
		Timeouts:   c.counts.timeouts.Load(),
		Errors:     c.counts.errors.Load(),
		Overflowed: c.counts.overflowed.Load(),
		Lost:       c.counts.lost.Load(),
		Rounds:     c.counts.rounds.Load(),
		Keys:       c.accounts.len(),
		Nodes:      int(c.nodes.Load()),
	}
}

var (
	errClosed  = errors.New("the client is closed")
	errStarted = errors.New("no answer of Redis yet")
	errLate    = errors.New("no answer of Redis in time")
	errEmpty   = errors.New("an answer of Redis is empty")
	errFull    = errors.New("too many questions wait for Redis")
)

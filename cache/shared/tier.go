package shared

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"weir/cache"
	"weir/cache/record"

	"github.com/redis/rueidis"
)

// Tier is the second tier of a cache. It may be used by many goroutines at once.
// It is away until Redis has answered, and finds by itself when Redis is gone and
// when it is back.
type Tier struct {
	config Config
	cache  *cache.Cache
	origin string
	began  time.Time

	clients atomic.Pointer[clients] // nil until the first connection
	clock   clock
	history history
	gets    chan struct{} // those that are under way
	queue   queue
	woken   chan struct{} // there is something to send

	away     atomic.Bool
	missed   atomic.Int32 // late answers in a row
	mutex    sync.Mutex
	since    time.Time
	err      error
	told     bool               // the owner knows that it is away
	unblock  context.CancelFunc // ends the wait for the next message
	contact  time.Time          // when the stream was last read; the follower's own
	position record.Position    // to begin at; the follower's own

	context context.Context
	stop    context.CancelFunc
	group   sync.WaitGroup
	closing sync.Mutex // between the start of a goroutine and Close
	closed  bool

	counts counts
}

// clients are the ways to Redis: what is small and must not wait goes by asks,
// whose connection all share, what may be large by bulk, each on its own.
type clients struct{ asks, bulk rueidis.Client }

const (
	// asking is the longest that what nobody waits for takes.
	asking = time.Second
	// probing is the time between two looks whether Redis is back.
	probing = 100 * time.Millisecond
	// misses is after how many late answers in a row Redis counts as away.
	misses = 3
	// mostGets bounds the questions under way, and mostBulk the connections for
	// what is large.
	mostGets, mostBulk = 1024, 8
)

var (
	errStarted = errors.New("no answer of Redis yet")
	errLate    = errors.New("no answer of Redis in time")
	errClosed  = errors.New("the second tier is closed")
	// ErrLater is a purge's that other nodes will hear of later.
	ErrLater = errors.New("the other nodes are told when Redis is back")
)

// New returns a tier that connects in the background, whether Redis is there or
// not; the error is about the config. Close ends it.
func New(config Config) (*Tier, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	var name [8]byte
	_, _ = rand.Read(name[:])
	t := &Tier{
		config: config, cache: config.Cache, origin: hex.EncodeToString(name[:]), began: time.Now(),
		gets: make(chan struct{}, mostGets), woken: make(chan struct{}, 1),
		since: time.Now(), err: errStarted, position: config.Position,
	}
	t.away.Store(true)
	t.context, t.stop = context.WithCancel(context.Background())
	t.queue.init()
	t.start(t.follow)
	t.start(t.send)
	for range workers {
		t.start(func() { t.write(t.queue.small) })
		t.start(func() { t.write(t.queue.large) })
	}
	return t, nil
}

// Close returns when every goroutine has ended. What waits to be written is lost.
func (t *Tier) Close() {
	t.closing.Lock()
	was := t.closed
	t.closed = true
	t.closing.Unlock()
	if was {
		return
	}
	t.stop()
	t.group.Wait()
	t.away.Store(true)
	if c := t.clients.Load(); c != nil {
		c.asks.Close()
		c.bulk.Close()
	}
}

// start runs f until Close, which waits for it. After Close it does nothing.
func (t *Tier) start(f func()) bool {
	t.closing.Lock()
	defer t.closing.Unlock()
	if t.closed {
		return false
	}
	t.group.Go(f)
	return true
}

// connect makes the first connections. Later ones rueidis makes by itself.
func (t *Tier) connect() (*clients, error) {
	if c := t.clients.Load(); c != nil {
		return c, nil
	}
	options := t.config.Redis.Options(t.context, "weir-cache-"+t.origin)
	options.BlockingPoolSize = 4
	asks, err := rueidis.NewClient(options)
	if err != nil {
		return nil, reason(err)
	}
	options = t.config.Redis.Options(t.context, "weir-cache-"+t.origin)
	options.AlwaysPipelining, options.DisableAutoPipelining, options.BlockingPoolSize = false, true, mostBulk
	bulk, err := rueidis.NewClient(options)
	if err != nil {
		asks.Close()
		return nil, reason(err)
	}
	c := &clients{asks, bulk}
	t.clients.Store(c)
	return c, nil
}

// within runs f beside, and waits for its answer until timeout; f goes on a little.
func within[T any](t *Tier, timeout time.Duration, f func(context.Context, *clients) (T, error)) (answer T, err error) {
	type result struct {
		answer T
		err    error
	}
	c := t.clients.Load()
	if c == nil {
		return answer, errStarted
	}
	select {
	case t.gets <- struct{}{}:
	default:
		return answer, errLate
	}
	ctx, cancel := context.WithTimeout(t.context, timeout)
	defer cancel()
	done := make(chan result, 1)
	if !t.start(func() {
		defer func() { <-t.gets }()
		answer, err := f(ctx, c)
		done <- result{answer, reason(err)}
	}) {
		<-t.gets
		return answer, errClosed
	}
	select {
	case r := <-done:
		return r.answer, r.err
	case <-ctx.Done():
		return answer, errLate
	}
}

// reason says what err is for an operator.
func reason(err error) error {
	switch {
	case err == nil, rueidis.IsRedisNil(err):
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, errLate):
		return errLate
	}
	return fmt.Errorf("cannot ask Redis: %w", err)
}

// judge draws conclusions from what went wrong with a question.
func (t *Tier) judge(err error) {
	if err == nil || rueidis.IsRedisNil(err) {
		t.missed.Store(0)
		return
	}
	_, answered := rueidis.IsRedisErr(err)
	switch {
	case errors.Is(err, errLate):
		t.counts.late.Add(1)
	default:
		t.counts.errors.Add(1)
	}
	if !answered && !errors.Is(err, errLate) || t.missed.Add(1) >= misses {
		t.lose(err)
	}
}

// lose makes the tier away because of err.
func (t *Tier) lose(err error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.err = err
	if t.unblock != nil {
		t.unblock()
	}
	if t.away.Swap(true); t.told {
		return
	}
	t.told, t.since = true, time.Now()
	t.config.Notify(true, err)
}

// regain makes the tier usable again.
func (t *Tier) regain() {
	t.missed.Store(0)
	if !t.away.Load() {
		return
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.err, t.told = nil, false
	t.away.Store(false)
	t.config.Notify(false, nil)
}

// State tells whether Redis is away, since when and why.
func (t *Tier) State() (away bool, since time.Time, err error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if !t.away.Load() {
		return false, time.Time{}, nil
	}
	return true, t.since, t.err
}

// Position returns how far the purges of other nodes were followed, for a snapshot.
func (t *Tier) Position() record.Position {
	seen, known := t.history.at()
	if !known {
		return record.Position{}
	}
	return seen
}

// counts are the counters behind Stats.
type counts struct {
	hits, misses, late, errors, damaged       atomic.Uint64
	stored, dropped, large                    atomic.Uint64
	sent, received, flushes, lostInvalidation atomic.Uint64
}

// Stats are counters since New, and what waits now.
type Stats struct {
	Hits, Misses uint64 // answers of Redis to Get
	Late, Errors uint64 // that came too late, or were errors
	Damaged      uint64 // values that could not be read, or were of another version

	Stored, Dropped, TooLarge uint64 // answers written, not written for want of time or room, or for their size
	QueueBytes                int64  // of answers that wait to be written

	Sent, Received uint64 // purges, to and from other nodes
	Pending        int    // purges that other nodes do not know of yet
	Flushes        uint64 // how often everything was purged because purges were missed
	Uninvalidated  uint64 // invalidations that other nodes were not told of, for their number
}

// Stats reads the counters.
func (t *Tier) Stats() Stats {
	c := &t.counts
	return Stats{
		Hits: c.hits.Load(), Misses: c.misses.Load(), Late: c.late.Load(), Errors: c.errors.Load(), Damaged: c.damaged.Load(),
		Stored: c.stored.Load(), Dropped: c.dropped.Load(), TooLarge: c.large.Load(), QueueBytes: t.queue.bytes.Load(),
		Sent: c.sent.Load(), Received: c.received.Load(), Pending: t.history.pending(), Flushes: c.flushes.Load(),
		Uninvalidated: c.lostInvalidation.Load(),
	}
}

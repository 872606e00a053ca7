package shared

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

const (
	// lanes is how many parts the slots of a Cluster are looked at in: when one
	// server is away, the keys of the others are decided as ever.
	lanes = 16
	// workers is how many rounds trip at once on a lane.
	workers = 4
	// batch is how many questions one round trip takes along.
	batch = 64
	// misses is after how many late answers in a row Redis counts as away.
	misses = 3
	// patience is the longest that background work waits for Redis.
	patience = 100 * time.Millisecond
	// probing is the time between two looks whether Redis is back.
	probing = 100 * time.Millisecond
)

// lane is the way to the servers of some keys: what is asked of them, and
// whether they are away. Requests never touch the connection: they leave a
// question and wait for as long as they want to.
type lane struct {
	client *Client
	queue  chan *ask
	missed atomic.Int32
	away   atomic.Bool

	mutex  sync.Mutex
	since  time.Time
	err    error
	key    string // lies where there was no answer: that server is the one to look after
	marked bool   // counted in client.marked, under client.marking
}

func (l *lane) init(c *Client) {
	l.client = c
	l.queue = make(chan *ask, 1024)
	l.since, l.err = time.Now(), errStarted
	l.away.Store(true)
}

func (l *lane) state() (away bool, since time.Time, err error) {
	if !l.away.Load() {
		return false, time.Time{}, nil
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return true, l.since, l.err
}

// wait leaves the question and waits for its answer until timeout. False means
// that there is none; a then belongs to the lane.
func (l *lane) wait(a *ask, timeout time.Duration) bool {
	key := a.key
	select {
	case l.queue <- a:
	default:
		a.release()
		l.miss(key, errFull)
		return false
	}
	a.timer.Reset(timeout)
	select {
	case <-a.done:
		a.timer.Stop()
	case <-a.timer.C:
		if a.state.CompareAndSwap(askWaiting, askLeft) {
			l.client.counts.timeouts.Add(1)
			l.miss(key, errLate)
			return false
		}
		<-a.done
	}
	if a.err == nil {
		return true
	}
	a.release()
	return false
}

// leave leaves a question whose answer nobody waits for.
func (l *lane) leave(a *ask) {
	if l.away.Load() {
		l.lost(a)
		return
	}
	l.push(a)
}

// push is leave for a lane that answers, or just did.
func (l *lane) push(a *ask) {
	a.state.Store(askAlone)
	select {
	case l.queue <- a:
	default:
		l.lost(a)
	}
}

func (l *lane) lost(a *ask) {
	l.client.counts.lost.Add(1)
	a.release()
}

// work answers questions until the client is closed.
func (l *lane) work() {
	asks := make([]*ask, 0, batch)
	for {
		select {
		case <-l.client.context.Done():
			return
		case a := <-l.queue:
			asks = append(asks[:0], a)
		}
	more:
		for len(asks) < batch {
			select {
			case a := <-l.queue:
				asks = append(asks, a)
			default:
				break more
			}
		}
		l.answer(asks)
	}
}

func (l *lane) answer(asks []*ask) {
	questions := make([]*question, 0, batch)
	kept := asks[:0]
	for _, a := range asks {
		if a.state.Load() == askLeft {
			a.release()
			continue
		}
		kept = append(kept, a)
		questions = append(questions, &a.question)
	}
	if len(questions) == 0 {
		return
	}
	l.client.run(max(patience, 2*l.client.config.Timeout), questions)
	for _, a := range kept {
		l.judge(a.key, a.err)
		switch {
		case a.state.CompareAndSwap(askWaiting, askAnswered):
			a.done <- struct{}{}
		case a.state.Load() == askLeft && a.err == nil && a.answer[0] == 1:
			// Whoever asked has gone by another rule; the token is free again.
			l.push(a.undone())
		default:
			a.release()
		}
	}
}

// judge draws conclusions from how a question ended.
func (l *lane) judge(key string, err error) {
	if err == nil {
		l.missed.Store(0)
		return
	}
	l.client.counts.errors.Add(1)
	var answered *rueidis.RedisError
	switch {
	case !errors.As(err, &answered):
		l.lose(key, err)
	case strings.HasPrefix(answered.Error(), "WRONGTYPE"):
		// Somebody else's key: it says nothing about the server.
	default:
		l.miss(key, err)
	}
}

// miss counts what went wrong; after some in a row the lane is away.
func (l *lane) miss(key string, err error) {
	if l.missed.Add(1) >= misses {
		l.lose(key, err)
	}
}

// lose makes the lane away because of err, and looks for its end.
func (l *lane) lose(key string, err error) {
	if l.away.Load() {
		return
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.away.Load() {
		return
	}
	l.since, l.err, l.key = time.Now(), err, l.client.probeKey(key)
	l.away.Store(true)
	l.client.start(func() {
		l.client.mark(l, true, err)
		l.look()
	})
}

// look probes until Redis answers in time.
func (l *lane) look() {
	l.mutex.Lock()
	key := l.key
	l.mutex.Unlock()
	for wait := time.Duration(0); ; wait = min(probing, max(2*wait, probing/8)) {
		if !l.client.sleep(wait) {
			return
		}
		err := l.probe(key)
		if err == nil {
			break
		}
		l.stay(err)
	}
	l.missed.Store(0)
	l.away.Store(false)
	l.client.mark(l, false, nil)
}

// stay says why the lane is still away.
func (l *lane) stay(err error) {
	l.mutex.Lock()
	l.err = err
	l.mutex.Unlock()
	l.client.mark(l, true, err)
}

// probe asks twice if the first answer is slow, since that one may have had to
// connect first.
func (l *lane) probe(key string) error {
	var took time.Duration
	for range 2 {
		q := question{script: l.client.scripts.probe, key: key}
		start := time.Now()
		if l.client.run(time.Second, []*question{&q}); q.err != nil {
			return q.err
		}
		if took = time.Since(start); took <= l.client.config.Timeout {
			return nil
		}
	}
	return fmt.Errorf("answers of Redis take %s, and the most is %s", took.Round(time.Microsecond), l.client.config.Timeout)
}

// mark tells the owner when the first lane goes away and when the last is back.
func (c *Client) mark(l *lane, away bool, err error) {
	c.marking.Lock()
	defer c.marking.Unlock()
	if l.marked == away {
		return
	}
	l.marked = away
	if away {
		if c.marked++; c.marked == 1 {
			c.config.Notify(true, err)
		}
	} else if c.marked--; c.marked == 0 {
		c.config.Notify(false, nil)
	}
}

// sleep returns false if the client is closed before d is over.
func (c *Client) sleep(d time.Duration) bool {
	if d <= 0 {
		return c.context.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c.context.Done():
		return false
	case <-timer.C:
		return true
	}
}

// run asks all questions in one round trip and fills in their answers.
func (c *Client) run(timeout time.Duration, questions []*question) {
	redis := c.redis.Load()
	if redis == nil {
		for _, q := range questions {
			q.err = errStarted
		}
		return
	}
	ctx, cancel := context.WithTimeout(c.io, timeout)
	defer cancel()
	// The server has been started anew, or somebody flushed its scripts.
	if unknown := do(ctx, *redis, questions, false); len(unknown) > 0 {
		do(ctx, *redis, unknown, true)
	}
}

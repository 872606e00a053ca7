package shared

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

const (
	// misses is after how many late answers in a row Redis counts as away.
	misses = 3
	// probing is the time between two looks whether Redis is back.
	probing = 100 * time.Millisecond
)

// shut tells that requests cannot wait for this lane.
func (l *lane) shut() bool { return l.away.Load() || l.slow.Load() }

// state tells whether the lane is shut, since when and why.
func (l *lane) state() (shut bool, since time.Time, err error) {
	if !l.shut() {
		return false, time.Time{}, nil
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return true, l.since, l.err
}

// judge draws conclusions from a question that went wrong.
func (l *lane) judge(key string, err error) {
	if err == nil {
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
	if !l.slow.Load() {
		l.since = time.Now()
	}
	l.err, l.key = err, l.client.probeKey(key)
	l.away.Store(true)
	if l.looking {
		return
	}
	l.looking = true
	l.client.start(func() {
		l.client.mark(l, true, err)
		l.look()
	})
}

// look probes until Redis answers in time.
func (l *lane) look() {
	for wait := time.Duration(0); l.client.sleep(wait); wait = min(probing, max(2*wait, probing/8)) {
		l.mutex.Lock()
		key := l.key
		l.mutex.Unlock()
		took, err := l.probe(key)
		if err == nil && took > l.client.config.Timeout {
			err = fmt.Errorf("answers of Redis take %s, and the most is %s", took.Round(time.Microsecond), l.client.config.Timeout)
			l.become(false, true, err)
			l.client.mark(l, true, err)
			continue
		}
		l.become(err != nil, false, err)
		l.client.mark(l, err != nil, err)
		if err == nil {
			return
		}
	}
}

// become is what a look has found out.
func (l *lane) become(away, slow bool, err error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.err = err
	l.missed.Store(0)
	l.slow.Store(slow)
	l.away.Store(away)
	l.looking = away || slow
}

// probe tells how long an answer takes. The first may have had to connect
// before, so if it is slow another one is waited for.
func (l *lane) probe(key string) (took time.Duration, err error) {
	for range 2 {
		q := question{script: l.client.scripts.probe, key: key}
		start := time.Now()
		if l.client.run(dialing, []*question{&q}); q.err != nil {
			return 0, q.err
		}
		if took = time.Since(start); took <= l.client.config.Timeout {
			break
		}
	}
	return took, nil
}

// stay says why the lane is still away.
func (l *lane) stay(err error) {
	l.mutex.Lock()
	l.err = err
	l.mutex.Unlock()
	l.client.mark(l, true, err)
}

// mark tells the owner when the first lane is shut and when the last is open again.
func (c *Client) mark(l *lane, shut bool, err error) {
	c.marking.Lock()
	defer c.marking.Unlock()
	if l.marked == shut {
		return
	}
	l.marked = shut
	if shut {
		if c.marked++; c.marked == 1 {
			c.config.Notify(true, err)
		}
	} else if c.marked--; c.marked == 0 {
		c.config.Notify(false, nil)
	}
}

package shared

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// lanes is how many parts the slots of a Cluster are looked at in: when one
	// server is away, the keys of the others are decided as ever.
	lanes = 16
	// workers is how many rounds trip at once on a lane.
	workers = 4
	// batch is how many questions one round trip takes along.
	batch = 64
	// patience is the longest that the last words of Close may take.
	patience = 100 * time.Millisecond
)

// lane is the way to the servers of some keys: what is asked of them, and
// whether they are away. Requests never touch the connection: they leave a
// question and wait for as long as they want to.
type lane struct {
	client *Client
	queue  chan *ask
	missed atomic.Int32
	away   atomic.Bool // nobody answers
	slow   atomic.Bool // answers take too long for a request to wait for

	settling atomic.Bool // a round of its accounts is under way

	mutex   sync.Mutex
	since   time.Time
	err     error
	key     string // lies where there was no answer: that server is the one to look after
	looking bool   // somebody looks whether it is over
	marked  bool   // counted in client.marked, under client.marking
}

func (l *lane) init(c *Client) {
	l.client = c
	l.queue = make(chan *ask, 1024)
	l.since, l.err = time.Now(), errStarted
	l.away.Store(true)
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
	// Longer than anybody waits, so that late grants are heard of and go back.
	l.client.run(max(dialing, 2*l.client.config.Timeout), questions)
	for _, a := range kept {
		l.judge(a.key, a.err)
		switch answered := a.err == nil; {
		case a.state.CompareAndSwap(askWaiting, askAnswered):
			a.done <- struct{}{}
			if answered { // in time, which an answer that nobody waits for says nothing about
				l.missed.Store(0)
			}
		case a.state.Load() == askLeft && a.err == nil && a.answer[0] == 1:
			// Whoever asked has gone by another rule; the token is free again.
			l.push(a.undone())
		default:
			a.release()
		}
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

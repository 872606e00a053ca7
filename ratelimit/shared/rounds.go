package shared

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"time"
)

const (
	// lapse is after how many rounds without attempts credit goes back.
	lapse = 4
	// forget is after how many rounds without attempts an account of a quota goes.
	forget = 64
	// chunk is how many accounts one round trip settles.
	chunk = 256
)

// settling is one account in a round.
type settling struct {
	question
	account *account
	shard   *accountShard
	owed    int64
}

// settle runs the rounds: every Interval, and earlier when somebody kicks.
func (c *Client) settle() {
	timer := time.NewTimer(c.config.Interval)
	defer timer.Stop()
	var parts sync.WaitGroup
	defer c.settleLast(&parts)
	for began := time.Now(); ; began = time.Now() {
		select {
		case <-c.context.Done():
			return
		case <-c.kicked:
			if !c.sleep(max(time.Millisecond, c.config.Interval/10) - time.Since(began)) {
				return
			}
		case <-timer.C:
		}
		// A lane that is slow or silent does not hold up the others.
		for lane, work := range c.collect(false) {
			lane.settling.Store(true)
			parts.Go(func() {
				defer lane.settling.Store(false)
				lane.settleAll(work, dialing)
			})
		}
		c.counts.rounds.Add(1)
		// Rounds of different nodes drift, so that none is always the first to find new tokens.
		timer.Reset(c.config.Interval - time.Duration(rand.Int64N(int64(c.config.Interval)/4)))
	}
}

// settleLast gives everything back, as far as somebody answers soon.
func (c *Client) settleLast(parts *sync.WaitGroup) {
	parts.Wait()
	for lane, work := range c.collect(true) {
		lane.settleAll(work, patience)
	}
}

// collect goes through all accounts and returns those that Redis is to be
// asked about, by lane. At the end everything is given back.
func (c *Client) collect(end bool) map[*lane][]*settling {
	all := make(map[*lane][]*settling)
	now := c.Now()
	for i := range c.accounts.shards {
		s := &c.accounts.shards[i]
		s.mutex.Lock()
		for j := 0; j < len(s.list); {
			a := s.list[j]
			lane := c.lane(a.slot)
			if lane.away.Load() || lane.settling.Load() {
				j++
				continue
			}
			w, done := a.next(now, end)
			if w != nil {
				w.shard = s
				all[lane] = append(all[lane], w)
			}
			if done {
				s.drop(j)
				continue
			}
			j++
		}
		s.mutex.Unlock()
	}
	return all
}

// next returns what Redis is to be asked about the account, if anything, and
// whether the account is done with. It is called with the shard locked.
func (a *account) next(now int64, end bool) (w *settling, done bool) {
	quantum := a.quantum()
	if a.limit != nil {
		end = end || a.limit.dropped.Load()
	} else {
		end = end || a.quota.dropped.Load() || now >= a.full
	}
	demand := a.demand
	a.demand = 0
	if demand > 0 {
		a.idle = 0
	} else {
		a.idle++
	}
	owed, wanted := max(0, -a.credit), int64(0)
	switch {
	case end || a.idle >= lapse && a.credit > 0:
		owed, a.credit = -a.credit, 0
	case demand > 1:
		wanted = max(0, min(quantum, 2*demand)-max(0, a.credit))
	case demand == 1 && a.credit <= 0 && a.room <= 0:
		wanted = 1 // it was refused, and has to find out when there is more
	}
	if demand == 0 && owed == 0 && !end {
		return nil, a.rest(now, quantum)
	}
	if owed == 0 && wanted == 0 {
		return nil, end
	}
	w = &settling{account: a, owed: owed}
	a.ask(w, owed, wanted)
	return w, end
}

// quantum is the most credit, and the most debt, of the account.
func (a *account) quantum() int64 {
	if a.limit != nil {
		return a.limit.terms.Load().quantum
	}
	return a.quota.terms.Load().quantum
}

// rest is a round without anything to ask: what Redis has is known less and
// less, and in the end the account goes.
func (a *account) rest(now, quantum int64) (done bool) {
	if a.quota != nil {
		return a.idle >= forget && a.room > 0
	}
	if a.idle < 2 || a.credit > 0 {
		return false
	}
	if now >= a.full {
		return true
	}
	rate := a.limit.terms.Load().rate
	if every := int64(rate.Every()); every > 0 {
		a.room = max(0, min(quantum, (every*rate.Burst()-(a.full-now))/every))
	}
	return false
}

// ask fills in the question.
func (a *account) ask(w *settling, owed, wanted int64) {
	w.key = a.key
	if a.limit != nil {
		t := a.limit.terms.Load()
		w.script = a.limit.client.scripts.lease
		w.with(t.every, strconv.FormatInt(t.room, 10), a.limit.most(t), number(owed), number(wanted))
		return
	}
	w.script = a.quota.client.scripts.settle
	w.with(a.window.allowed, a.window.expiry, number(owed), number(wanted))
}

// settleAll asks and books what comes back. The lane is away if that is not
// soon, but what comes later is still booked. What got no answer stays owed, and
// what was wanted or given back then is gone: never too much passes.
func (l *lane) settleAll(work []*settling, timeout time.Duration) {
	soon := max(2*l.client.config.Timeout, l.client.config.Interval)
	questions := make([]*question, 0, min(len(work), chunk))
	for len(work) > 0 {
		part := work[:min(len(work), chunk)]
		work = work[len(part):]
		questions = questions[:0]
		for _, w := range part {
			questions = append(questions, &w.question)
		}
		late := time.AfterFunc(soon, func() { l.lose(part[0].key, errLate) })
		l.client.run(timeout, questions)
		late.Stop()
		now := l.client.Now()
		for _, w := range part {
			l.judge(w.key, w.err)
			if w.err == nil {
				w.book(now)
			} else if w.owed < 0 {
				l.client.counts.lost.Add(uint64(-w.owed))
			}
		}
	}
}

// book enters an answer into the account.
func (w *settling) book(now int64) {
	w.shard.mutex.Lock()
	defer w.shard.mutex.Unlock()
	a := w.account
	a.credit += max(0, w.owed) + w.answer[0]
	a.known = true
	if a.limit != nil {
		// What requests gave back meanwhile may not make the credit larger than its bound.
		a.credit = min(a.credit, max(a.quantum(), w.answer[0]))
		a.room = max(0, w.answer[1]+min(0, a.credit))
		a.full = now + w.answer[2]
		return
	}
	a.left = max(0, a.window.limit-w.answer[1])
	a.room = max(0, a.left+min(0, a.credit))
}

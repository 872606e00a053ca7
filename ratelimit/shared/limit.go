package shared

import (
	"hash/maphash"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"weir/ratelimit"
)

// Limit is a rate that all nodes have in common, for each identity by itself.
// Client.Limit makes one. It may be used by many goroutines at once.
type Limit struct {
	client  *Client
	name    string
	salt    uint64 // tells it apart where limits share a table
	terms   atomic.Pointer[limitTerms]
	longest atomic.Int64 // the longest delay that anybody was given
	dropped atomic.Bool
}

// terms are what a reload may change, and what follows from them.
type terms struct {
	rate ratelimit.Rate
	mode Mode
	away WhenAway
}

type limitTerms struct {
	terms
	every, burst string
	share        ratelimit.Rate // of this node alone
	room         int64          // how much may be leased at most: the burst, or what comes in two intervals
	quantum      int64          // most credit, and most debt, of a key on this node
	slack        int64          // nanoseconds that debts of all nodes can be worth
}

// Limit returns the limit of that name, the same one each time, and sets what
// it is from now on. Nodes share a limit by its name.
func (c *Client) Limit(name string, rate ratelimit.Rate, mode Mode, away WhenAway) *Limit {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	l := c.limits[name]
	if l == nil {
		l = &Limit{client: c, name: name, salt: maphash.String(c.seed, "limit "+name)}
		c.limits[name] = l
	}
	l.set(terms{rate, mode, away})
	return l
}

// set is called under the client's mutex.
func (l *Limit) set(t terms) {
	c := l.client
	nodes := c.nodes.Load()
	next := &limitTerms{
		terms: t,
		every: strconv.FormatInt(int64(t.rate.Every()), 10),
		burst: strconv.FormatInt(t.rate.Burst(), 10),
		share: shareOf(t.rate, nodes),
	}
	if every := t.rate.Every(); every > 0 {
		comes := int64(math.Ceil(2 * float64(c.config.Interval) / float64(every)))
		part := (t.rate.Burst() + 4*nodes - 1) / (4 * nodes)
		next.room = max(t.rate.Burst(), comes)
		next.quantum = max(1, min(next.room, max(comes, part)))
		if t.mode == Fast {
			next.slack = int64(every) * next.quantum * 2 * max(8, nodes)
		}
	}
	l.terms.Store(next)
}

// shareOf returns the part of a rate that one of so many nodes has.
func shareOf(rate ratelimit.Rate, nodes int64) ratelimit.Rate {
	if rate.Every() == 0 || nodes <= 1 {
		return rate
	}
	perSecond := 1e9 / float64(rate.Every()) / float64(nodes)
	share, err := ratelimit.NewRate(max(perSecond, ratelimit.MinPerSecond), int(max(1, rate.Burst()/nodes)))
	if err != nil {
		return rate // a rate that takes a hundred years to come back: its share takes longer
	}
	return share
}

// Bound returns the most that so many nodes admit in any time t: what the rate
// allows, and in fast mode twice a quantum a node, which is what comes in two
// intervals or the burst's fourth part of a node, whichever is more. Delayed
// requests count when they have waited.
func (l *Limit) Bound(nodes int, t time.Duration) int64 {
	terms := l.terms.Load()
	if terms.rate.Every() == 0 {
		return 0
	}
	comes := int64(math.Ceil(float64(t) / float64(terms.rate.Every())))
	if terms.mode == Exact {
		return terms.rate.Burst() + comes
	}
	return terms.room + comes + 2*int64(nodes)*terms.quantum
}

// Take takes one token of identity at now, which is Client.Now. In exact mode
// it waits for Redis, at most Config.Timeout; otherwise it never waits. What is
// refused takes nothing. It keeps no reference to identity.
func (l *Limit) Take(identity []byte, now int64, delay time.Duration) (ratelimit.Decision, Outcome) {
	if d := int64(delay); d > l.longest.Load() {
		l.longest.Store(d)
	}
	t := l.terms.Load()
	if t.mode == Fast {
		return l.takeFast(t, identity, now, delay)
	}
	if only := l.client.only(); only != nil && only.shut() {
		return l.without(t, identity, now, delay)
	}
	key, slot := l.client.key("l", identity, l.name)
	lane := l.client.lane(slot)
	if lane.shut() {
		return l.without(t, identity, now, delay)
	}
	a := l.client.newAsk(l.client.scripts.take, key)
	a.undo, a.kept = l.client.scripts.lease, 3
	a.with(t.every, t.burst, l.most(t), number(int64(delay)))
	if !lane.wait(a, l.client.config.Timeout) {
		return l.without(t, identity, now, delay)
	}
	d := ratelimit.Decision{
		Allowed: a.answer[0] == 1, Wait: time.Duration(a.answer[1]), Remaining: a.answer[2], Reset: time.Duration(a.answer[3]),
	}
	a.release()
	return d, Decided
}

// Return gives back a token that Take has given with that outcome and nobody
// has used. It never waits, and may be lost when Redis is busy or away.
func (l *Limit) Return(identity []byte, was Outcome) {
	t := l.terms.Load()
	c := l.client
	switch {
	case was == DecidedLocally:
		c.local.Return(l.localKey(identity), t.share)
	case was != Decided:
	case t.mode == Fast && c.accounts.giveBack(c.hash(identity)^l.salt, t.quantum):
	default:
		key, slot := c.key("l", identity, l.name)
		a := c.newAsk(c.scripts.lease, key)
		a.with(t.every, t.burst, l.most(t), "-1", "0")
		c.lane(slot).leave(a)
	}
}

// most is how far a bucket may be ahead of an empty one, as an argument: by the
// longest delay, and by what nodes owed.
func (l *Limit) most(t *limitTerms) string { return number(l.longest.Load() + t.slack) }

// number formats n; it is mostly 0.
func number(n int64) string {
	if n == 0 {
		return "0"
	}
	return strconv.FormatInt(n, 10)
}

// without decides while Redis is away.
func (l *Limit) without(t *limitTerms, identity []byte, now int64, delay time.Duration) (ratelimit.Decision, Outcome) {
	switch t.away {
	case Open:
		return ratelimit.Decision{Allowed: true, Remaining: t.rate.Burst()}, Opened
	case Closed:
		return ratelimit.Decision{Wait: probing}, Refused
	}
	return l.client.local.Take(l.localKey(identity), now, t.share, delay), DecidedLocally
}

// localKey is the key of an identity of this limit in the local table.
func (l *Limit) localKey(identity []byte) uint64 { return l.client.local.Key(identity) ^ l.salt }

// hash is the key of an identity among the accounts, before the salt.
func (c *Client) hash(identity []byte) uint64 { return maphash.Bytes(c.seed, identity) }

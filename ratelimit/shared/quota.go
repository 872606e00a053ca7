package shared

import (
	"fmt"
	"hash/maphash"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"weir/ratelimit"
)

// Allowance is how many requests a quota allows in each period. Offset is taken
// off in the period that First is in; a zero First means in none.
type Allowance struct {
	Limit, Offset int64
	Period        ratelimit.Period
	First         time.Time
}

// Quota is a number of requests a period that all nodes have in common, for
// each identity by itself. Client.Quota makes one. It may be used by many
// goroutines at once.
type Quota struct {
	client  *Client
	name    string
	salt    uint64
	terms   atomic.Pointer[quotaTerms]
	dropped atomic.Bool
}

type quotaTerms struct {
	allowance Allowance
	mode      Mode
	away      WhenAway
	first     int64          // when the period begins that the offset is for, or 0
	quantum   int64          // most credit, and most debt, of a key on this node
	spread    ratelimit.Rate // the node's share as a rate, for keys without room
	window    atomic.Pointer[window]
}

// window is one period of a quota.
type window struct {
	start, end int64 // Unix time
	limit      int64
	allowed    string // limit
	expiry     string // when its counters may be forgotten, in milliseconds
	name       string // of the quota in this period
	salt       uint64
}

// Quota returns the quota of that name, the same one each time, and sets what
// it is from now on. Nodes share a quota by its name.
func (c *Client) Quota(name string, allowance Allowance, mode Mode, away WhenAway) *Quota {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	q := c.quotas[name]
	if q == nil {
		q = &Quota{client: c, name: name, salt: maphash.String(c.seed, "quota "+name)}
		c.quotas[name] = q
	}
	q.set(allowance, mode, away)
	return q
}

// set is called under the client's mutex.
func (q *Quota) set(allowance Allowance, mode Mode, away WhenAway) {
	nodes := q.client.nodes.Load()
	t := &quotaTerms{allowance: allowance, mode: mode, away: away}
	t.quantum = max(1, min(1024, allowance.Limit/(10*nodes)))
	if !allowance.First.IsZero() {
		start, _ := allowance.Period.Window(allowance.First)
		t.first = start.Unix()
	}
	start, end := allowance.Period.Window(time.Unix(0, 0))
	share := float64(allowance.Limit) / float64(nodes)
	// A limit too small for a rate leaves the zero one, which lets nothing pass.
	t.spread, _ = ratelimit.NewRate(share/end.Sub(start).Seconds(), int(max(1, min(share/10, ratelimit.MaxBurst))))
	q.terms.Store(t)
}

// at returns the period that now is in.
func (q *Quota) at(t *quotaTerms, now time.Time) *window {
	unix := now.Unix()
	if w := t.window.Load(); w != nil && unix >= w.start && unix < w.end {
		return w
	}
	start, end := t.allowance.Period.Window(now)
	w := &window{
		start: start.Unix(), end: end.Unix(),
		limit: t.allowance.Limit,
		name:  q.name + ":" + start.Format("20060102"),
		// Clocks of nodes differ: who is late still finds the counter.
		expiry: strconv.FormatInt(end.Add(time.Hour).UnixMilli(), 10),
	}
	if t.first != 0 && w.start == t.first {
		w.limit = max(0, w.limit-t.allowance.Offset)
	}
	w.allowed = strconv.FormatInt(w.limit, 10)
	w.salt = q.salt ^ maphash.String(q.client.seed, w.name)
	t.window.Store(w)
	return w
}

// Overshoot returns how many requests more than the limit so many nodes admit
// at most in a period while Redis is there: none in exact mode, and a tenth of
// the limit or 1024 a node in fast mode, whichever is less, but one at least.
func (q *Quota) Overshoot(nodes int) int64 {
	if t := q.terms.Load(); t.mode == Fast {
		return int64(nodes) * t.quantum
	}
	return 0
}

// Take counts one request of identity at now. In exact mode it waits for Redis,
// at most Config.Timeout; otherwise it never waits. What is refused is not
// counted. It keeps no reference to identity.
func (q *Quota) Take(identity []byte, now time.Time) (ratelimit.Decision, Outcome) {
	c, t := q.client, q.terms.Load()
	w := q.at(t, now)
	if t.mode == Fast {
		return q.takeHere(t, w, identity, now)
	}
	key, slot := c.key("q", identity, w.name)
	lane := c.lane(slot)
	if lane.shut() {
		return q.takeHere(t, w, identity, now)
	}
	a := c.newAsk(c.scripts.spend, key)
	a.undo, a.kept = c.scripts.settle, 2
	a.with(w.allowed, w.expiry)
	if !lane.wait(a, c.config.Timeout) {
		return q.takeHere(t, w, identity, now)
	}
	d := w.decision(a.answer[0] == 1, w.limit-a.answer[1], now)
	a.release()
	return d, Decided
}

// decision fills in when the period is over.
func (w *window) decision(allowed bool, left int64, now time.Time) ratelimit.Decision {
	d := ratelimit.Decision{Allowed: allowed, Remaining: max(0, left), Reset: time.Unix(w.end, 0).Sub(now)}
	if !allowed {
		d.Wait, d.Remaining = d.Reset, 0
	}
	return d
}

// takeHere decides with what this node has: in fast mode, and while Redis is
// away. What it admits then is owed to Redis.
func (q *Quota) takeHere(t *quotaTerms, w *window, identity []byte, now time.Time) (ratelimit.Decision, Outcome) {
	c := q.client
	id := c.hash(identity) ^ w.salt
	s := c.accounts.shard(id)
	s.mutex.Lock()
	a := s.byID[id]
	if a == nil {
		a = q.open(s, t, w, id, identity, now)
	}
	if a == nil {
		s.mutex.Unlock()
		c.counts.overflowed.Add(1)
		return c.local.Take(c.local.Key(identity)^w.salt, c.Now(), t.spread, 0), DecidedLocally
	}
	defer s.mutex.Unlock()
	a.window = w // a reload may have changed the limit
	if t.mode == Exact || c.lane(a.slot).away.Load() {
		return a.without(t, w, c.nodes.Load(), now)
	}
	allowed, urgent := a.spend(t.quantum)
	if urgent {
		c.kick()
	}
	return w.decision(allowed, max(0, a.credit)+a.room, now), Decided
}

// open makes an account of a key that this node knows nothing of. Nil means
// that there is no room. It is called with the shard locked.
func (q *Quota) open(s *accountShard, t *quotaTerms, w *window, id uint64, identity []byte, now time.Time) *account {
	c := q.client
	if len(s.list) >= c.accounts.most {
		return nil
	}
	a := &account{id: id, quota: q, window: w, left: w.limit, room: min(t.quantum, w.limit)}
	a.full = c.Now() + int64(time.Unix(w.end, 0).Sub(now))
	a.key, a.slot = c.key("q", identity, w.name)
	c.accounts.add(s, a)
	return a
}

// without decides while Redis is away.
func (a *account) without(t *quotaTerms, w *window, nodes int64, now time.Time) (ratelimit.Decision, Outcome) {
	switch t.away {
	case Open:
		a.credit--
		return w.decision(true, w.limit, now), Opened
	case Closed:
		return ratelimit.Decision{Wait: probing}, Refused
	}
	left := (a.left+nodes-1)/nodes + a.credit
	if left <= 0 {
		return w.decision(false, 0, now), DecidedLocally
	}
	a.credit--
	return w.decision(true, left-1, now), DecidedLocally
}

// Return takes back one request that Take has counted at about now with that
// outcome. It never waits, and may be lost when Redis is busy or away.
func (q *Quota) Return(identity []byte, now time.Time, was Outcome) {
	if was == Refused {
		return
	}
	c, t := q.client, q.terms.Load()
	w := q.at(t, now)
	if t.mode == Fast || was != Decided {
		if c.accounts.giveBack(c.hash(identity)^w.salt, math.MaxInt64) || was != Decided {
			return
		}
	}
	key, slot := c.key("q", identity, w.name)
	a := c.newAsk(c.scripts.settle, key)
	a.with(w.allowed, w.expiry, "-1", "0")
	c.lane(slot).leave(a)
}

// Used asks Redis how many requests of identity are counted in the period that
// now is in. What nodes have leased in fast mode counts as used.
func (q *Quota) Used(identity []byte, now time.Time) (int64, error) {
	return q.adjust(identity, now, 0)
}

// Adjust adds by, which may be negative, to what is counted of identity in the
// period that now is in, and returns what that makes; it is never below 0.
func (q *Quota) Adjust(identity []byte, now time.Time, by int64) (int64, error) {
	return q.adjust(identity, now, by)
}

func (q *Quota) adjust(identity []byte, now time.Time, by int64) (int64, error) {
	w := q.at(q.terms.Load(), now)
	key, slot := q.client.key("q", identity, w.name)
	if lane := q.client.lane(slot); lane.away.Load() {
		_, _, err := lane.state()
		return 0, fmt.Errorf("cannot ask for the quota %q: %w", q.name, err)
	}
	asked := question{script: q.client.scripts.settle, key: key}
	asked.with(w.allowed, w.expiry, number(by), "0")
	if q.client.run(time.Second, []*question{&asked}); asked.err != nil {
		return 0, fmt.Errorf("cannot ask for the quota %q: %w", q.name, asked.err)
	}
	return asked.answer[1], nil
}

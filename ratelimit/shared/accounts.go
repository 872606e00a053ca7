package shared

import (
	"sync"
	"time"

	"weir/ratelimit"
)

// account is what a node has of one key of a fast limit or a quota: credit that
// it has taken from Redis and not spent, or spent and not yet taken.
type account struct {
	key  string
	slot int
	id   uint64

	limit  *Limit // one of the two
	quota  *Quota
	window *window // of the quota

	credit int64 // below 0 it is owed
	room   int64 // how much there is beyond the credit, as far as this node knows
	left   int64 // quota: what was left of it when Redis was last asked
	demand int64 // attempts since the last round
	full   int64 // on the clock: when the bucket is full again, or the quota's period is over
	idle   int   // rounds without attempts
	known  bool  // Redis has been asked at least once
}

// spend decides one attempt with what is at hand. Urgent tells that Redis may
// have more, and that it is worth a round before its time.
func (a *account) spend(quantum int64) (allowed, urgent bool) {
	a.demand++
	switch {
	case a.credit > 0:
		a.credit--
		return true, false
	case a.room > 0 && -a.credit < quantum:
		a.credit--
		a.room--
		return true, a.demand > 1 && a.credit <= -quantum
	}
	return false, a.room > 0 || !a.known
}

// accountShards is how many locks the accounts are under.
const accountShards = 64

// accounts holds the accounts by key, as many as there is room for. The zero
// value has room for none; init gives it some.
type accounts struct {
	shards [accountShards]accountShard
	most   int // in a shard
}

type accountShard struct {
	mutex sync.Mutex
	byID  map[uint64]*account
	list  []*account // the same, to be gone through without the map
	_     [64]byte   // so that two locks do not share a cache line
}

func (a *accounts) init(most int) {
	a.most = max(1, most/accountShards)
	for i := range a.shards {
		a.shards[i].byID = make(map[uint64]*account)
	}
}

func (a *accounts) shard(id uint64) *accountShard { return &a.shards[id%accountShards] }

// add puts the account into the shard, which is locked, unless there is no room.
func (a *accounts) add(s *accountShard, next *account) bool {
	if len(s.list) >= a.most {
		return false
	}
	s.byID[next.id] = next
	s.list = append(s.list, next)
	return true
}

// drop takes the account at i out of the shard, which is locked.
func (s *accountShard) drop(i int) {
	last := len(s.list) - 1
	delete(s.byID, s.list[i].id)
	s.list[i] = s.list[last]
	s.list[last] = nil
	s.list = s.list[:last]
}

func (a *accounts) len() int {
	n := 0
	for i := range a.shards {
		s := &a.shards[i]
		s.mutex.Lock()
		n += len(s.list)
		s.mutex.Unlock()
	}
	return n
}

// giveBack puts one token back into the account, if there is one. Beyond most
// it is gone: credit stays bounded.
func (a *accounts) giveBack(id uint64, most int64) bool {
	s := a.shard(id)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	account := s.byID[id]
	if account == nil {
		return false
	}
	if account.credit < most {
		account.credit++
	}
	return true
}

// takeFast decides with credit, and with debt where the bucket is thought to
// have something.
func (l *Limit) takeFast(t *limitTerms, identity []byte, now int64, delay time.Duration) (ratelimit.Decision, Outcome) {
	c := l.client
	if only := c.only(); only != nil && only.away.Load() {
		return l.without(t, identity, now, delay)
	}
	id := c.hash(identity) ^ l.salt
	s := c.accounts.shard(id)
	s.mutex.Lock()
	a := s.byID[id]
	if a == nil {
		if a = l.open(s, t, id, identity); a == nil {
			s.mutex.Unlock()
			c.counts.overflowed.Add(1)
			return c.local.Take(l.localKey(identity), now, t.share, delay), DecidedLocally
		}
	}
	if c.lane(a.slot).away.Load() {
		s.mutex.Unlock()
		return l.without(t, identity, now, delay)
	}
	d, urgent := a.take(t, now, int64(delay))
	s.mutex.Unlock()
	if urgent {
		c.kick()
	}
	return d, Decided
}

// open makes an account of a key that this node knows nothing of. Nil means
// that there is no room. It is called with the shard locked.
func (l *Limit) open(s *accountShard, t *limitTerms, id uint64, identity []byte) *account {
	a := &account{id: id, limit: l, room: t.quantum}
	if len(s.list) >= l.client.accounts.most {
		return nil
	}
	a.key, a.slot = l.client.key("l", identity, l.name)
	l.client.accounts.add(s, a)
	return a
}

// take is spend for a limit, with a wait where that is allowed.
func (a *account) take(t *limitTerms, now, delay int64) (d ratelimit.Decision, urgent bool) {
	if t.quantum == 0 {
		return d, false // a rate that lets nothing pass
	}
	every := int64(t.rate.Every())
	d.Allowed, urgent = a.spend(t.quantum)
	owed := max(0, -a.credit)
	behind := max(0, a.full-now) + owed*every
	if d.Allowed {
		d.Remaining, d.Reset = max(0, a.credit)+a.room, time.Duration(behind)
		return d, urgent
	}
	wait := max(behind+every-every*t.rate.Burst(), 0)
	if delay > 0 && wait <= delay && owed < t.quantum {
		a.credit--
		return ratelimit.Decision{Allowed: true, Wait: time.Duration(wait), Reset: time.Duration(behind + every)}, urgent
	}
	return ratelimit.Decision{Wait: time.Duration(max(wait, every)), Reset: time.Duration(behind)}, urgent
}

// kick asks for a round before its time. It never waits.
func (c *Client) kick() {
	select {
	case c.kicked <- struct{}{}:
	default:
	}
}

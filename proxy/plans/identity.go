package plans

import (
	"sync/atomic"
	"time"

	"weir/ratelimit"
)

// Reason tells why a value identifies nobody.
type Reason uint8

// The reasons; Known is none.
const (
	Known Reason = iota
	Malformed
	Unknown // or deleted
	Disabled
	Expired // the value before a rotation, after its time
)

func (r Reason) String() string {
	return [...]string{"known", "malformed", "unknown", "disabled", "expired"}[r]
}

// Identity is a live API key. It stays the same through rotations, changes and
// reloads, and may be used by many goroutines at once.
type Identity struct {
	id      string
	enabled atomic.Bool
	plans   atomic.Pointer[membership]

	values atomic.Pointer[[]*credential] // the newest first

	key Key // the store's, without FormerUntil
}

// credentials returns the values of the key, the newest first.
func (i *Identity) credentials() []*credential { return *i.values.Load() }

func (i *Identity) setCredentials(c ...*credential) { i.values.Store(&c) }

// name returns what finds the key by its id.
func (i *Identity) name() *credential {
	c := &credential{identity: i}
	copy(c.digest[:], i.id)
	return c
}

// membership is a key in a plan, and in others. It is immutable.
type membership struct {
	use  *use
	plan *livePlan
	next *membership // at most MaxPlansOfKey, and one for a stage, so a list is quick
}

// credential is one value of a key. It is immutable once the registry has it.
type credential struct {
	digest   digest
	identity *Identity
	version  uint64
	until    int64       // in Unix nanoseconds; 0 for no end
	next     *credential // with the same slot of the registry
}

func (c *credential) expired(now time.Time) bool { return c.until != 0 && now.UnixNano() >= c.until }

// Identify returns the key that value is one of, or nil and why there is none.
// It takes no lock and keeps nothing of value.
func (s *Store) Identify(value []byte) (*Identity, Reason) {
	if !wellFormed(value) {
		return nil, Malformed
	}
	c := s.credential(value)
	switch {
	case c == nil:
		return nil, Unknown
	case c.until != 0 && c.expired(s.now()):
		return nil, Expired
	case !c.identity.enabled.Load():
		return nil, Disabled
	}
	return c.identity, Known
}

// IdentifyID returns the key with this id, for requests that are signed by it
// and carry no value. It takes no lock.
func (s *Store) IdentifyID(id []byte) (*Identity, Reason) {
	var name digest
	if copy(name[:], id) != len(id) {
		return nil, Unknown
	}
	c := s.names.find(&name)
	switch {
	case c == nil || c.identity.id != string(id):
		return nil, Unknown
	case !c.identity.enabled.Load():
		return nil, Disabled
	}
	return c.identity, Known
}

// KeyID returns the id of the key, which is no secret.
func (i *Identity) KeyID() string { return i.id }

// Member returns what the key has for a stage, named "api/stage", and false
// where none of its plans is for it.
func (i *Identity) Member(stage string) (Member, bool) {
	for m := i.plans.Load(); m != nil; m = m.next {
		terms := m.plan.terms.Load()
		if methods, ok := terms.stages[stage]; ok {
			return Member{m.use, terms, methods}, true
		}
	}
	return Member{}, false
}

// Member is a key in a plan, for one stage, under the terms that the plan had
// when Identity.Member returned it. It may be copied and used by many
// goroutines at once.
type Member struct {
	use     *use
	terms   *terms
	methods map[string]method
}

// Plan returns the id of the plan.
func (m Member) Plan() string { return m.use.plan }

// Key returns the id of the key.
func (m Member) Key() string { return m.use.key }

// Throttle returns the bucket that the key has in the plan, and its rate; false
// where the plan has none.
func (m Member) Throttle() (*ratelimit.Bucket, ratelimit.Rate, bool) {
	return &m.use.bucket, m.terms.rate, m.terms.throttled
}

// Method returns the bucket that the key has for a method of the stage, as in
// "/pets/GET", and its rate; false where the plan has none for it.
func (m Member) Method(resourceMethod string) (*ratelimit.Bucket, ratelimit.Rate, bool) {
	if len(m.methods) == 0 {
		return nil, ratelimit.Rate{}, false
	}
	method, ok := m.methods[resourceMethod]
	if !ok {
		return nil, ratelimit.Rate{}, false
	}
	return m.use.method(method.slot), method.rate, true
}

// Take counts a request at now against the quota of the key in the plan, if
// the plan has one; without one everything is allowed, and counted by day. What
// is refused is not counted.
func (m Member) Take(now time.Time) (d ratelimit.Decision, hasQuota bool) {
	return m.use.take(m.terms, now)
}

// Return takes back what Take has counted at now, when the request was refused
// for another reason.
func (m Member) Return(now time.Time) { m.use.giveBack(m.terms, now) }

// Used returns how many requests were counted in the period that now is in, or
// on that day where the plan has no quota.
func (m Member) Used(now time.Time) int64 { return m.use.used(m.terms, now) }

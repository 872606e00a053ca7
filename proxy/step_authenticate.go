package proxy

import (
	"errors"

	"weir/proxy/exchange"
	"weir/proxy/plans"
)

// caller is who has sent a request, as far as it was asked. The zero value is
// nobody.
type caller struct {
	key      *plans.Identity
	member   plans.Member // of the plan that the key has for the stage
	isMember bool
}

// keyID returns the id of the caller's API key, "" without one.
func (c *caller) keyID() string {
	if c.key == nil {
		return ""
	}
	return c.key.KeyID()
}

// claim returns what an authorizer says of the caller. There is none yet, so
// all callers share the empty value.
func (c *caller) claim([]byte) []byte { return nil }

// Why an API key is not enough. The client is told none of it.
var (
	errNoKey      = errors.New("the request carries no API key")
	errNoMember   = errors.New("the API key is in no usage plan of the stage")
	errAuthorizer = errors.New("no authorizer has given an API key")
	errKeys       = [...]error{
		plans.Malformed: errors.New("the API key is malformed"),
		plans.Unknown:   errors.New("the API key is unknown"),
		plans.Disabled:  errors.New("the API key is disabled"),
		plans.Expired:   errors.New("the API key was rotated, and the time of its old value is over"),
	}
)

// authenticate finds out who calls where a route asks for it, and refuses who
// may not. A key that nobody asks for is not looked at, as in AWS; whatever the
// request carries goes on to the upstream.
func (g *Gateway) authenticate(r *request) bool {
	l := r.route.limits
	if l == nil || (l.keySource == nil && l.signature == nil) {
		return true
	}
	var why error
	if l.signature != nil {
		if !g.verify(r, l.signature) {
			return false
		}
	} else {
		why = g.identifyKey(r, l.keySource)
	}
	c := &r.caller
	if c.key != nil && l.hasPlans() {
		c.member, c.isMember = c.key.Member(l.stage)
	}
	if r.explained != nil {
		r.explainCaller(why)
	}
	if !l.needsKey || c.isMember {
		return true
	}
	if why == nil {
		why = errNoMember
	}
	return r.refuse(exchange.InvalidAPIKey, why)
}

// identifyKey finds the API key of the request, or why there is none.
func (g *Gateway) identifyKey(r *request, from *keySource) error {
	if from.authorizer {
		return errAuthorizer
	}
	var value []byte
	if from.header != nil {
		value = r.x.Request.PeekCanonical(from.header)
	}
	if len(value) == 0 && from.query != nil {
		r.field = appendQueryValue(r.field[:0], r.x.Query, from.query)
		value = r.field
	}
	if len(value) == 0 {
		return errNoKey
	}
	key, reason := g.plans.Identify(value)
	if key == nil {
		return errKeys[reason]
	}
	r.caller.key = key
	return nil
}

package proxy

import (
	"io"
	"time"

	"weir/proxy/auth"
	"weir/proxy/config"
	"weir/proxy/exchange"
	"weir/proxy/plans"
)

// signature is how the requests of a route have to be signed. It is immutable.
type signature struct {
	verifier *auth.Verifier
	maxBody  int64
}

const (
	// defaultSignedBody is up to where the body of a signed request is held in
	// memory, where the route does not say.
	defaultSignedBody = 1 << 20
	// nonceWindow is for how long nonces are remembered at least: the usual age of
	// a signature, and how far clocks may be off, twice.
	nonceWindow = 6 * time.Minute
)

// signingSecrets are the secrets of the store, as package auth asks for them.
type signingSecrets struct{ store *plans.Store }

func (s signingSecrets) SigningSecrets(keyID string) [][]byte {
	secrets, _ := s.store.SigningSecrets(keyID)
	return secrets
}

// signature compiles how a route's requests are signed; nil after a mistake.
func (c *compiler) signature(of *config.Signature, path string) *signature {
	s := &signature{maxBody: int64(of.MaxBody)}
	if s.maxBody == 0 {
		s.maxBody = defaultSignedBody
	}
	age := time.Duration(of.MaxAge)
	nonces, err := c.g.limits.rememberNonces(max(nonceWindow, age+time.Minute))
	if err == nil {
		s.verifier, err = auth.NewVerifier(auth.SignatureRules{Headers: of.Headers, MaxAge: age}, signingSecrets{c.g.plans}, nonces)
	}
	if err != nil {
		c.mistake(path, err)
		return nil
	}
	return s
}

// rememberNonces returns the memory of nonces, made for the window that was
// wanted first: a new one would let what was used be used again.
func (l *limiters) rememberNonces(window time.Duration) (_ *auth.Nonces, err error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.nonces == nil {
		l.nonces, err = auth.NewNonces(l.nonceRoom, window)
	}
	return l.nonces, err
}

// verify refuses a request that is not signed as it has to be; else its key is
// the caller's. The body is held until its digest was checked.
func (g *Gateway) verify(r *request, s *signature) bool {
	x := r.x
	if r.explained != nil {
		r.explained.add("authenticate", "the signature would be verified; nobody is known without")
		return true
	}
	id, digest, reason := s.verifier.Verify(x, g.wallClock(r))
	if reason != nil {
		return r.refuse(exchange.InvalidSignature, reason)
	}
	key, why := g.plans.IdentifyID([]byte(id))
	if key == nil {
		return r.refuse(exchange.InvalidSignature, errKeys[why])
	}
	if x.RequestBody != nil && !g.gatherSigned(r, s.maxBody) {
		return false
	}
	r.advance()
	if digest.Demands() && !auth.CheckBody(&digest, x.RequestBytes) {
		return r.refuse(exchange.InvalidSignature, auth.DigestMismatch)
	}
	r.caller.key = key
	return true
}

// gatherSigned reads the whole body, of which there may be as much as most.
func (g *Gateway) gatherSigned(r *request, most int64) bool {
	x := r.x
	if x.RequestLength > most {
		return x.Refuse(exchange.BodyTooLarge)
	}
	body := r.body[:0]
	for {
		if len(body) == cap(body) {
			grown := make([]byte, len(body), max(2*cap(body), 4<<10, int(x.RequestLength)+1))
			copy(grown, body)
			body = grown
		}
		n, err := x.RequestBody.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		r.body = body
		switch {
		case int64(len(body)) > most:
			return x.Refuse(exchange.BodyTooLarge)
		case err == io.EOF || err == nil && x.RequestBody.Done():
			x.RequestBytes, x.RequestLength = body, int64(len(body))
			return true
		case err != nil:
			return g.refuseBody(r, err)
		}
	}
}

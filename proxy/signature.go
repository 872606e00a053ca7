package proxy

import (
	"weir/proxy/config"
	"weir/proxy/exchange"
)

// signature is how the requests of a route have to be signed.
type signature struct{ maxBody int64 }

// defaultSignedBody is up to where the body of a signed request is held in
// memory, where the route does not say.
const defaultSignedBody = 1 << 20

func (c *compiler) signature(of *config.Signature) *signature {
	s := &signature{maxBody: int64(of.MaxBody)}
	if s.maxBody == 0 {
		s.maxBody = defaultSignedBody
	}
	return s
}

func (g *Gateway) verify(r *request, s *signature) bool {
	return r.x.Refuse(exchange.InvalidSignature)
}

package proxy

import (
	"errors"

	"weir/proxy/exchange"
	"weir/proxy/upstream"
	"weir/proxy/wire"
)

// forward gets the answer of the route's action: an upstream's, or the
// gateway's own.
func (g *Gateway) forward(r *request) bool {
	switch route := r.route; {
	case route.upstream != nil && r.explained != nil:
		return r.wouldForward()
	case r.caching.fetched:
		return g.send(r)
	case r.caching.fetch != nil:
		return g.obtain(r)
	case route.upstream != nil:
		return g.gather(r) && r.decodeCall() && g.send(r)
	case route.redirect != nil:
		return route.redirect.answer(r)
	case route.answer != nil:
		return route.answer.answer(r)
	case route.stream != nil:
		return r.events.answer(r, route.stream)
	}
	panic("BUG: route " + r.route.path + " without an action")
}

// smallBody is up to where a request body is gathered before it is sent on,
// so that it leaves in one piece and can be sent again.
const smallBody = 64 << 10

// gather reads a small request body whole. Larger ones, and those of unknown
// length, are streamed.
func (g *Gateway) gather(r *request) bool {
	x := r.x
	if x.RequestBody == nil || x.RequestBytes != nil || x.RequestLength < 0 || x.RequestLength > smallBody {
		return true
	}
	n := int(x.RequestLength)
	if cap(r.body) < n {
		r.body = make([]byte, max(n, 4<<10))
	}
	body := r.body[:n]
	for read := 0; read < n; {
		m, err := x.RequestBody.Read(body[read:])
		read += m
		if read == n {
			break
		}
		if err != nil {
			return g.refuseBody(r, err)
		}
	}
	x.RequestBytes = body
	return true
}

// refuseBody refuses a request whose body could not be read.
func (g *Gateway) refuseBody(r *request, err error) bool {
	r.x.Cause = err
	var fault *wire.Fault
	switch {
	case errors.Is(err, exchange.ErrBodyTooLarge):
		return r.x.Refuse(exchange.BodyTooLarge)
	case errors.Is(err, wire.ErrTimeout):
		return r.x.Refuse(exchange.RequestTimeout)
	case errors.As(err, &fault):
		return r.x.Refuse(exchange.OfStatus(fault.Status))
	}
	r.x.Aborted = true
	return r.x.Refuse(exchange.ClientGone)
}

// send sends the request to a target of the route's upstream. Where nothing
// could reach the first one, a second is tried.
func (g *Gateway) send(r *request) bool {
	x, route := r.x, r.route
	// The transport keeps a pointer to the call: on the stack it would be moved to the heap.
	r.call = upstream.Call{
		Upstream:  route.upstream.name,
		Shard:     x.Shard,
		Connect:   route.timeouts.connect,
		FirstByte: route.timeouts.firstByte,
		Idle:      route.timeouts.idle,
		Total:     route.timeouts.total,
		Retry:     route.retry,
		Upgrade:   r.upgrade(),
	}
	x.Limits = exchange.TunnelLimits{Idle: route.timeouts.tunnelIdle, Total: route.timeouts.tunnelTotal}
	if !r.boundCall() {
		return false
	}
	first := route.upstream.balancer.Pick(x.Shard, nil)
	refusal := g.sendTo(r, first)
	if refusal != nil && r.call.Unsent && route.retry {
		if second := route.upstream.balancer.Pick(x.Shard, first); second != nil {
			x.Retries++
			route.upstream.stats[second].Retry(x.Shard)
			refusal = g.sendTo(r, second)
		}
	}
	if refusal != nil {
		return x.Refuse(refusal)
	}
	return true
}

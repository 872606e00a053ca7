package proxy

import "weir/proxy/grpc"

// shape makes of the upstream's answer the one that the client gets. What
// belonged to the upstream's connection is gone already: the transport knows
// that, of whatever protocol it is.
func (g *Gateway) shape(r *request) bool {
	if r.grpc.kind != grpc.None && r.route.upstream != nil {
		r.shapeCall()
	}
	r.route.responseHeaders.applyToResponse(&r.x.Response)
	return true
}

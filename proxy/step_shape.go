package proxy

// shape makes of the upstream's answer the one that the client gets. What
// belonged to the upstream's connection is gone already: the transport knows
// that, of whatever protocol it is.
func (g *Gateway) shape(r *request) bool {
	r.route.responseHeaders.applyToResponse(&r.x.Response)
	return true
}

package proxy

// limit holds requests to the limits that need no caller, the account's throttle
// last: what can be refused cheaply is refused before anybody is asked who calls.
func (g *Gateway) limit(r *request) bool {
	l := r.route.limits
	if l == nil {
		return true
	}
	r.moment = r.x.Start
	return g.takeAll(r, l.first)
}

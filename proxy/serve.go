package proxy

import "weir/proxy/exchange"

// Serve takes one exchange its whole way. The order of the steps is written
// here and nowhere else. A step answers (it returns false) or passes.
func (g *Gateway) Serve(x *exchange.Exchange) { g.serve(x, nil) }

// serve is Serve; where why is not nil, the steps put their reasons there and
// nothing is sent to an upstream.
func (g *Gateway) serve(x *exchange.Exchange, why *explanation) {
	r := g.begin(x, why) // the document that a request begins with is the one it ends with
	defer g.finish(r)

	_ = g.route(r) && // domain → API → stage → route
		g.screen(r) && // sizes, methods
		g.limit(r) && // by address and in total: cheap refusals first
		g.authenticate(r) && // who calls, and may they
		g.quota(r) && // by caller and plan, then by stage and method
		g.lookup(r) && // a good answer in the cache, or one that others wait for?
		g.transform(r) && // what the upstream gets to see; loops
		g.forward(r) && // balance, send, retry
		g.judge(r) && // what the cache may do with the answer
		g.shape(r) && // what the client gets to see
		g.store(r) // into the cache
}

// fetchAnswer is the part of the way that an answer takes which is fetched for
// everybody who wants it, instead of for one client.
func (g *Gateway) fetchAnswer(r *request) {
	_ = g.forward(r) && g.judge(r) && g.shape(r) && g.store(r)
}

package proxy

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/grpc"
	"weir/proxy/observe"
	"weir/proxy/route"
	"weir/proxy/upstream"
	"weir/proxy/wire"
)

// request is what the steps know of one exchange beside the exchange itself.
// It is pooled and used by one goroutine at a time.
type request struct {
	x       *exchange.Exchange
	live    *compiled
	mapping *mapping
	route   *liveRoute
	params  route.Params
	rest    []byte // canonical path behind the base path: what routes match
	trusted bool   // the peer is a trusted proxy
	allow   []string
	fields  fieldBits // which of the fields that concern a proxy the client has sent

	asked  []byte // protocol that the client asks to change to
	target []byte // request target for the upstream
	field  []byte // scratch for field values
	body   []byte // the buffered request body
	answer []byte // content of an answer that the gateway writes
	trace  []byte // traceparent as sent on
	call   upstream.Call
	grpc   grpcCall
	events eventStream
	record observe.Record

	caller     caller
	keyed      keyScratch
	identity   []byte        // scratch: what tells the request apart for a limit
	held       []held        // what limits have given it
	wait       time.Duration // how long it is held back
	moment     time.Time     // of what limits are asked now
	wall       time.Time     // see wallClock; set before a quota is asked
	delayedBy  *limit
	limited    limited // the limit that refused it
	announcing bool    // its answer tells what is left of limits
	patience   patience
	caching    caching

	explained *explanation // nil unless somebody asks why
}

// begin takes what the way needs from the pools.
func (g *Gateway) begin(x *exchange.Exchange, why *explanation) *request {
	r := g.requests.Get().(*request)
	r.x, r.explained = x, why
	r.live = g.live.Load()
	return r
}

// finish sends the answer, counts and logs it, and gives back what begin took.
func (g *Gateway) finish(r *request) {
	if p := recover(); p != nil {
		g.log.Error().Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("a step of the way panicked")
		r.x.Refuse(exchange.Internal)
	}
	x := r.x
	if x.Refusal != nil {
		g.answerRefusal(r)
	}
	r.direct()
	err := x.Front.Send(x)
	if errors.Is(err, exchange.ErrUnsent) {
		x.Refuse(refusalOfContent(err))
		x.Cause = err
		g.answerRefusal(r)
		r.direct()
		err = x.Front.Send(x)
	}
	if err != nil && x.Cause == nil {
		x.Cause = err
	}
	r.leave()
	r.leaveCache()
	if r.explained != nil {
		r.explain()
	} else {
		g.observe(r)
	}
	g.release(r)
}

// direct tells a client how to come next time: over TLS (RFC 6797 §7.1), and
// by what protocol (RFC 7838 §3).
func (r *request) direct() {
	x := r.x
	if r.mapping != nil && r.mapping.security.hsts != nil && x.Scheme == "https" {
		x.Response.SetCanonical(nameHSTS, r.mapping.security.hsts)
	}
	if x.TLS != nil && x.TLS.AltSvc != nil {
		x.Response.SetCanonical(nameAltSvc, x.TLS.AltSvc)
	}
	if r.announcing && r.limited.by == nil {
		r.announce()
	}
	if r.caching.rule != nil {
		r.tellCache()
	}
}

// refusalOfContent tells why an answer's content could not be had.
func refusalOfContent(err error) *exchange.Refusal {
	switch {
	case errors.Is(err, exchange.ErrUnopened):
		return exchange.UpgradeFailed
	case errors.Is(err, wire.ErrTimeout):
		return exchange.TotalTimeout
	}
	return exchange.TruncatedAnswer
}

// observe counts and logs the exchange.
func (g *Gateway) observe(r *request) {
	x, rec := r.x, &r.record
	if x.RequestBody != nil && x.BytesIn == 0 {
		if counted, ok := x.RequestBody.(interface{ Count() int64 }); ok {
			x.BytesIn = counted.Count()
		}
	}
	// Field by field: a literal would be built on the stack and copied.
	*rec = observe.Record{}
	rec.Shard, rec.Start, rec.Took, rec.UpstreamFirstByte = x.Shard, x.Start, time.Since(x.Start), x.FirstByte
	rec.Client, rec.Peer, rec.Listener, rec.Scheme, rec.Protocol = x.Client, x.Peer, x.Listener, x.Scheme, x.Protocol
	rec.Method, rec.Host, rec.RequestTarget, rec.Path = x.Request.Method(), x.Authority, x.Target, x.Path
	rec.Status, rec.BytesIn, rec.BytesOut = x.Response.StatusCode(), x.BytesIn, x.BytesOut
	rec.UpstreamName, rec.Target, rec.UpstreamStatus = x.Upstream, x.Address, x.UpstreamStatus
	rec.GRPC = r.callEnd()
	rec.Retries, rec.ConnectionReused = x.Retries, x.Reused
	rec.RequestID, rec.TraceParent = x.RequestID, r.trace
	rec.UserAgent, rec.Referer = x.Request.UserAgent(), x.Request.Referer()
	if x.TLS != nil {
		rec.TLS = x.TLS.Version
		recordClient(&rec.Identity, x.TLS.Client)
	}
	rec.CacheResult, rec.CacheAge = r.caching.result, r.caching.age
	rec.Aborted, rec.Upgraded = x.Aborted, rec.Status == 101
	if x.Malformed != nil {
		rec.Method, rec.ErrorMessage = nil, x.Malformed.Reason
	}
	if x.Refusal != nil {
		rec.Cause = x.Refusal.Cause
		rec.ErrorType = r.errorType()
		g.causes.count(x)
	}
	if r.limited.by != nil {
		rec.Limit = r.limited.by.name
	}
	if r.caller.key != nil {
		rec.Identity.APIKeyID, rec.UsagePlan = r.caller.keyID(), r.caller.plan()
	}
	switch {
	case x.Cause == nil:
	case x.Aborted || (x.Refusal != nil && x.Refusal.Status < 500):
		rec.ErrorMessage = x.Cause.Error() // the client's doing: the upstream is not to be blamed
	default:
		rec.UpstreamError = x.Cause.Error()
	}
	stray, logged := r.live.stray, true
	if r.mapping != nil {
		rec.Domain, rec.BasePath = r.mapping.domain, r.mapping.basePath
		rec.API, rec.Stage = r.mapping.stage.api, r.mapping.stage.name
		stray = r.mapping.stage.stray
	}
	stats := stray
	if r.route != nil {
		rec.Route, rec.RouteKey = r.route.path, r.route.key
		stats, logged = r.route.stats, r.route.logged
	}
	if g.counting {
		stats.Observe(rec)
		stray.ObserveCall(rec.Shard, rec.GRPC)
		stray.ObserveCache(rec)
	}
	if logged && g.access != nil {
		g.access.Write(rec)
	}
}

func recordClient(identity *observe.Identity, c *exchange.ClientCertificate) {
	if c == nil {
		return
	}
	identity.ClientCertSubject, identity.ClientCertIssuer, identity.ClientCertSerial = c.Subject, c.Issuer, c.Serial
	identity.ClientCertPEM, identity.ClientCertNotBefore, identity.ClientCertNotAfter = c.PEM, c.NotBefore, c.NotAfter
}

// keptBuffer is the largest scratch buffer that goes back to the pool.
const keptBuffer = 64 << 10

func (g *Gateway) release(r *request) {
	r.x, r.live, r.mapping, r.route, r.rest = nil, nil, nil, nil, nil
	r.explained, r.wall = nil, time.Time{}
	if r.caching.rule != nil {
		r.caching.reset()
	}
	r.trusted, r.fields, r.allow = false, 0, r.allow[:0]
	r.asked, r.target, r.field, r.answer, r.trace = r.asked[:0], r.target[:0], r.field[:0], r.answer[:0], r.trace[:0]
	if cap(r.body) > keptBuffer {
		r.body = nil
	}
	r.keyed.reset()
	if r.grpc.kind != grpc.None {
		r.grpc.reset()
	}
	if len(r.held)+len(r.identity) > 0 || r.limited.by != nil || r.caller.key != nil {
		r.forgetLimits()
	}
	g.requests.Put(r)
}

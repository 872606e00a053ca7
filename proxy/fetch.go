package proxy

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"weir/cache"
	"weir/cache/policy"
	"weir/proxy/exchange"
	"weir/proxy/observe"
	"weir/proxy/wire"
)

// fetching is one fetch of an answer for everybody who wants it. It goes its part
// of the way in a goroutine of its own, as a request without a client: whoever
// waits for it may leave, or be slow, and harms nobody.
type fetching struct {
	g    *Gateway
	x    exchange.Exchange
	r    *request
	fill *cache.Fill

	// asked is the head as the client has sent it: what Vary is about.
	asked fasthttp.RequestHeader
	rule  *cachePolicy
	key   cache.Key
	lines [][]byte // scratch of AppendSelected

	begun     bool
	requested time.Time
	answer    policy.Answer
	verdict   policy.Verdict
	private   []byte // field lines for the request that leads alone

	// owners are the goroutine of the fetch and the request that leads: what the
	// fetch has taken is given back when both are through with it.
	owners   atomic.Int32
	waits    atomic.Pointer[patience] // what the request that leads waits by
	mu       sync.Mutex
	interims []*fasthttp.ResponseHeader
}

var fetchings = sync.Pool{New: func() any { return new(fetching) }}

// newFetching begins a fetch that r leads. Nothing is sent before start.
func (g *Gateway) newFetching(r *request, fill *cache.Fill) *fetching {
	d := fetchings.Get().(*fetching)
	d.g, d.fill, d.rule = g, fill, r.caching.rule
	r.x.Request.CopyTo(&d.asked)
	d.key.Copy(&r.caching.key)
	return d
}

// start sends the request of r, as it has been made ready for the upstream.
func (d *fetching) start(r *request) {
	d.begun = true
	x, from := &d.x, r.x
	from.Request.CopyTo(&x.Request)
	x.Front, x.Start, x.Shard, x.Listener, x.Protocol = (*detached)(d), time.Now(), from.Shard, from.Listener, from.Protocol
	x.Secure, x.Scheme, x.Client, x.Peer, x.MaxBody = from.Secure, from.Scheme, from.Client, from.Peer, from.MaxBody
	x.Target = append(x.Target[:0], from.Target...)
	x.Authority = append(x.Authority[:0], from.Authority...)
	x.Path = append(x.Path[:0], from.Path...)
	x.Query, x.HasQuery = append([]byte(nil), from.Query...), from.HasQuery
	x.RequestID = append(x.RequestID[:0], from.RequestID...)
	if from.RequestBytes != nil {
		x.RequestBytes = append([]byte(nil), from.RequestBytes...)
	}

	own := d.g.requests.Get().(*request)
	own.x, own.live, own.mapping, own.route = x, r.live, r.mapping, r.route
	own.params, own.rest, own.fields = r.params, append([]byte(nil), r.rest...), r.fields
	c := &own.caching
	c.rule, c.fetch, c.fetched = r.caching.rule, d, true
	c.read(&d.asked, from.Plain)
	d.r = own
	d.prepare()
	c.wanted = r.caching.refreshing
	d.owners.Store(2)
	d.g.fetches.Add(1)
	go d.run()
}

// prepare makes of one client's request one for everybody: it asks for the whole
// answer, or whether the stored one still holds.
func (d *fetching) prepare() {
	h := &d.x.Request
	for _, name := range [...]string{"If-None-Match", "If-Modified-Since", "If-Range", "Range"} {
		h.Del(name)
	}
	stale := d.fill.Stale()
	if stale == nil {
		return
	}
	if stale.Terms.ETag != nil {
		h.SetBytesV("If-None-Match", stale.Terms.ETag)
	}
	if modified := lineOf(stale.Lines, "Last-Modified"); modified != nil {
		h.SetBytesV("If-Modified-Since", modified)
	}
}

// run is the goroutine of a fetch.
func (d *fetching) run() {
	defer d.g.fetches.Done()
	defer func() {
		if p := recover(); p != nil {
			d.g.log.Error().Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("a fetch for the cache panicked")
		}
		d.fill.Fail(&failure{refusal: exchange.Internal}) // nothing, where it has ended
		d.release()
	}()
	if d.fromTier() {
		return
	}
	d.requested = time.Now()
	d.g.fetchAnswer(d.r)
	if d.x.Refusal != nil {
		d.fill.Fail(d.whyRefused())
	}
}

// whyRefused makes a failure of the refusal. Where the fetch ended because
// nobody waited for it, whoever has come since is to try again.
func (d *fetching) whyRefused() *failure {
	if d.x.Refusal == exchange.ClientGone {
		return &failure{}
	}
	return &failure{refusal: d.x.Refusal, cause: d.x.Cause}
}

// pass tells those who wait that the answer is not for them. The request that
// leads may have it.
func (d *fetching) pass(why string, seconds int) {
	d.r.caching.detail = why
	d.fill.Pass(seconds)
}

// leave ends what the request that leads has to do with the fetch.
func (d *fetching) leave() {
	if d.begun {
		d.release()
		return
	}
	d.fill.Fail(&failure{})
	d.free()
}

// release gives back all that the fetch has taken, when nobody needs it any more.
func (d *fetching) release() {
	if d.owners.Add(-1) > 0 {
		return
	}
	if d.x.Stream != nil {
		_ = d.x.Stream.Close()
	}
	if d.x.Tunnel != nil {
		_ = d.x.Tunnel.Close()
	}
	d.r.x.Response.Reset()
	d.g.release(d.r)
	d.free()
}

func (d *fetching) free() {
	x := &d.x
	x.Reset()
	x.Query, x.RequestBytes = nil, nil
	d.g, d.r, d.fill, d.rule, d.begun, d.interims = nil, nil, nil, nil, false, nil
	d.waits.Store(nil)
	d.asked.Reset()
	clear(d.lines[:cap(d.lines)])
	d.answer, d.verdict, d.private = policy.Answer{}, policy.Verdict{}, nil
	fetchings.Put(d)
}

// AppendSelected implements cache.Selector by what the client that led has sent.
func (d *fetching) AppendSelected(dst []byte, name string) []byte {
	dst, d.lines = appendSelected(dst, d.lines[:0], &d.asked, name, d.rule)
	return dst
}

// obtain has the answer fetched for everybody and waits for it like everybody.
func (g *Gateway) obtain(r *request) bool {
	c := &r.caching
	d := c.fetch
	d.start(r)
	if c.refreshing {
		return g.answerStored(r, c.found, g.resident(c.found), observe.CacheRefreshed)
	}
	if g.await(r, c.fill, 0) == clientLeft {
		return r.x.Refuse(exchange.ClientGone)
	}
	state, e, reason := c.fill.State()
	switch state {
	case cache.Answered:
		r.takeCounts(d)
		c.detail = d.r.caching.detail
		how := observe.CacheMiss
		if c.found != nil && e.Body == c.found.Body {
			how = observe.CacheRevalidated
		}
		c.kept = how == observe.CacheMiss
		g.answerStored(r, e, g.resident(e), how)
		if len(d.private) > 0 && r.x.Refusal == nil {
			c.head = append(c.head, d.private...)
			r.x.Lines = c.head
		}
		return false
	case cache.Failed:
		why := reason.(*failure)
		if g.rescue(r, why.status) {
			return false
		}
		if why.refusal != nil {
			r.x.Cause = why.cause
			r.takeCounts(d)
			return r.x.Refuse(why.refusal)
		}
		if why.status == 0 {
			return g.gather(r) && g.send(r) // it was given up
		}
	}
	return g.takeOver(r, d)
}

// takeOver makes the answer of a fetch that is for nobody else the request's own.
func (g *Gateway) takeOver(r *request, d *fetching) bool {
	x, c := r.x, &r.caching
	c.detail = d.r.caching.detail
	if c.asks.Range != nil {
		// The fetch has asked for the whole, which nobody needs now.
		return g.gather(r) && g.send(r)
	}
	d.x.Response.CopyTo(&x.Response)
	r.takeCounts(d)
	x.Length, x.Cause = d.x.Length, d.x.Cause
	c.handed = true
	if d.x.Stream != nil {
		c.hand.body = d.x.Stream
		x.Stream = &c.hand
	}
	return true
}

// takeCounts notes of a fetch what the log tells of the upstream.
func (r *request) takeCounts(d *fetching) {
	x, from := r.x, &d.x
	x.Upstream, x.Address, x.UpstreamStatus = from.Upstream, from.Address, from.UpstreamStatus
	x.Dialed, x.Reused, x.Retries = from.Dialed, from.Reused, from.Retries
	if from.FirstByte > 0 {
		x.FirstByte = from.Start.Add(from.FirstByte).Sub(x.Start)
	}
}

// handedStream is the content of an answer that a fetch has left to one request.
// What it stands on is freed when that request ends.
type handedStream struct{ body exchange.Body }

func (h *handedStream) Read(p []byte) (int, error) { return h.body.Read(p) }
func (h *handedStream) Done() bool                 { return h.body.Done() }
func (h *handedStream) Ready() bool                { return h.body.Ready() }
func (h *handedStream) Trailers() []byte           { return h.body.Trailers() }
func (h *handedStream) Close() error               { return nil }

// Take returns content that is there already without copying it.
func (h *handedStream) Take() []byte {
	if t, ok := h.body.(interface{ Take() []byte }); ok {
		return t.Take()
	}
	return nil
}

// SpliceTo moves content to dst within the kernel, where it can.
func (h *handedStream) SpliceTo(dst *wire.Sock) (int64, error) {
	if s, ok := h.body.(interface {
		SpliceTo(dst *wire.Sock) (int64, error)
	}); ok {
		return s.SpliceTo(dst)
	}
	return 0, wire.ErrNoSplice
}

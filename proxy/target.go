package proxy

import (
	"bytes"

	"weir/proxy/config"
	"weir/proxy/exchange"
	"weir/proxy/upstream"
)

// rewrite changes the path on its way to the upstream.
type rewrite struct {
	path        template // the whole new path, or
	whole       bool
	stripPrefix []byte // taken from the front, by whole segments, and then
	addPrefix   []byte // put there
}

func compileRewrite(of *config.Rewrite) (*rewrite, error) {
	if of == nil {
		return nil, nil
	}
	out := &rewrite{
		whole:       of.Path != "",
		stripPrefix: bytes.TrimSuffix([]byte(of.StripPrefix), []byte{'/'}),
		addPrefix:   bytes.TrimSuffix([]byte(of.AddPrefix), []byte{'/'}),
	}
	var err error
	out.path, err = config.ParseTemplate(of.Path)
	return out, err
}

// append appends the path that the upstream gets.
func (w *rewrite) append(dst []byte, r *request) []byte {
	if w == nil {
		return append(dst, r.rest...)
	}
	if w.whole {
		return w.path.append(dst, r)
	}
	path := r.rest
	if p := w.stripPrefix; len(p) > 0 && bytes.HasPrefix(path, p) && (len(path) == len(p) || path[len(p)] == '/') {
		path = path[len(p):]
	}
	dst = append(dst, w.addPrefix...)
	if len(path) == 0 && len(w.addPrefix) == 0 {
		return append(dst, '/')
	}
	return append(dst, path...)
}

// sendTo sends the request to one target of the route's upstream and counts
// what became of it.
func (g *Gateway) sendTo(r *request, target *upstream.Target) *exchange.Refusal {
	x, stats := r.x, r.route.upstream.stats[target]
	r.aim(target)
	x.Request.SetRequestURIBytes(r.target)
	switch host := &r.route.host; {
	case host.client && len(x.Authority) > 0:
		x.Request.SetHostBytes(x.Authority)
	case len(host.name) > 0:
		x.Request.SetHostBytes(host.name)
	default:
		x.Request.SetHostBytes(target.Host())
	}
	x.Upstream, x.Address = r.route.upstream.name, target.Name() // also when it cannot be reached
	retries := x.Retries
	refusal := target.Send(x, &r.call)
	if x.Retries > retries {
		stats.Retry(x.Shard)
	}
	if x.Dialed {
		stats.Open(x.Shard)
	}
	if x.Reused {
		stats.Reuse(x.Shard)
	}
	if refusal != nil {
		stats.Fail(g.causes.of(refusal))
		return refusal
	}
	stats.Observe(x.Shard, x.UpstreamStatus, x.FirstByte)
	return nil
}

// upgrade returns the protocol that the request asks for and the route allows,
// or nil. Only a request without a body can leave HTTP here.
func (r *request) upgrade() []byte {
	x := r.x
	if len(r.asked) == 0 || x.Old || x.RequestBody != nil {
		return nil
	}
	if foldEqual(r.asked, "websocket") && !x.Request.IsGet() { // RFC 6455 §4.1
		return nil
	}
	for _, allowed := range r.route.upgrades {
		if foldEqual(r.asked, allowed) {
			return r.asked
		}
	}
	return nil
}

// aim makes the request target that a target gets.
func (r *request) aim(target *upstream.Target) {
	r.target = append(r.target[:0], target.Base()...)
	r.target = r.route.rewrite.append(r.target, r)
	if r.x.HasQuery {
		r.target = append(append(r.target, '?'), r.x.Query...)
	}
}

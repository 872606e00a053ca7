package proxy

import (
	"bytes"
	"errors"
	"net/textproto"
	"slices"
	"time"

	"github.com/valyala/fasthttp"

	"weir/cache"
	"weir/cache/policy"
	"weir/proxy/wire"
)

// store keeps a fetched answer as clients get it. Whoever waits for it has it as
// it comes.
func (g *Gateway) store(r *request) bool {
	if !r.caching.fetched {
		return true
	}
	d, x := r.caching.fetch, r.x
	d.private = d.privateLines()
	if stale := d.fill.Stale(); stale != nil && d.answer.Status == 304 {
		e := g.renewed(stale, r, &d.verdict)
		d.fill.Refreshed(e, d)
		g.toTier(e)
		return true
	}
	e := &cache.Entry{
		Status: x.Response.StatusCode(),
		Lines:  g.storedLines(r, nil, d.verdict.Drop),
		Terms:  d.verdict.Terms,
		Vary:   varyNames(d.answer.Vary),
		Tags:   cloned(d.answer.Tags),
		At:     g.cache.Now(),
	}
	if x.Stream == nil {
		e.Body = cache.WholeBody(append([]byte{}, x.Bytes...))
		d.fill.Answer(e, d)
		d.fill.Done(nil)
		g.toTier(e)
		return true
	}
	e.Body = cache.NewBody(x.Length)
	d.fill.Answer(e, d)
	err := d.fillBody(e.Body)
	d.fill.Done(err)
	if err != nil {
		return true
	}
	if r.caching.rule.compress {
		if next := compressed(e); next != nil {
			g.cache.Replace(e, next)
			e = next
		}
	}
	g.toTier(e)
	return true
}

var errTooLarge = errors.New("the answer is larger than what may be kept")

// fillBody reads the whole content into b.
func (d *fetching) fillBody(b *cache.Body) error {
	stream, most, flows := d.x.Stream, d.rule.maxObject, false
	for !stream.Done() {
		if !flows && b.Size() > most {
			flows = true
			d.outgrow(b)
		}
		if flows && !b.Pace(flowAhead, max(most, flowAhead)) {
			b.End(nil, errTooLarge)
			return errTooLarge
		}
		room := b.Room()
		n, err := stream.Read(room)
		b.Commit(n)
		if err != nil && !stream.Done() {
			b.End(nil, err)
			return err
		}
	}
	b.End(stream.Trailers(), nil)
	if flows || b.Size() > most {
		return errTooLarge
	}
	return nil
}

// flowAhead is how far the fetch of an answer that is too large to be kept goes
// ahead of whoever reads it fastest.
const flowAhead = 1 << 20

// outgrow ends the keeping of a body that has become too large, once everybody
// who waits has begun to read it.
func (d *fetching) outgrow(b *cache.Body) {
	for range 1000 {
		if b.Readers() >= d.fill.Interested() || d.g.closing.Load() {
			break
		}
		time.Sleep(2 * time.Millisecond) // rare, and there is nothing that would tell
	}
	d.fill.Outgrow(passLong)
	b.Flow()
}

// storedLines returns the field lines of x.Response as they are stored, with
// those in kept before them, and without drop.
func (g *Gateway) storedLines(r *request, kept []byte, drop [][]byte) []byte {
	out, dated := append(make([]byte, 0, 512), kept...), lineOf(kept, "Date") != nil
	for name, value := range r.x.Response.All() {
		if !isStorable(r, string(name)) || names(drop, name) {
			continue
		}
		dated = dated || string(name) == "Date"
		out = wire.AppendField(out, name, value)
	}
	if !dated {
		out = append(fasthttp.AppendHTTPDate(append(out, "Date: "...), time.Now()), "\r\n"...)
	}
	return slices.Clip(out)
}

// names tells whether a field is among those that a list names.
func names(list [][]byte, field []byte) bool {
	return slices.ContainsFunc(list, func(name []byte) bool { return bytes.EqualFold(name, field) })
}

// privateLines returns the fields that are not stored with the answer: who has
// led the fetch gets them, and nobody else.
func (d *fetching) privateLines() (out []byte) {
	for name, value := range d.x.Response.All() {
		if names(d.verdict.Drop, name) && isStorable(d.r, string(name)) {
			out = wire.AppendField(out, name, value)
		}
	}
	return out
}

// isStorable tells whether a field of an answer is stored: what belongs to the
// connection, or is told anew of each answer, is not.
func isStorable(r *request, name string) bool {
	switch name {
	case "Connection", "Content-Length", "Transfer-Encoding", "Age", "Alt-Svc":
		return false
	case "Strict-Transport-Security":
		return r.mapping.security.hsts == nil
	}
	return !slices.Contains(forCaches[:], name)
}

// renewed returns a stored answer with what a 304, or the answer to HEAD, says
// anew (RFC 9111 §3.2).
func (g *Gateway) renewed(stored *cache.Entry, r *request, v *policy.Verdict) *cache.Entry {
	var kept []byte
	eachLine(stored.Lines, func(name, _, line []byte) {
		if !policy.IsUpdatable(name) || len(r.x.Response.PeekBytes(name)) == 0 {
			kept = append(kept, line...)
		}
	})
	drop := v.Drop
	for name := range r.x.Response.All() {
		if !policy.IsUpdatable(name) {
			drop = append(drop, append([]byte(nil), name...))
		}
	}
	return &cache.Entry{
		Status: stored.Status, Lines: g.storedLines(r, kept, drop), Terms: v.Terms, Vary: stored.Vary, Tags: stored.Tags,
		At: g.cache.Now(), Body: stored.Body,
	}
}

// varyNames returns the names in canonical case, sorted, each once.
func varyNames(names [][]byte) []string {
	out := make([]string, 0, len(names))
	for _, name := range names {
		out = append(out, textproto.CanonicalMIMEHeaderKey(string(name)))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func cloned(list [][]byte) [][]byte {
	out := make([][]byte, len(list))
	for i, b := range list {
		out[i] = append([]byte(nil), b...)
	}
	return out
}

package proxy

import (
	"github.com/valyala/fasthttp"

	"weir/proxy/exchange"
)

// detached is the front end of a fetch: it stands for all who wait.
type detached fetching

// Interim keeps an interim answer for the request that leads.
func (d *detached) Interim(h *fasthttp.ResponseHeader) error {
	kept := new(fasthttp.ResponseHeader)
	h.CopyTo(kept)
	d.mu.Lock()
	d.interims = append(d.interims, kept)
	d.mu.Unlock()
	if w := d.waits.Load(); w != nil {
		w.Wake()
	}
	return nil
}

// passInterims sends the interim answers that have come.
func (d *fetching) passInterims(x *exchange.Exchange) {
	d.mu.Lock()
	interims := d.interims
	d.interims = nil
	d.mu.Unlock()
	for _, h := range interims {
		if x.Front.Interim(h) != nil {
			return // await finds that the client has left
		}
	}
}

// Gone tells whether nobody waits for the answer any more. One that is being
// stored, or that renews a stale one, is wanted by itself.
func (d *detached) Gone() bool {
	return d.g.closing.Load() || !d.r.caching.wanted && d.fill.Interested() == 0
}

// Notify has w woken when the last one leaves.
func (d *detached) Notify(w exchange.Waker) {
	if w == nil {
		d.fill.Notify(nil) // not an interface that holds one
		return
	}
	d.fill.Notify(w)
}

// StopBody implements exchange.Front: the body of a fetch is at hand.
func (d *detached) StopBody() {}

// Send implements exchange.Front.
func (d *detached) Send(*exchange.Exchange) error { panic("BUG: the answer of a fetch has no client") }

var _ exchange.Front = (*detached)(nil)

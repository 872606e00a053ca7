package proxy

import (
	"time"

	"github.com/valyala/fasthttp"

	"weir/cache"
	"weir/cache/policy"
	"weir/proxy/observe"
)

// caching is what one request has to do with the cache. It is kept with the
// pooled request.
type caching struct {
	rule  *cachePolicy // nil where the cache has no part in the request
	key   cache.Key
	asks  policy.Request
	found *cache.Entry // what the key led to, though it may not be used as it is

	fill       *cache.Fill // that the request waits for
	fetch      *fetching   // that it leads, or whose request it is
	fetched    bool        // it is a fetch's own request, without a client
	refreshing bool        // it leads, but its client gets the stale answer
	handed     bool        // the answer is a fetch's that nobody else may have
	wanted     bool        // a fetch's answer is being stored, whoever waits for it

	lines [][]byte // scratch: the values of one field
	head  []byte   // scratch: field lines of a stored answer, but for some
	body  storedBody
	hand  handedStream

	result   observe.CacheResult
	age      time.Duration // of the stored answer that was given
	forward  string        // why it went to the upstream, as Cache-Status says it
	detail   string        // why more exactly; for an explanation too
	kept     bool          // what was fetched is stored
	lifetime time.Duration // of what was given
	warning  bool          // a wish to have the answer replaced was not heeded
}

// read takes from the request's head what concerns the cache, once; plain tells
// that there is no such field.
func (c *caching) read(h *fasthttp.RequestHeader, plain bool) {
	c.asks.Method = h.Method()
	if plain {
		return
	}
	for name, value := range h.AllInOrder() {
		if policy.Concerns(name) {
			c.asks.Add(name, value)
		}
	}
}

// AppendSelected implements cache.Selector by what the client has sent.
func (r *request) AppendSelected(dst []byte, name string) []byte {
	c := &r.caching
	dst, c.lines = appendSelected(dst, c.lines[:0], &r.x.Request, name, c.rule)
	return dst
}

func appendSelected(dst []byte, lines [][]byte, h *fasthttp.RequestHeader, name string, rule *cachePolicy) ([]byte, [][]byte) {
	lines = appendValuesIn(lines, h, name)
	return policy.AppendSelected(dst, name, lines, rule.vary[name]), lines
}

// appendValuesIn appends the values of the field lines of that name, borrowed.
func appendValuesIn(lines [][]byte, h *fasthttp.RequestHeader, name string) [][]byte {
	for n, value := range h.AllInOrder() {
		if string(n) == name {
			lines = append(lines, value)
		}
	}
	return lines
}

// reset forgets the request, and keeps the memory.
func (c *caching) reset() {
	// Field by field: a literal would be built on the stack and copied.
	c.key.Reset()
	c.asks.Reset()
	c.rule, c.found, c.fill, c.fetch = nil, nil, nil, nil
	c.fetched, c.refreshing, c.handed, c.wanted, c.kept, c.warning = false, false, false, false, false, false
	clear(c.lines[:cap(c.lines)])
	c.lines, c.head = c.lines[:0], c.head[:0]
	if c.body.patience != nil {
		c.body = storedBody{}
	}
	c.hand = handedStream{}
	c.result, c.age, c.lifetime, c.forward, c.detail = observe.NoCache, 0, 0, "", ""
}

// leaveCache ends what the request has begun with the cache: nobody may wait for
// a fetch that will not be.
func (r *request) leaveCache() {
	c := &r.caching
	if c.fetch != nil && !c.fetched {
		c.fetch.leave()
		c.fetch = nil
	}
	if c.fill != nil {
		c.fill.Leave()
		c.fill = nil
	}
}

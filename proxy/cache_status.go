package proxy

import (
	"strconv"
	"time"

	"weir/proxy/observe"
	"weir/proxy/wire"
)

var nameCacheStatus = []byte("Cache-Status")

// tellCache tells the client what the cache did (RFC 9211), behind what caches
// nearer to the origin have told.
func (r *request) tellCache() {
	c := &r.caching
	if c.rule == nil || !c.rule.status || c.result == observe.NoCache {
		return
	}
	b := append(r.field[:0], "weir"...)
	switch c.result {
	case observe.CacheHit, observe.CacheStale, observe.CacheRefreshed:
		b = append(b, "; hit"...)
		b = appendTTL(b, c)
	default:
		b = append(append(b, "; fwd="...), c.forward...)
		if r.x.UpstreamStatus != 0 {
			b = strconv.AppendInt(append(b, "; fwd-status="...), int64(r.x.UpstreamStatus), 10)
		}
		if c.kept {
			b = append(b, "; stored"...)
		}
		if c.result == observe.CacheCollapsed {
			b = append(b, "; collapsed"...)
		}
		if c.kept || c.result == observe.CacheCollapsed || c.result == observe.CacheRevalidated {
			b = appendTTL(b, c)
		}
	}
	if c.detail != "" {
		b = append(append(append(b, `; detail="`...), c.detail...), '"')
	}
	r.field = b
	if r.x.Lines != nil {
		c.head = wire.AppendField(c.head, nameCacheStatus, b)
		r.x.Lines = c.head
		return
	}
	r.x.Response.AddBytesKV(nameCacheStatus, b)
}

// appendTTL appends for how much longer the answer is fresh, in step with Age.
func appendTTL(b []byte, c *caching) []byte {
	return strconv.AppendInt(append(b, "; ttl="...), int64((c.lifetime-c.age.Truncate(time.Second))/time.Second), 10)
}

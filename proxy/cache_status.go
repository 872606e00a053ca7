package proxy

import (
	"strconv"
	"time"

	"weir/proxy/observe"
)

var nameCacheStatus = []byte("Cache-Status")

// tellCache tells the client what the cache did (RFC 9211), behind what caches
// nearer to the origin have told.
func (r *request) tellCache() {
	c := &r.caching
	if c.rule == nil || !c.rule.status {
		return
	}
	if c.result == observe.NoCache {
		if r.x.Refusal == nil {
			return
		}
		c.detail = r.x.Refusal.Cause
	}
	if r.x.Lines != nil { // of a stored answer, which stand in c.head
		c.head = append(r.appendCacheStatus(append(c.head, "Cache-Status: "...)), '\r', '\n')
		r.x.Lines = c.head
		return
	}
	r.field = r.appendCacheStatus(r.field[:0])
	r.x.Response.AddBytesKV(nameCacheStatus, r.field)
}

func (r *request) appendCacheStatus(b []byte) []byte {
	c := &r.caching
	b = append(b, "weir"...)
	switch c.result {
	case observe.NoCache: // neither hit nor sent on
	case observe.CacheHit, observe.CacheStale, observe.CacheRefreshed:
		b = appendTTL(append(b, "; hit"...), c)
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
		if r.x.Refusal == nil && (c.kept || c.result == observe.CacheCollapsed || c.result == observe.CacheRevalidated) {
			b = appendTTL(b, c)
		}
	}
	if c.detail != "" {
		b = append(append(append(b, `; detail="`...), c.detail...), '"')
	}
	return b
}

// appendTTL appends for how much longer the answer is fresh, in step with Age.
func appendTTL(b []byte, c *caching) []byte {
	return strconv.AppendInt(append(b, "; ttl="...), int64((c.lifetime-c.age.Truncate(time.Second))/time.Second), 10)
}

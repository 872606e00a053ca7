package proxy

import (
	"bytes"
	"strconv"
	"time"

	"weir/proxy/observe"
)

var (
	nameCacheStatus = []byte("Cache-Status")
	statusPrefix    = []byte("Cache-Status: ")
	crlf            = []byte("\r\n")
)

// tellCache tells the client what the cache did (RFC 9211), behind what caches
// nearer to the origin have told.
func (r *request) tellCache() {
	c := &r.caching
	if c.rule == nil || !c.rule.status {
		return
	}
	b := append(r.field[:0], "weir"...)
	switch c.result {
	case observe.NoCache: // neither hit nor sent on: refused
		if r.x.Refusal == nil {
			return
		}
		c.detail = r.x.Refusal.Cause
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
		if r.x.Refusal == nil && (c.kept || c.result == observe.CacheCollapsed || c.result == observe.CacheRevalidated) {
			b = appendTTL(b, c)
		}
	}
	if c.detail != "" {
		b = append(append(append(b, `; detail="`...), c.detail...), '"')
	}
	r.field = b
	for bytes.HasPrefix(r.x.Lines, statusPrefix) { // what is stored would come behind
		line, rest, _ := bytes.Cut(r.x.Lines, crlf)
		r.x.Response.AddBytesKV(nameCacheStatus, line[len(statusPrefix):])
		r.x.Lines = rest
	}
	r.x.Response.AddBytesKV(nameCacheStatus, b)
}

// appendTTL appends for how much longer the answer is fresh, in step with Age.
func appendTTL(b []byte, c *caching) []byte {
	return strconv.AppendInt(append(b, "; ttl="...), int64((c.lifetime-c.age.Truncate(time.Second))/time.Second), 10)
}

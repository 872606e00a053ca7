package proxy

import (
	"net/textproto"
	"sort"

	"github.com/valyala/fasthttp"

	"weir/proxy/config"
)

// headerChanges are a route's changes to a header section, in the order in
// which they are made: remove, set, append. Nil changes nothing.
type headerChanges struct {
	remove      []string
	set, append []headerField
}

type headerField struct{ name, value []byte }

func compileHeaders(h *config.Headers, variables map[string]string) *headerChanges {
	if h == nil {
		return nil
	}
	return &headerChanges{
		remove: h.Remove,
		set:    compileFields(h.Set, variables),
		append: compileFields(h.Append, variables),
	}
}

func compileFields(fields map[string]string, variables map[string]string) []headerField {
	out := make([]headerField, 0, len(fields))
	for name, value := range fields {
		out = append(out, headerField{
			name:  []byte(textproto.CanonicalMIMEHeaderKey(name)),
			value: []byte(config.Expand(value, variables)),
		})
	}
	sort.Slice(out, func(i, j int) bool { return string(out[i].name) < string(out[j].name) })
	return out
}

func (c *headerChanges) applyToRequest(h *fasthttp.RequestHeader) {
	if c == nil {
		return
	}
	for _, name := range c.remove {
		h.Del(name)
	}
	for _, f := range c.set {
		h.DelBytes(f.name) // or lines after the first would stay
		h.SetBytesKV(f.name, f.value)
	}
	for _, f := range c.append {
		h.AddBytesKV(f.name, f.value)
	}
}

func (c *headerChanges) applyToResponse(h *fasthttp.ResponseHeader) {
	if c == nil {
		return
	}
	for _, name := range c.remove {
		h.Del(name)
	}
	for _, f := range c.set {
		h.DelBytes(f.name)
		h.SetBytesKV(f.name, f.value)
	}
	for _, f := range c.append {
		h.AddBytesKV(f.name, f.value)
	}
}

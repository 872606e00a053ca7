package proxy

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"weir/cache"
	"weir/proxy/admin"
	"weir/proxy/config"
	"weir/proxy/exchange"
	"weir/proxy/route"
)

// Purge removes stored answers, fetches under way included: no request that
// begins after it has returned gets one of them.
func (g *Gateway) Purge(p admin.Purge) error {
	if p.Stage != "" && !g.live.Load().stages[p.Stage] {
		return noStage(p.Stage, g.live.Load())
	}
	out := cache.Purge{Soft: p.Soft, Stage: p.Stage, Host: strings.ToLower(p.Host), Tags: p.Tags}
	switch {
	case p.URL != "":
		return g.purgeURL(p.URL, out)
	case p.Prefix != "":
		if err := prefixOf(p.Prefix, &out); err != nil {
			return err
		}
	}
	if g.cache == nil {
		return admin.ErrNoCache
	}
	return g.purgeAll(out)
}

func noStage(name string, live *compiled) error {
	near := config.Nearest(name, func(yield func(string) bool) {
		for stage := range live.stages {
			if !yield(stage) {
				return
			}
		}
	})
	if near != "" {
		return fmt.Errorf("%w: %q; did you mean %q?", admin.ErrNoStage, name, near)
	}
	return fmt.Errorf("%w: %q; write api/stage", admin.ErrNoStage, name)
}

// purgeURL removes the answers of one URI, by its query as the keys of each route
// of its stage have it.
func (g *Gateway) purgeURL(text string, p cache.Purge) error {
	u, err := parsePlace(text)
	if err != nil {
		return err
	}
	host, path := appendHost(nil, []byte(u.Host), u.Scheme), []byte(u.EscapedPath())
	if len(path) == 0 {
		path = []byte("/")
	}
	if path, err = route.AppendCanonical(nil, path); err != nil {
		return fmt.Errorf("%w: %q: %w", admin.ErrMalformed, text, err)
	}
	if g.cache == nil {
		return admin.ErrNoCache
	}
	p.Host, p.Path = string(host), string(path)
	p.Query = u.RawQuery
	later := g.purgeAll(p)
	mapping, _, found := g.live.Load().domains.Find([]byte(u.Host), path)
	if found != route.Found {
		return later
	}
	for _, rule := range mapping.stage.queries {
		ruled, _ := rule.append(nil, []byte(u.RawQuery), nil)
		if p.Query = string(ruled); p.Query != u.RawQuery {
			later = errors.Join(later, g.purgeAll(p))
		}
	}
	return later
}

// parsePlace reads an absolute URL of http or https.
func parsePlace(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		var why *url.Error
		if errors.As(err, &why) {
			err = why.Err
		}
		return nil, fmt.Errorf("%w: %q: %w", admin.ErrMalformed, text, err)
	}
	if u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return nil, fmt.Errorf("%w: %q; write a whole URL, such as https://example.org/path", admin.ErrMalformed, text)
	}
	return u, nil
}

// prefixOf reads the begin of a URL, or of a path.
func prefixOf(text string, p *cache.Purge) error {
	path := text
	if !strings.HasPrefix(text, "/") {
		u, err := parsePlace(text)
		switch {
		case err != nil:
			return err
		case p.Host != "":
			return fmt.Errorf("%w: the prefix has a host itself", admin.ErrMalformed)
		}
		p.Host, path = string(appendHost(nil, []byte(u.Host), u.Scheme)), u.EscapedPath()
	}
	if strings.ContainsAny(text, "?#") {
		return fmt.Errorf("%w: a prefix ends before the query", admin.ErrMalformed)
	}
	p.Prefix = true
	if path == "" || path == "/" {
		p.Path = "/"
		return nil
	}
	canonical, err := route.AppendCanonical(nil, []byte(path))
	if err != nil {
		return fmt.Errorf("%w: %q: %w", admin.ErrMalformed, text, err)
	}
	p.Path = string(canonical)
	return nil
}

// nameSoftPurge asks for a soft purge beside the method PURGE.
var nameSoftPurge = []byte("Weir-Soft-Purge")

// purge answers the method PURGE where the route that takes GET says from whom it
// is taken; elsewhere it is a method like others. It tells whether it has answered.
func (g *Gateway) purge(r *request) bool {
	x := r.x
	if g.cache == nil || string(x.Request.Method()) != "PURGE" {
		return false
	}
	takesGet, found := r.mapping.stage.tree.Find(methodGet, r.rest, &r.params, r)
	if found != route.Found {
		return false
	}
	policy := takesGet.cacheFor(methodGet)
	if policy == nil || len(policy.purgeFrom) == 0 {
		return false
	}
	r.route = takesGet
	if !contains(policy.purgeFrom, x.Client) {
		x.Refuse(exchange.MayNotPurge)
		return true
	}
	place := policy.placeOf(r)
	soft := string(x.Request.PeekCanonical(nameSoftPurge)) == "1"
	if r.explained != nil {
		r.explained.add("route", "would purge the answers of this URI")
		return true
	}
	later := g.purgeAll(cache.Purge{Soft: soft, Host: string(place.Host), Path: string(place.Path), Query: string(place.Query)})
	g.log.Info().Str("action", "PURGE").Bytes("host", place.Host).Bytes("path", place.Path).Bool("soft", soft).
		Stringer("client", x.Client).Bytes("request_id", x.RequestID).AnErr("later", later).Msg("a purge of the cache was asked for")
	x.Response.SetStatusCode(200)
	x.Response.SetContentType("application/json")
	x.Response.SetCanonical(nameCacheControl, noStore)
	x.Bytes = purgedHard
	if soft {
		x.Bytes = purgedSoft
	}
	return true
}

var (
	methodGet  = []byte("GET")
	purgedHard = []byte("{\"purged\":true}\n")
	purgedSoft = []byte("{\"purged\":true,\"soft\":true}\n")
)

func contains(prefixes []netip.Prefix, address netip.Addr) bool {
	address = address.Unmap()
	for _, p := range prefixes {
		if p.Contains(address) {
			return true
		}
	}
	return false
}

// CacheStates returns what the cache holds, and what it did by stage.
func (g *Gateway) CacheStates() any {
	s := g.cacheStats()
	return map[string]any{
		"size": g.options.Cache.Size, "entries": s.Entries, "bytes": s.Bytes, "fills": s.Fills, "waiting": s.Waiting,
		"stored": s.Stored, "evicted": s.Evicted, "rejected": s.Rejected, "purged": s.Purged, "expired": s.Expired,
		"stages": g.metrics.CacheResults(),
	}
}

// cacheStats returns the counts of the cache, zeros where there is none.
func (g *Gateway) cacheStats() cache.Stats {
	if g.cache == nil {
		return cache.Stats{}
	}
	return g.cache.Stats()
}

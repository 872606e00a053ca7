package proxy

import (
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"

	"weir/cache"
	"weir/cache/policy"
	"weir/cache/record"
	tier "weir/cache/shared"
	"weir/proxy/admin"
	"weir/proxy/config"
	"weir/ratelimit/shared"
)

// secondTier is what nodes share of the cache, with the settings that it was
// opened with. It outlives documents that say the same.
type secondTier struct {
	now      atomic.Pointer[tier.Tier] // nil without one
	mutex    sync.Mutex
	settings config.Redis
}

// shareCache compiles how nodes share the cache; nil where they do not.
func (c *compiler) shareCache() *shared.Config {
	of := c.document.Redis
	if of == nil || !of.Cache || c.g.cache == nil {
		return nil
	}
	to, err := redisConfig(*of)
	if err != nil {
		c.mistake(config.Path("redis"), err)
		return nil
	}
	return &to
}

// followTier opens the second tier that a document says, or goes on with what is
// open.
func (g *Gateway) followTier(c *compiled) {
	s := &g.tier
	s.mutex.Lock()
	defer s.mutex.Unlock()
	old := s.now.Load()
	if c.shareCache != nil && old != nil && reflect.DeepEqual(s.settings, *c.document.Redis) {
		return
	}
	var next *tier.Tier
	if c.shareCache != nil {
		var err error
		if next, err = tier.New(tier.Config{Redis: *c.shareCache, Cache: g.cache, Position: g.heardOf(), Notify: g.tierChanged}); err != nil {
			g.log.Error().Err(err).Msg("cannot share the cache")
		}
		s.settings = *c.document.Redis
	}
	s.now.Store(next)
	if old != nil {
		old.Close()
	}
}

func (g *Gateway) tierChanged(away bool, err error) {
	if away {
		g.log.Error().Err(err).Msg("redis is away; the cache is this node's alone")
		return
	}
	g.log.Info().Msg("redis is there; the cache is shared")
}

// heardOf returns how far the purges of other nodes are known of.
func (g *Gateway) heardOf() record.Position {
	switch t := g.tier.now.Load(); {
	case t != nil:
		return t.Position()
	case g.restoring != nil:
		return g.restoring.Position()
	}
	return record.Position{}
}

// purgeAll purges here and on all nodes that share the cache. The error says
// which of them will hear of it later.
func (g *Gateway) purgeAll(p cache.Purge) error {
	if t := g.tier.now.Load(); t != nil {
		if err := t.Purge(p); err != nil {
			return fmt.Errorf("%w: %w", admin.ErrLater, err)
		}
		return nil
	}
	g.cache.Purge(p)
	return nil
}

// purgeSoon is purgeAll for requests, which must not wait for other nodes.
func (g *Gateway) purgeSoon(p cache.Purge) {
	if t := g.tier.now.Load(); t != nil {
		t.PurgeSoon(p)
		return
	}
	g.cache.Purge(p)
}

// invalidateAll has the answers of a URI validated before they are used again,
// here and, soon, on all nodes that share the cache.
func (g *Gateway) invalidateAll(host, path, query []byte) {
	if t := g.tier.now.Load(); t != nil {
		t.Invalidate(host, path, query)
		return
	}
	g.cache.Invalidate(host, path, query)
}

// fromTier ends the fetch with what another node has stored, where that can be
// given at once.
func (d *fetching) fromTier() bool {
	t := d.g.tier.now.Load()
	if t == nil || d.fill.Stale() != nil {
		return false
	}
	found := t.Get(&d.key, d)
	e := found.Entry
	if e == nil || found.Validate || d.rule.rules.Use(&e.Terms, &d.r.caching.asks, d.g.resident(e)) != policy.Serve {
		return false
	}
	d.r.caching.detail = "another node has fetched it"
	d.fill.Answer(e, d)
	d.fill.Done(nil)
	return true
}

// toTier gives other nodes what was stored.
func (g *Gateway) toTier(e *cache.Entry) {
	if t := g.tier.now.Load(); t != nil {
		t.Put(e)
	}
}

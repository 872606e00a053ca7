package config

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"time"
)

// ModeAWS is the mode of a cache that does as AWS's.
const ModeAWS = "aws"

// CacheOf returns what holds of the cache for one method of a route in a stage,
// everything filled in; nil for no cache. The method is AnyMethod for those that
// the route takes without naming them. It belongs to the caller, its lists do not.
func (d *Document) CacheOf(api, stage string, route int, method string) *Cache {
	of := d.APIs[api]
	r, set := &of.Routes[route], of.Stages[stage]
	if r.Upstream == "" {
		return nil
	}
	var out *Cache
	for _, level := range cacheLevels(&of, &set, r, method) {
		out = out.Or(level)
	}
	if out == nil || out.Enabled != nil && !*out.Enabled {
		return nil
	}
	// New throughout: defaults are written into it.
	out = out.Or(&Cache{Key: &CacheKey{Query: &CacheQuery{}}, Collapse: &CacheCollapse{}, Invalidation: &CacheInvalidation{}})
	filler{shapes{}, true}.structure(reflect.ValueOf(out).Elem())
	if out.Methods == nil {
		out.Methods = []string{"GET"}
		if key, _ := methodSetting(&set, r, method); out.Mode == ModeAWS && namesMethod(key, method) {
			out.Methods = []string{method}
		}
	}
	if out.Mode == ModeAWS {
		return out.likeAWS()
	}
	return out
}

// awsTTL is how long AWS keeps an answer where nobody says, and maxAWSTTL the
// longest that it does.
const (
	awsTTL    = Duration(300 * time.Second)
	maxAWSTTL = Duration(3600 * time.Second)
)

func (c *Cache) likeAWS() *Cache {
	if c.TTL == nil {
		ttl := awsTTL
		c.TTL = &ttl
	}
	if *c.TTL == 0 && len(c.Statuses) == 0 {
		return nil
	}
	return c
}

// namesMethod tells whether a key of methodSettings is for that method alone.
func namesMethod(key, method string) bool {
	return method != AnyMethod && strings.HasSuffix(key, "/"+method)
}

// cacheLevels returns what says something of a method's cache, the nearest first.
func cacheLevels(api *API, stage *Stage, route *Route, method string) []*Cache {
	levels := []*Cache{route.Cache}
	if key, set := methodSetting(stage, route, method); key != "" {
		levels = append(levels, set.Cache)
	}
	levels = append(levels, stage.MethodSettings[AllMethods].Cache, stage.Cache, api.Cache)
	return slices.DeleteFunc(levels, func(c *Cache) bool { return c == nil })
}

// methodSetting finds the nearest settings of a method that say something of its
// cache, those of every method apart; "" for none.
func methodSetting(stage *Stage, route *Route, method string) (string, MethodSettings) {
	for _, key := range SettingKeys(route.Path, method) {
		if set, found := stage.MethodSettings[key]; found && set.Cache != nil {
			return key, set
		}
	}
	return "", MethodSettings{}
}

// SettingKeys returns what a stage or a plan may call a method of a path, the
// exact name first.
func SettingKeys(path, method string) []string {
	if path == DefaultName {
		return []string{path}
	}
	keys := []string{path + "/" + method, path + "/*"}
	if path == "/" {
		keys = append(keys, "/"+method, "/*")
	}
	return keys
}

// Or returns c with all that is not set taken from other; nil where both are.
// Lists and mappings of statuses are taken as a whole.
func (c *Cache) Or(other *Cache) *Cache {
	if c == nil || other == nil {
		return cmp.Or(c, other)
	}
	return &Cache{
		Enabled: cmp.Or(c.Enabled, other.Enabled), Mode: cmp.Or(c.Mode, other.Mode),
		TTL: cmp.Or(c.TTL, other.TTL), Statuses: orMap(c.Statuses, other.Statuses), Only: orList(c.Only, other.Only),
		Heuristic: cmp.Or(c.Heuristic, other.Heuristic), MaxTTL: cmp.Or(c.MaxTTL, other.MaxTTL),
		StaleWhileRevalidate: cmp.Or(c.StaleWhileRevalidate, other.StaleWhileRevalidate),
		StaleIfError:         cmp.Or(c.StaleIfError, other.StaleIfError),
		Methods:              orList(c.Methods, other.Methods), MaxObject: cmp.Or(c.MaxObject, other.MaxObject),
		SetCookie: cmp.Or(c.SetCookie, other.SetCookie), Directives: cmp.Or(c.Directives, other.Directives),
		Key: c.Key.or(other.Key), Collapse: c.Collapse.or(other.Collapse),
		Compress: cmp.Or(c.Compress, other.Compress), Status: cmp.Or(c.Status, other.Status),
		Invalidation: c.Invalidation.or(other.Invalidation), PurgeFrom: orList(c.PurgeFrom, other.PurgeFrom),
	}
}

func (k *CacheKey) or(other *CacheKey) *CacheKey {
	if k == nil || other == nil {
		return cmp.Or(k, other)
	}
	return &CacheKey{
		Query: k.Query.or(other.Query), Headers: orList(k.Headers, other.Headers), Cookies: orList(k.Cookies, other.Cookies),
		Callers: cmp.Or(k.Callers, other.Callers), Parameters: orList(k.Parameters, other.Parameters),
		Namespace: cmp.Or(k.Namespace, other.Namespace), Vary: orMap(k.Vary, other.Vary),
	}
}

func (q *CacheQuery) or(other *CacheQuery) *CacheQuery {
	if q == nil || other == nil {
		return cmp.Or(q, other)
	}
	out := &CacheQuery{Allow: q.Allow, Deny: q.Deny, Sort: cmp.Or(q.Sort, other.Sort)}
	if q.Allow == nil && q.Deny == nil { // they exclude each other
		out.Allow, out.Deny = other.Allow, other.Deny
	}
	return out
}

func (c *CacheCollapse) or(other *CacheCollapse) *CacheCollapse {
	if c == nil || other == nil {
		return cmp.Or(c, other)
	}
	return &CacheCollapse{Enabled: cmp.Or(c.Enabled, other.Enabled), Wait: cmp.Or(c.Wait, other.Wait)}
}

func (i *CacheInvalidation) or(other *CacheInvalidation) *CacheInvalidation {
	if i == nil || other == nil {
		return cmp.Or(i, other)
	}
	return &CacheInvalidation{
		RequireAuthorization: cmp.Or(i.RequireAuthorization, other.RequireAuthorization),
		Unauthorized:         cmp.Or(i.Unauthorized, other.Unauthorized),
	}
}

// orList returns a, and b where a is not written; an empty list is.
func orList[T any](a, b []T) []T {
	if a != nil {
		return a
	}
	return b
}

func orMap[K comparable, V any](a, b map[K]V) map[K]V {
	if a != nil {
		return a
	}
	return b
}

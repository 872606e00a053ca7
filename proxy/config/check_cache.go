package config

import (
	"slices"
	"strings"
)

// cacheUse is one written cache, and what it holds for.
type cacheUse struct {
	cache         *Cache
	at            *place
	aws, standard bool     // modes in which it has a part
	paths         []string // paths of routes whose key it gives
	kind          string
}

// caches checks what an API, its stages and its routes say of the cache. What
// depends on the mode is looked at where everything is put together.
func (r *routeChecker) caches(api *API, at *place) {
	uses := map[*Cache]*cacheUse{}
	var inText []*cacheUse
	written := func(c *Cache, where *place, kind string) {
		if c != nil {
			uses[c] = &cacheUse{cache: c, at: where, kind: kind}
			inText = append(inText, uses[c])
			r.cache(c, where)
		}
	}
	written(api.Cache, at.kid("cache"), "api")
	for i := range api.Routes {
		written(api.Routes[i].Cache, at.kid("routes").item(i).kid("cache"), "route")
	}
	for _, name := range r.stageNames {
		stage, here := r.stages[name], at.kid("stages").kid(name)
		written(stage.Cache, here.kid("cache"), "stage")
		for _, key := range inOrder(stage.MethodSettings, here.kid("methodSettings")) {
			kind := "method"
			if key == AllMethods {
				kind = "stage"
			}
			written(stage.MethodSettings[key].Cache, here.kid("methodSettings").kid(key).kid("cache"), kind)
		}
	}
	if len(inText) == 0 {
		return
	}
	for _, name := range r.stageNames {
		stage := r.stages[name]
		for i := range api.Routes {
			route := &api.Routes[i]
			for _, method := range route.CacheMethods() {
				useCaches(uses, cacheLevels(api, &stage, route, method), route)
			}
		}
	}
	for _, use := range inText {
		r.cacheInModes(use)
	}
}

// useCaches notes in which mode the caches of one method have their part.
func useCaches(uses map[*Cache]*cacheUse, levels []*Cache, route *Route) {
	if route.Upstream == "" {
		return
	}
	var whole *Cache
	for _, c := range levels {
		if mode := uses[c].at.find("mode"); mode != nil && mode.spoiled {
			return
		}
		whole = whole.Or(c)
	}
	parameters := false
	for _, c := range levels {
		use := uses[c]
		if whole.Mode != ModeAWS {
			use.standard = true
			continue
		}
		use.aws = true
		if c.Key != nil && c.Key.Parameters != nil && !parameters {
			parameters = true
			use.paths = append(use.paths, route.Path)
		}
	}
}

// cacheInModes checks what has its meaning in one mode only.
func (r *routeChecker) cacheInModes(use *cacheUse) {
	c, at := use.cache, use.at
	if use.aws {
		r.awsTTLs(c, at)
	}
	if c.Mode == ModeAWS {
		for _, name := range []string{"heuristic", "maxTTL", "clientDirectives"} {
			if written := at.find(name); written != nil {
				r.mistake(written, quote(name)+" has no effect in mode aws", "there, every answer is kept for ttl")
			}
		}
	}
	if use.aws {
		r.cacheParameters(use)
		if key := at.find("key"); key != nil && !use.standard {
			for _, name := range []string{"query", "headers", "cookies"} {
				if written := key.find(name); written != nil {
					r.mistake(written, quote(name)+" has no effect in mode aws", "there, only parameters tell answers apart")
				}
			}
		}
		return
	}
	if !use.standard {
		return
	}
	needsAWS := func(written *place, what string) {
		if written != nil {
			r.mistake(written, what+" has no effect in mode standard", "write mode: aws")
		}
	}
	needsAWS(at.find("invalidation"), `"invalidation"`)
	if key := at.find("key"); key != nil {
		needsAWS(key.find("parameters"), `"parameters"`)
		needsAWS(key.find("namespace"), `"namespace"`)
	}
	for i, method := range c.Methods {
		if method != "GET" && method != "HEAD" && method != "QUERY" {
			r.mistake(at.kid("methods").item(i), "answers to "+method+" are kept in mode aws only", "")
		}
	}
}

func (r *routeChecker) awsTTLs(c *Cache, at *place) {
	const problem, suggestion = " is too long for mode aws", "there, answers are kept at most 3600s"
	if c.TTL != nil && *c.TTL > maxAWSTTL {
		r.mistake(at.kid("ttl"), c.TTL.String()+problem, suggestion)
	}
	for _, status := range inOrder(c.Statuses, at.kid("statuses")) {
		if ttl := c.Statuses[status]; ttl > maxAWSTTL {
			r.mistake(at.kid("statuses").kid(status), ttl.String()+problem, suggestion)
		}
	}
}

// CacheParameter is one of AWS's cacheKeyParameters, taken apart.
type CacheParameter struct {
	Kind string // path, querystring or header
	Name string
}

// ParseCacheParameter takes apart method.request.querystring.NAME and its like.
func ParseCacheParameter(text string) (CacheParameter, error) {
	p, wrong := parseCacheParameter(text)
	if wrong != nil {
		return CacheParameter{}, wrong
	}
	return p, nil
}

func parseCacheParameter(text string) (CacheParameter, *complaint) {
	const suggestion = "write method.request.path.NAME, method.request.querystring.NAME or method.request.header.NAME"
	rest, found := strings.CutPrefix(strings.TrimPrefix(text, "method."), "request.")
	kind, name, named := strings.Cut(rest, ".")
	switch {
	case !found:
		return CacheParameter{}, complain(quote(text)+" is no parameter of a request", suggestion)
	case !slices.Contains([]string{"path", "querystring", "header"}, kind):
		suggested := suggestName(kind, slices.Values([]string{"path", "querystring", "header"}))
		if suggested == "" {
			suggested = suggestion
		}
		return CacheParameter{}, complain(quote(kind)+" is not path, querystring or header", suggested)
	case !named || name == "":
		return CacheParameter{}, complain(quote(text)+" names no parameter", suggestion)
	case kind == "header" && !isToken(name):
		return CacheParameter{}, complain(quote(name)+" is not the name of a header", "")
	}
	return CacheParameter{kind, name}, nil
}

// cacheParameters checks that path parameters are in the path: for a route or a
// method in its own, for all routes together in one of theirs.
func (r *routeChecker) cacheParameters(use *cacheUse) {
	if use.cache.Key == nil || len(use.paths) == 0 {
		return
	}
	for i, text := range use.cache.Key.Parameters {
		p, wrong := parseCacheParameter(text)
		if wrong != nil || p.Kind != "path" {
			continue
		}
		if slices.ContainsFunc(use.paths, func(path string) bool {
			return strings.Contains(path, "{"+p.Name+"}") || strings.Contains(path, "{"+p.Name+"+}")
		}) {
			continue
		}
		where := use.at.kid("key").kid("parameters").item(i)
		problem := "no path has a parameter " + quote(p.Name)
		if use.kind == "route" || use.kind == "method" {
			problem = "the path " + quote(use.paths[0]) + " has no parameter " + quote(p.Name)
		}
		r.mistake(where, problem, r.suggest(p.Name, paramsOf(use.paths)))
	}
}

// paramsOf returns the names of the parameters in paths that can be read.
func paramsOf(paths []string) (names []string) {
	for _, path := range paths {
		segments, _ := parsePattern(path)
		for _, s := range segments {
			if s.Kind != Static {
				names = append(names, s.Text)
			}
		}
	}
	return names
}

// cache checks what is wrong whatever the mode is.
func (r *routeChecker) cache(c *Cache, at *place) {
	for _, status := range inOrder(c.Statuses, at.kid("statuses")) {
		r.complainKey(at.kid("statuses").kid(status), checkStatus(status))
	}
	for i, status := range c.Only {
		r.complain(at.kid("only").item(i), checkStatus(status))
	}
	r.noTwins(c.Only, at.kid("only"))
	r.noTwins(c.Methods, at.kid("methods"))
	if i := slices.Index(c.Methods, "HEAD"); i >= 0 && !slices.Contains(c.Methods, "GET") {
		r.mistake(at.kid("methods").item(i), "HEAD is answered from what is kept of GET", "write GET")
	}
	if k := c.Key; k != nil {
		r.cacheKey(k, at.kid("key"))
	}
	for i, prefix := range c.PurgeFrom {
		if slices.Contains(c.PurgeFrom[:i], prefix) {
			r.mistake(at.kid("purgeFrom").item(i), quote(prefix.String())+" is there twice", "")
		}
	}
}

// checkStatus checks a status or a class of them that answers can be kept with.
func checkStatus(status string) *complaint {
	if len(status) != 3 || status[0] < '1' || status[0] > '5' ||
		status[1:] != "xx" && (strings.Trim(status, "0123456789") != "") {
		return complain(quote(status)+" is not a status", "write 404, or 5xx for all that begin so")
	}
	switch {
	case status[0] == '1':
		return complain("interim answers are never kept", "")
	case status == "206":
		return complain("an answer of 206 is only a part, and never kept", "whole answers serve requests for parts")
	case status == "304":
		return complain("an answer of 304 is never kept", "it renews the stored one")
	}
	return nil
}

func (r *routeChecker) cacheKey(k *CacheKey, at *place) {
	r.fieldNames(k.Headers, at.kid("headers"), func(name string) *complaint {
		switch strings.ToLower(name) {
		case "cookie":
			return complain("a whole Cookie is hardly ever the same twice", "write cookies: [NAME]")
		case "host":
			return complain("the host tells answers apart as it is", "")
		}
		return nil
	})
	for i, name := range k.Cookies {
		if !isToken(name) {
			r.mistake(at.kid("cookies").item(i), quote(name)+" is not the name of a cookie", "")
		}
	}
	r.noTwins(k.Cookies, at.kid("cookies"))
	for i, text := range k.Parameters {
		_, wrong := parseCacheParameter(text)
		r.complain(at.kid("parameters").item(i), wrong)
	}
	r.noTwins(k.Parameters, at.kid("parameters"))
	if q := k.Query; q != nil {
		here := at.kid("query")
		if q.Allow != nil && q.Deny != nil {
			r.mistake(here, "the query has both allow and deny", "keep one of them")
		}
		r.queryNames(q.Allow, here.kid("allow"))
		r.queryNames(q.Deny, here.kid("deny"))
	}
	vary, seen := at.kid("vary"), map[string]string{}
	for _, name := range inOrder(k.Vary, vary) {
		here := vary.kid(name)
		if !isToken(name) {
			r.complainKey(here, complain(quote(name)+" is not the name of a header", ""))
		}
		r.twice(seen, name, here)
		if len(k.Vary[name]) == 0 {
			r.mistake(here, "no value of "+name+" matters", "write those that do, such as Accept-Encoding: [br, gzip]")
		}
		for i, value := range k.Vary[name] {
			if value == "" || strings.ContainsAny(value, ",;") || checkFieldValue(value) != nil {
				r.mistake(here.item(i), quote(value)+" is not one value", "write each by itself, without its weight")
			}
		}
	}
}

// fieldNames checks a list of headers.
func (r *routeChecker) fieldNames(names []string, at *place, check func(string) *complaint) {
	for i, name := range names {
		here := at.item(i)
		switch {
		case !isToken(name):
			r.mistake(here, quote(name)+" is not the name of a header", "")
		case slices.ContainsFunc(names[:i], func(other string) bool { return strings.EqualFold(other, name) }):
			r.mistake(here, "the header is there twice", "")
		default:
			r.complain(here, check(name))
		}
	}
}

// queryNames checks names of query parameters, each of which may end with *.
func (r *routeChecker) queryNames(names []string, at *place) {
	for i, name := range names {
		switch star := strings.IndexByte(name, '*'); {
		case name == "":
			r.mistake(at.item(i), "the name of the parameter is empty", "")
		case star >= 0 && star < len(name)-1:
			r.mistake(at.item(i), "the * of "+quote(name)+" is not at its end", "names are matched by how they begin")
		}
	}
	r.noTwins(names, at)
}

// CacheMethods returns the methods of a route that may have a cache of their own;
// AnyMethod among them stands for all others.
func (r *Route) CacheMethods() []string {
	if len(r.Methods) == 0 || slices.Contains(r.Methods, AnyMethod) {
		return []string{"GET", "HEAD", "QUERY", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", AnyMethod}
	}
	return r.Methods
}

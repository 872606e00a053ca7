package proxy

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"math"
	"net/netip"
	"net/textproto"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/cache/policy"
	"weir/proxy/config"
)

// cachePolicy is what holds of the cache for methods of one route in one stage.
// It is immutable, and shared by all methods for which the same holds.
type cachePolicy struct {
	rules     policy.Rules
	aws       bool
	methods   []string // that are looked up, GET standing for HEAD too
	maxObject int64

	stage    string // "api/stage"
	prefix   []byte // what its keys begin with: no two routes share it but by a namespace
	key      keyRule
	anyPath  bool // the route takes every path, so that in mode aws the path is a part of keys
	vary     map[string]*policy.Normal
	unkeyed  [][]byte      // fields that a fetch for everybody must not carry
	collapse bool          // requests for the same answer wait for one fetch
	wait     time.Duration // for its head
	compress bool
	status   bool // answers carry Cache-Status

	invalidation cacheInvalidation
	purgeFrom    []netip.Prefix
}

// cacheInvalidation says who may have an answer replaced in mode aws, and what
// becomes of those who may not.
type cacheInvalidation struct {
	needsCaller bool
	refuse      bool // with 403
	warn        bool // else, by a Warning
}

// keyRule says what of a request tells answers apart beside method, scheme, host
// and path.
type keyRule struct {
	query      *queryRule // nil: the whole query as it is
	headers    [][]byte   // in canonical case
	cookies    [][]byte
	shared     bool // all callers have the same answers
	parameters []keyParameter
}

// keyParameter is one of AWS's cacheKeyParameters.
type keyParameter struct {
	kind string // path, querystring or header
	name string // of a header in canonical case
}

// methodCache is the cache of one method; "" is every one that has none of its own.
type methodCache struct {
	method string
	policy *cachePolicy
}

// cacheFor returns what holds of the cache for requests of a method, nil for no
// cache. HEAD is answered from what is kept of GET.
func (l *liveRoute) cacheFor(method []byte) *cachePolicy {
	for i := range l.caches {
		if c := &l.caches[i]; c.method == "" || c.method == string(method) {
			return c.policy
		}
	}
	return nil
}

// caches compiles the cache of a route in a stage, method by method; nil for none.
func (c *compiler) caches(at place, i int, s config.Stage) []methodCache {
	if c.g.options.Cache.Size <= 0 {
		return nil
	}
	of := &c.document.APIs[at.api].Routes[i]
	var out []methodCache
	var seen []*config.Cache // in step with out
	for _, method := range of.CacheMethods() {
		as := method
		if method == "HEAD" && slices.Contains(of.CacheMethods(), "GET") {
			as = "GET"
		}
		settings := c.document.CacheOf(at.api, at.stage, i, as)
		made := methodCache{method: method}
		if method == config.AnyMethod {
			made.method = ""
		}
		same := slices.IndexFunc(seen, func(other *config.Cache) bool { return reflect.DeepEqual(other, settings) })
		switch {
		case same >= 0:
			made.policy = out[same].policy
		case settings != nil:
			made.policy = c.cachePolicy(at, of, s, settings)
		}
		out, seen = append(out, made), append(seen, settings)
	}
	different := func(m methodCache) bool { return m.policy != out[0].policy }
	switch {
	case slices.ContainsFunc(out, different):
		return out
	case out[0].policy == nil:
		return nil
	}
	return []methodCache{{policy: out[0].policy}} // the tree lets no other method come here
}

// addQueryRules adds the query rules of caches to a list that has each once.
func addQueryRules(list []*queryRule, caches []methodCache) []*queryRule {
	for _, c := range caches {
		if c.policy == nil || c.policy.key.query == nil {
			continue
		}
		rule := c.policy.key.query
		if !slices.ContainsFunc(list, func(other *queryRule) bool { return reflect.DeepEqual(other, rule) }) {
			list = append(list, rule)
		}
	}
	return list
}

func (c *compiler) cachePolicy(at place, of *config.Route, s config.Stage, set *config.Cache) *cachePolicy {
	aws := set.Mode == config.ModeAWS
	p := &cachePolicy{
		rules: cacheRules(set), aws: aws, methods: set.Methods, stage: at.api + "/" + at.stage,
		maxObject: int64(set.MaxObject),
		collapse:  *set.Collapse.Enabled, wait: time.Duration(set.Collapse.Wait),
		compress: *set.Compress, status: *set.Status, purgeFrom: set.PurgeFrom,
		invalidation: cacheInvalidation{
			needsCaller: *set.Invalidation.RequireAuthorization,
			refuse:      set.Invalidation.Unauthorized == "FAIL_WITH_403",
			warn:        set.Invalidation.Unauthorized == "SUCCEED_WITH_RESPONSE_HEADER",
		},
	}
	switch set.MaxObject {
	case 0:
		p.maxObject = c.g.options.Cache.MaxObject
	case config.Unlimited:
		p.maxObject = math.MaxInt64
	}
	if p.wait == 0 {
		p.wait = 5 * time.Second
	}
	p.key = newKeyRule(set.Key, aws)
	p.vary = make(map[string]*policy.Normal, len(set.Key.Vary))
	for name, values := range set.Key.Vary {
		p.vary[textproto.CanonicalMIMEHeaderKey(name)] = &policy.Normal{Values: values}
	}
	p.unkeyed = p.key.unkeyed()
	p.anyPath = of.Path == config.DefaultName
	p.prefix = cachePrefix(p, of, s, set)
	return p
}

// cachePrefix names what makes the answers of a route: two routes, or one before
// and after a change of it, must not share them. Nodes with the same document
// agree on it, and so does a process with the one before it.
func cachePrefix(p *cachePolicy, of *config.Route, s config.Stage, set *config.Cache) []byte {
	if p.aws && set.Key.Namespace != "" {
		return []byte("namespace\x00" + p.stage + "\x00" + set.Key.Namespace)
	}
	expand := func(h *config.Headers) any {
		if h == nil {
			return nil
		}
		changes := compileHeaders(h, s.Variables)
		text := [][]string{h.Remove, {"set"}}
		for _, f := range changes.set {
			text = append(text, []string{string(f.name), string(f.value)})
		}
		text = append(text, []string{"append"})
		for _, f := range changes.append {
			text = append(text, []string{string(f.name), string(f.value)})
		}
		return text
	}
	identity, err := json.Marshal([]any{
		set.Mode, of.Path, of.Match, config.Expand(of.Upstream, s.Variables), of.Host, of.Rewrite,
		expand(of.RequestHeaders), expand(of.ResponseHeaders), set.SetCookie, set.Compress, set.Key,
	})
	if err != nil {
		panic("BUG: a route is no JSON: " + err.Error())
	}
	sum := sha256.Sum256(identity)
	return append([]byte("route\x00"+p.stage+"\x00"), sum[:16]...)
}

// cacheRules makes the rules that package policy goes by.
func cacheRules(set *config.Cache) policy.Rules {
	or0 := func(d *config.Duration) time.Duration {
		if d == nil {
			return 0
		}
		return time.Duration(*d)
	}
	r := policy.Rules{
		Fixed: set.Mode == config.ModeAWS, TTL: or0(set.TTL), MaxTTL: or0(set.MaxTTL),
		StaleWhileRevalidate: or0(set.StaleWhileRevalidate), StaleIfError: or0(set.StaleIfError),
		SetCookie: *set.SetCookie, Personal: knowsPersons(set), Unheeded: !*set.Directives,
	}
	if set.Heuristic != nil {
		r.Heuristic = *set.Heuristic
	}
	if len(set.Statuses) > 0 {
		r.Statuses = make(map[int]time.Duration)
	}
	for status, ttl := range set.Statuses {
		isClass := strings.HasSuffix(status, "xx")
		for _, n := range statusesOf(status) {
			_, exact := set.Statuses[strconv.Itoa(n)]
			switch {
			case isClass && (n == 401 || n == 407): // others may have credentials
			case !isClass || !exact:
				r.Statuses[n] = time.Duration(ttl)
			}
		}
	}
	if set.Only != nil {
		r.Only = make(map[int]bool)
	}
	for _, status := range set.Only {
		for _, n := range statusesOf(status) {
			r.Only[n] = true
		}
	}
	return r
}

// knowsPersons tells whether the key holds what makes answers personal: in mode
// standard by what is said of cookies, in mode aws by Authorization as a parameter.
func knowsPersons(set *config.Cache) bool {
	if set.Mode != config.ModeAWS {
		return set.Key.Cookies != nil
	}
	return slices.ContainsFunc(set.Key.Parameters, func(text string) bool {
		p, err := config.ParseCacheParameter(text)
		return err == nil && p.Kind == "header" && strings.EqualFold(p.Name, "Authorization")
	})
}

// statusesOf returns the statuses that 404 or 5xx stand for.
func statusesOf(text string) (out []int) {
	class, whole := strings.CutSuffix(text, "xx")
	n, err := strconv.Atoi(class)
	switch {
	case err != nil:
		panic("BUG: status " + text + ", which the check should have refused")
	case !whole:
		return []int{n}
	}
	for i := range 100 {
		out = append(out, n*100+i)
	}
	return out
}

func newKeyRule(k *config.CacheKey, aws bool) keyRule {
	out := keyRule{shared: k.Callers == "shared", query: newQueryRule(k.Query)}
	for _, name := range k.Headers {
		out.headers = append(out.headers, []byte(textproto.CanonicalMIMEHeaderKey(name)))
	}
	slices.SortFunc(out.headers, bytes.Compare)
	for _, name := range k.Cookies {
		out.cookies = append(out.cookies, []byte(name))
	}
	slices.SortFunc(out.cookies, bytes.Compare)
	if !aws {
		return out
	}
	parameters := slices.Clone(k.Parameters)
	slices.Sort(parameters)
	for _, text := range parameters {
		p, err := config.ParseCacheParameter(text)
		if err != nil {
			panic("BUG: cache key parameter " + text + ", which the check should have refused")
		}
		if p.Kind == "header" {
			p.Name = textproto.CanonicalMIMEHeaderKey(p.Name)
		}
		out.parameters = append(out.parameters, keyParameter{p.Kind, p.Name})
	}
	return out
}

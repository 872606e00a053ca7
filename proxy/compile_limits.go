package proxy

import (
	"cmp"
	"fmt"
	"net/textproto"
	"slices"
	"time"

	"weir/proxy/config"
	"weir/ratelimit"
)

// routeLimits is everything that limits the requests of one route: nil for a
// route that has none of it.
type routeLimits struct {
	first   []*limit      // need no caller
	callers []*limit      // tell requests apart by their caller
	methods []methodLimit // of stage and method
	rest    []*limit      // of route and API

	stage      string // "api/stage", as plans call it
	plan       planLimits
	methodKeys []methodKeys // of plans
	keySource  *keySource   // nil where nobody asks for a key
	needsKey   bool
	signature  *signature
	announce   bool // of the plan
}

// methodLimit is the limit of one method; "" is every one that has none of its own.
type methodLimit struct {
	method string
	limit  *limit
}

// methodKeys are the names that a plan may have for a method, the exact one
// first.
type methodKeys struct {
	method string
	keys   []string
}

// keySource says where requests carry their API key.
type keySource struct {
	header, query []byte // nil for none
	authorizer    bool
}

// planLimits are the limits of usage plans. Their rates and buckets are the
// member's; these name and count them.
type planLimits struct{ method, throttle, quota *limit }

// limits compiles what limits a route in a stage.
func (c *compiler) limits(at place, i int, s config.Stage) *routeLimits {
	api := c.document.APIs[at.api]
	of := &api.Routes[i]
	out := &routeLimits{stage: at.api + "/" + at.stage, needsKey: of.APIKeyRequired}
	for _, name := range namesOf(api.Limits, s.Limits, of.Limits) {
		l, needsCaller := c.named(name, at)
		switch {
		case l == nil:
		case needsCaller:
			out.callers = append(out.callers, l)
		default:
			out.first = append(out.first, l)
		}
		out.needKey(&api, slices.Contains(c.document.Limits[name].By, "apiKey"))
	}
	out.needKey(&api, of.APIKeyRequired)
	if t := c.document.Throttle; t != nil {
		out.first = append(out.first, c.throttle(t, "account:total", "account", "account:total", config.Path("throttle")))
	}
	c.methodLimits(out, at, of, s)
	path := config.Path("apis", at.api, "routes", i, "throttle")
	if of.Throttle != nil {
		out.rest = append(out.rest, c.throttle(of.Throttle, "route:"+at.String(), "route", "route:"+at.String(), path))
	}
	if api.Throttle != nil {
		out.rest = append(out.rest, c.throttle(api.Throttle, "api:"+at.api, "api", "api:"+at.api, config.Path("apis", at.api, "throttle")))
	}
	if of.Signature != nil {
		out.signature = c.signature(of.Signature, config.Path("apis", at.api, "routes", i, "signature"))
	}
	if out.hasPlans() {
		out.plan = planLimits{c.planLimit("method", "plan-method"), c.planLimit("throttle", "plan"), c.planLimit("quota", "quota")}
		out.methodKeys = planKeys(of)
		out.announce = api.APIKey != nil && api.APIKey.Announce
		for _, l := range []*limit{out.plan.method, out.plan.throttle, out.plan.quota} {
			l.announce = out.announce
		}
	}
	if len(out.first)+len(out.callers)+len(out.methods)+len(out.rest) == 0 && out.keySource == nil && out.signature == nil {
		return nil
	}
	return out
}

// hasPlans tells whether the plan of a caller holds on the route: where a key is
// needed, or a signature tells of one.
func (l *routeLimits) hasPlans() bool { return l.needsKey || l.signature != nil }

// namesOf joins lists of names; one that stands in several holds once.
func namesOf(lists ...[]string) (out []string) {
	for _, list := range lists {
		for _, name := range list {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// needKey has the key of requests looked for, where it is wanted.
func (l *routeLimits) needKey(api *config.API, wanted bool) {
	if !wanted || l.keySource != nil {
		return
	}
	l.keySource = &keySource{header: []byte("X-Api-Key")}
	k := api.APIKey
	if k == nil {
		return
	}
	switch {
	case k.Source == "AUTHORIZER":
		l.keySource = &keySource{authorizer: true}
	case k.Header != "":
		l.keySource.header = []byte(textproto.CanonicalMIMEHeaderKey(k.Header))
	case k.Query != "":
		l.keySource.header = nil
	}
	if k.Query != "" {
		l.keySource.query = []byte(k.Query)
	}
}

// named compiles a limit of the document for a route, and tells whether it
// needs to know the caller.
func (c *compiler) named(name string, at place) (l *limit, needsCaller bool) {
	of := c.document.Limits[name]
	l = &limit{
		name: name, level: name, stats: c.limitStats(name),
		atOnce: int64(of.Concurrency), dryRun: of.DryRun, announce: of.Announce && !of.DryRun,
	}
	if len(of.By) > 0 {
		l.identity, needsCaller = newIdentity(name, of.By, ipv6Bits(&of), at)
	}
	if l.identity != nil || l.atOnce > 0 {
		l.table, l.gate = c.g.limits.tables()
		l.fixed = l.table.Key([]byte(name))
	}
	if of.Rate > 0 {
		rate, err := ratelimit.NewRate(float64(of.Rate), of.Rate.BurstOr(of.Burst))
		if err != nil {
			c.mistake(config.Path("limits", name), err)
			return nil, false
		}
		l.rate, l.hasRate, l.delay = rate, true, time.Duration(of.Delay)
		l.policy = appendPolicy(nil, name, rate)
		if l.identity == nil {
			l.bucket = c.bucket("limit:" + name)
		}
		l.shared = c.shareLimit("limit:"+name, of.Shared, of.WhenAway, rate)
	}
	if l.atOnce > 0 {
		l.atOnceLevel = name
		if l.hasRate {
			l.atOnceLevel += "-at-once"
			l.policy = append(l.policy, ", "...)
		}
		l.policy = fmt.Appendf(l.policy, `"%s";q=%d;qu="concurrent-requests"`, l.atOnceLevel, l.atOnce)
	}
	return l, needsCaller
}

// throttle compiles a throttle that is counted under name. Its bucket has a
// name of its own, where one name stands for several.
func (c *compiler) throttle(t *config.Throttle, name, level, bucket, path string) *limit {
	rate, err := ratelimit.NewRate(float64(t.Rate), t.Rate.BurstOr(t.Burst))
	if err != nil {
		c.mistake(path, err)
		return nil
	}
	return &limit{
		name: name, level: level, policy: appendPolicy(nil, level, rate), stats: c.limitStats(name),
		rate: rate, hasRate: true, bucket: c.bucket(bucket), shared: c.shareLimit(bucket, t.Shared, t.WhenAway, rate),
	}
}

func (c *compiler) planLimit(name, level string) *limit {
	return &limit{name: "plan:" + name, level: level, stats: c.limitStats("plan:" + name)}
}

// methodLimits compiles what a stage sets for the methods of a route: each has
// a bucket of its own, whichever setting holds for it.
func (c *compiler) methodLimits(out *routeLimits, at place, of *config.Route, s config.Stage) {
	all := s.Throttle
	if set, found := s.MethodSettings[config.AllMethods]; found && set.Throttle != nil {
		all = set.Throttle
	}
	name := "stage:" + out.stage
	add := func(method, as string, t *config.Throttle) {
		if t != nil {
			key := of.Path + "/" + as
			l := c.throttle(t, name, "stage", name+" "+key, config.Path("apis", at.api, "stages", at.stage))
			out.methods = append(out.methods, methodLimit{method, l})
		}
	}
	settings := func(method string) *config.Throttle {
		for _, key := range config.SettingKeys(of.Path, method) {
			if set, found := s.MethodSettings[key]; found && set.Throttle != nil {
				return set.Throttle
			}
		}
		return all
	}
	methods := of.Methods
	if any := len(methods) == 0 || slices.Contains(methods, config.AnyMethod); any {
		for _, method := range commonMethods {
			if t := settings(method); t != settings("*") {
				add(method, method, t)
			}
		}
		add("", config.AnyMethod, cmp.Or(settings(config.AnyMethod), settings("*")))
		return
	}
	for _, method := range methods {
		add(method, method, settings(method))
	}
}

// planKeys returns what plans may call the methods of a route.
func planKeys(of *config.Route) (out []methodKeys) {
	methods := of.Methods
	if len(methods) == 0 || slices.Contains(methods, config.AnyMethod) {
		for _, method := range commonMethods {
			out = append(out, methodKeys{method, append(config.SettingKeys(of.Path, method), config.SettingKeys(of.Path, config.AnyMethod)...)})
		}
		return append(out, methodKeys{"", config.SettingKeys(of.Path, config.AnyMethod)})
	}
	for _, method := range methods {
		out = append(out, methodKeys{method, config.SettingKeys(of.Path, method)})
	}
	return out
}

// bucket finds the bucket of that name, which the document then keeps.
func (c *compiler) bucket(name string) *ratelimit.Bucket {
	c.out.buckets[name] = true
	return c.g.limits.bucket(name)
}

// limitStats finds the counters of that name, which the document then keeps.
func (c *compiler) limitStats(name string) *limitStats {
	c.out.limitStats[name] = true
	return c.g.limits.statsOf(name)
}

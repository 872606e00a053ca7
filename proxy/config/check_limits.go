package config

import (
	"net"
	"slices"
	"strconv"
	"strings"
)

// maxSpanSeconds is how long a bucket may take to fill up: 100 years.
const maxSpanSeconds = 100 * 365 * 24 * 3600

// maxPlanMethods is how many methods of a stage a plan may name, as in AWS.
const maxPlanMethods = 20

func (c *checker) throttle(t *Throttle, at *place) {
	if t == nil {
		return
	}
	if t.Rate == 0 {
		c.missing(at, "a throttle needs a rate", "write { rate: 100, burst: 200 }")
	}
	c.burst(t.Rate, t.Burst, at)
	c.sharedBy(t.Shared, at)
}

func (c *checker) burst(rate Rate, burst int, at *place) {
	if rate > 0 && float64(burst)/float64(rate) > maxSpanSeconds {
		c.mistake(at.kid("burst"), "a burst of "+strconv.Itoa(burst)+" at "+rate.String()+" takes more than 100 years to come back", "")
	}
}

// sharedBy checks that what nodes share has a place to be shared in.
func (c *checker) sharedBy(shared string, at *place) {
	if shared != "" && c.doc.Redis == nil && !c.doc.root.kid("redis").unsure() && !c.doc.root.incomplete {
		c.mistake(at.kid("shared"), "shared needs redis", `write redis: { addresses: ["127.0.0.1:6379"] } at the top`)
	}
}

func (c *checker) limits(at *place) {
	c.throttle(c.doc.Throttle, c.doc.root.kid("throttle"))
	for _, name := range inOrder(c.doc.Limits, at) {
		limit, here := c.doc.Limits[name], at.kid(name)
		c.name(here, name)
		if limit.Rate == 0 && limit.Concurrency == 0 {
			c.missing(here, "a limit needs a rate or a concurrency", "write { by: [address], rate: 10, burst: 20 }")
		}
		c.noTwins(limit.By, here.kid("by"))
		for i, by := range limit.By {
			c.complain(here.kid("by").item(i), checkBy(by))
		}
		c.burst(limit.Rate, limit.Burst, here)
		c.sharedBy(limit.Shared, here)
	}
}

// byWords are what tells requests apart without a name of its own.
func byWords() []string {
	return []string{"address", "api", "apiKey", "host", "method", "route", "stage"}
}

func checkBy(text string) *complaint {
	kind, name, named := strings.Cut(text, ":")
	switch {
	case !named && slices.Contains(byWords(), text):
		return nil
	case !named && (text == "header" || text == "query" || text == "claim"):
		return complain(quote(text)+" needs a name", "write "+text+":NAME")
	case kind == "header" && isToken(name), kind == "query" && name != "", kind == "claim" && name != "":
		return nil
	case kind == "header":
		return complain(quote(name)+" is not the name of a header", "")
	}
	suggestion := suggestName(text, slices.Values(byWords()))
	if suggestion == "" {
		suggestion = "it is " + listed(append(byWords(), "header:NAME", "query:NAME", "claim:NAME"))
	}
	return complain(quote(text)+" tells no requests apart", suggestion)
}

// limitNames checks that limits that are named are there.
func (c *checker) limitNames(names []string, at *place) {
	limits := c.doc.root.kid("limits")
	c.noTwins(names, at)
	for i, name := range names {
		if _, found := c.doc.Limits[name]; found || limits.unsure() || c.doc.root.incomplete && len(c.doc.Limits) == 0 {
			continue
		}
		suggestion := c.suggest(name, inOrder(c.doc.Limits, limits))
		if suggestion == "" && len(c.doc.Limits) == 0 {
			suggestion = "write limits: { " + name + ": { by: [address], rate: 10 } } at the top"
		}
		c.mistake(at.item(i), "there is no limit "+quote(name), suggestion)
	}
}

// limitsOf checks what an API and its stages set.
func (r *routeChecker) limitsOf(api *API, at *place) {
	r.throttle(api.Throttle, at.kid("throttle"))
	r.limitNames(api.Limits, at.kid("limits"))
	if k := api.APIKey; k != nil && k.Source == "AUTHORIZER" && (k.Header != "" || k.Query != "") {
		r.mistake(at.kid("apiKey"), "the authorizer gives the key, so neither header nor query does", "")
	}
	for _, name := range r.stageNames {
		stage, here := r.stages[name], at.kid("stages").kid(name)
		r.throttle(stage.Throttle, here.kid("throttle"))
		r.limitNames(stage.Limits, here.kid("limits"))
		settings := here.kid("methodSettings")
		for _, key := range inOrder(stage.MethodSettings, settings) {
			set, where := stage.MethodSettings[key], settings.kid(key)
			r.throttle(set.Throttle, where.kid("throttle"))
			if key == AllMethods {
				if stage.Throttle != nil && set.Throttle != nil {
					r.mistake(where, "the stage's own throttle says the same as that of */*", "write one of them")
				}
				continue
			}
			r.methodOf(api, key, where)
		}
	}
}

// methodOf checks that an API has the method that a key of settings names.
func (c *checker) methodOf(api *API, key string, at *place) {
	known := make([]string, 0, len(api.Routes))
	for i := range api.Routes {
		if route := &api.Routes[i]; route.takesMethodKey(key) {
			return
		}
		known = append(known, api.Routes[i].MethodKeys()...)
	}
	if !c.doc.root.kid("apis").unsure() {
		c.complainKey(at, complain("there is no method "+quote(key), c.suggest(key, known)))
	}
}

// AllMethods is the key of the settings that hold for every method of a stage
// that has none of its own.
const AllMethods = "*/*"

// MethodKeys returns what settings call the methods of a route: path, slash
// and method, as AWS has it; ANY where the route takes every one.
func (r *Route) MethodKeys() []string {
	if r.Path == DefaultName {
		return []string{DefaultName}
	}
	methods := r.Methods
	if len(methods) == 0 {
		methods = []string{AnyMethod}
	}
	keys := make([]string, len(methods))
	for i, method := range methods {
		keys[i] = r.Path + "/" + method
	}
	return keys
}

// takesMethodKey tells whether settings under key can concern the route.
func (r *Route) takesMethodKey(key string) bool {
	if r.Path == DefaultName || key == DefaultName {
		return r.Path == key
	}
	i := strings.LastIndexByte(key, '/')
	if i < 0 {
		return false
	}
	path, method := key[:i], key[i+1:]
	if path != r.Path && (path != "" || r.Path != "/") {
		return false
	}
	return method == "*" || len(r.Methods) == 0 || slices.Contains(r.Methods, method) || slices.Contains(r.Methods, AnyMethod)
}

func (c *checker) usagePlans(at *place) {
	if k := c.doc.APIKeys; k != nil {
		for i := range k.Files {
			c.file(&k.Files[i], c.doc.root.kid("apiKeys").kid("files").item(i))
		}
		c.noTwins(k.Files, c.doc.root.kid("apiKeys").kid("files"))
	}
	for _, name := range inOrder(c.doc.UsagePlans, at) {
		plan, here := c.doc.UsagePlans[name], at.kid(name)
		c.name(here, name)
		if len(plan.Stages) == 0 {
			c.missing(here, "a usage plan needs stages", "write stages: { petstore/prod: {} }")
		}
		c.throttle(plan.Throttle, here.kid("throttle"))
		c.quota(plan.Quota, here.kid("quota"))
		c.noTwins(plan.Keys, here.kid("keys"))
		seen := map[string]string{}
		for _, target := range inOrder(plan.Stages, here.kid("stages")) {
			where := here.kid("stages").kid(target)
			if !c.planTarget(target, where) {
				continue
			}
			whole := PlanTarget(target)
			if first, twice := seen[whole]; twice {
				c.complainKey(where, complain(quote(target)+" is the same stage as "+quote(first), ""))
			}
			seen[whole] = target
			c.planStage(target, plan.Stages[target], where)
		}
	}
}

// PlanTarget returns the "api/stage" that a key of a plan's stages names.
func PlanTarget(key string) string {
	if strings.Contains(key, "/") {
		return key
	}
	return key + "/" + DefaultName
}

// planTarget checks that the API and the stage of a plan are there.
func (c *checker) planTarget(target string, at *place) bool {
	whole := PlanTarget(target)
	if whole == target {
		return c.mappingTarget(target, at)
	}
	if !c.mappingTarget(target, at) {
		return false
	}
	if _, found := c.doc.APIs[target].Stages[DefaultName]; !found {
		stages := c.doc.APIs[target].stageNames()
		c.complainKey(at, complain("the API "+quote(target)+" has no stage "+quote(DefaultName), "write "+target+"/"+stages[0]))
		return false
	}
	return true
}

func (c *checker) planStage(target string, stage PlanStage, at *place) {
	name, _, _ := strings.Cut(target, "/")
	api := c.doc.APIs[name]
	throttles := at.kid("throttle")
	if len(stage.Throttle) > maxPlanMethods {
		c.mistake(throttles, "a plan names at most "+strconv.Itoa(maxPlanMethods)+" methods of a stage", "the plan's own throttle holds for all the others")
	}
	for _, key := range inOrder(stage.Throttle, throttles) {
		t := stage.Throttle[key]
		c.throttle(&t, throttles.kid(key))
		c.methodOf(&api, key, throttles.kid(key))
	}
}

func (c *checker) quota(q *Quota, at *place) {
	if q == nil {
		return
	}
	if q.Limit == 0 {
		c.missing(at, "a quota needs a limit", "write { limit: 10000, period: DAY }")
	}
	if q.Period == "" {
		c.missing(at, "a quota needs a period", "it is DAY, WEEK or MONTH")
	}
	if q.Limit > 0 && q.Offset > q.Limit {
		c.mistake(at.kid("offset"), "the offset is more than the limit", "it is what is taken off in the first period")
	}
	c.sharedBy(q.Shared, at)
}

func (c *checker) redis(at *place) {
	r := c.doc.Redis
	if r == nil {
		return
	}
	if len(r.Addresses) == 0 {
		c.missing(at, "redis needs addresses", `write addresses: ["127.0.0.1:6379"]`)
	}
	c.noTwins(r.Addresses, at.kid("addresses"))
	for i, address := range r.Addresses {
		_, port, err := net.SplitHostPort(address)
		if n, wrong := strconv.Atoi(port); err != nil || wrong != nil || n < 1 || n > 65535 {
			c.mistake(at.kid("addresses").item(i), quote(address)+" is not an address", "write host:port, as in 10.0.0.7:6379")
		}
	}
	if r.Sentinel != nil && r.Sentinel.Master == "" {
		c.missing(at.kid("sentinel"), "Sentinels are asked for a master", "write sentinel: { master: mymaster }")
	}
	if t := r.TLS; t != nil {
		here := at.kid("tls")
		c.file(&t.CA, here.kid("ca"))
		c.file(&t.Cert, here.kid("cert"))
		c.file(&t.Key, here.kid("key"))
	}
}

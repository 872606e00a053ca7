package config

import (
	"reflect"
	"slices"
	"strings"
)

func (c *checker) apis(at *place) {
	upstreams := inOrder(c.doc.Upstreams, c.doc.root.kid("upstreams"))
	for _, name := range c.apiNames {
		api, here := c.doc.APIs[name], at.kid(name)
		c.name(here, name)
		if len(api.Routes) == 0 {
			c.missing(here, "an API needs routes", "")
		}
		r := &routeChecker{checker: c, stages: api.Stages, upstreams: upstreams, taken: map[leafKey]*leaf{}}
		r.stageNames = inOrder(api.Stages, here.kid("stages"))
		r.checkStages(here.kid("stages"))
		r.limitsOf(&api, here)
		for i := range api.Routes {
			r.route(&api.Routes[i], here.kid("routes").item(i))
		}
		r.caches(&api, here)
	}
}

// routeChecker checks the routes of one API.
type routeChecker struct {
	*checker
	stages     map[string]Stage
	stageNames []string
	upstreams  []string
	taken      map[leafKey]*leaf
	unsure     bool // some stage could not be read
}

func (r *routeChecker) checkStages(at *place) {
	for _, name := range r.stageNames {
		here := at.kid(name)
		if !isStageName(name) {
			suggestion := "names have letters, digits, _ and -, at most 128"
			if strings.EqualFold(strings.TrimPrefix(name, "$"), "default") {
				suggestion = didYouMean(DefaultName)
			}
			r.complainKey(here, complain(quote(name)+" is not the name of a stage", suggestion))
		}
		variables := r.stages[name].Variables
		r.unsure = r.unsure || here.unsure() || here.kid("variables").unsure()
		for _, variable := range inOrder(variables, here.kid("variables")) {
			where := here.kid("variables").kid(variable)
			if !isVariableName(variable) {
				r.complainKey(where, complain(quote(variable)+" cannot name a stage variable", "names have letters, digits and _, at most 64"))
			}
			r.complain(where, checkVariableValue(variables[variable]))
		}
	}
}

func checkVariableValue(value string) *complaint {
	if len(value) > 512 {
		return complain("the value of a stage variable has at most 512 bytes", "")
	}
	if strings.ContainsAny(value, "{}$") {
		return complain("the value of a stage variable cannot hold {, } or $", "")
	}
	return checkFieldValue(value)
}

func (r *routeChecker) route(route *Route, at *place) {
	segments, ok := r.path(route, at)
	r.methods(route, at.kid("methods"))
	if route.Match != nil {
		r.match(route.Match, at.kid("match"))
	}
	r.action(route, at)
	if route.Redirect != nil {
		r.redirect(route, segments, ok, at.kid("redirect"))
	}
	if route.Answer != nil {
		r.answer(route.Answer, at.kid("answer"))
	}
	if route.Upstream != "" {
		r.inStages(route.Upstream, at.kid("upstream"), r.upstreamName)
	}
	if route.Rewrite != nil {
		r.rewrite(route.Rewrite, segments, ok, route.Path == DefaultName, at.kid("rewrite"))
	}
	r.headers(route.RequestHeaders, at.kid("requestHeaders"))
	r.headers(route.ResponseHeaders, at.kid("responseHeaders"))
	if route.Host != "" && route.Host != "upstream" && route.Host != "client" {
		_, _, wrong := splitHostPort(route.Host)
		r.complain(at.kid("host"), wrong)
	}
	for i, protocol := range route.Upgrade {
		r.complain(at.kid("upgrade").item(i), checkProtocol(protocol))
	}
	r.throttle(route.Throttle, at.kid("throttle"))
	r.limitNames(route.Limits, at.kid("limits"))
	if route.Signature != nil {
		r.noTwins(route.Signature.Headers, at.kid("signature").kid("headers"))
	}
	if ok {
		r.conflict(route, segments, at)
	}
}

// path returns the segments of a route's path and whether they can be relied on.
func (r *routeChecker) path(route *Route, at *place) ([]Segment, bool) {
	if route.Path == DefaultName {
		return nil, true
	}
	if route.Path == "" && at.find("path") == nil {
		r.missing(at, "a route needs a path", `write path: "/{proxy+}" for every path`)
		return nil, false
	}
	segments, wrong := parsePattern(route.Path)
	r.complain(at.kid("path"), wrong)
	return segments, wrong == nil && !at.kid("path").silenced()
}

func knownMethods() []string {
	return []string{"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", AnyMethod}
}

func (r *routeChecker) methods(route *Route, at *place) {
	for i, method := range route.Methods {
		here := at.item(i)
		upper := strings.ToUpper(method)
		switch {
		case !isToken(method):
			r.mistake(here, quote(method)+" is not a method", "")
		case upper != method && slices.Contains(knownMethods(), upper):
			r.mistake(here, "methods are written in capitals", didYouMean(upper))
		case method == "CONNECT":
			r.mistake(here, "a route cannot take CONNECT: weir is no forward proxy", "")
		case slices.Contains(route.Methods[:i], method):
			r.mistake(here, quote(method)+" is there twice", "")
		case method != AnyMethod && slices.Contains(route.Methods, AnyMethod):
			r.mistake(here, "ANY is "+method+" too", "keep one of them")
		case method != AnyMethod && route.Path == DefaultName:
			r.mistake(here, "the path $default takes every method", `write path: "/{proxy+}" with these methods`)
		}
	}
}

// action checks that a route does exactly one thing, and has no settings that
// belong to another.
func (r *routeChecker) action(route *Route, at *place) {
	var actions []string
	for _, a := range []struct {
		name string
		is   bool
	}{
		{"upstream", route.Upstream != "" || at.find("upstream") != nil},
		{"redirect", route.Redirect != nil},
		{"answer", route.Answer != nil},
		{"stream", route.Stream != nil},
	} {
		if a.is {
			actions = append(actions, a.name)
		}
	}
	switch {
	case len(actions) == 0:
		r.missing(at, "the route does nothing", "write one of upstream, redirect, answer or stream")
	case len(actions) > 1:
		r.mistake(at, "the route has "+joined(actions, "and"), "keep one of them, or make two routes")
	case actions[0] == "upstream":
		if upstream := at.find("upstream"); route.Upstream == "" && upstream != nil {
			r.mistake(upstream, "the name of the upstream is empty", "")
		}
	default:
		for _, f := range r.shapes.of(reflect.TypeFor[Route]()).fields {
			if setting := at.find(f.name); setting != nil && f.needs != "" {
				r.mistake(setting, quote(f.name)+" has no effect beside "+quote(actions[0]), "it needs an "+f.needs)
			}
		}
	}
}

func (r *routeChecker) upstreamName(name string) *complaint {
	if _, ok := r.doc.Upstreams[name]; ok {
		return nil
	}
	if r.doc.root.kid("upstreams").unsure() || r.doc.root.incomplete && len(r.upstreams) == 0 {
		return nil
	}
	suggestion := r.suggest(name, r.upstreams)
	if suggestion == "" && strings.Contains(name, "://") {
		suggestion = "give the address a name under upstreams"
	}
	return complain("there is no upstream "+quote(name), suggestion)
}

// inStages checks a text that may hold stage variables as it is in each stage,
// and stops at the first stage where it is wrong.
func (r *routeChecker) inStages(text string, at *place, check func(string) *complaint) {
	if !strings.Contains(text, "${") {
		r.complain(at, check(text))
		return
	}
	names, wrong := variablesOf(text)
	if wrong != nil {
		r.complain(at, wrong)
		return
	}
	if r.lackVariables(names, at) {
		return
	}
	for _, stage := range r.stageNames {
		expanded := Expand(text, r.stages[stage].Variables)
		if wrong := check(expanded); wrong != nil {
			r.mistake(at, "in the stage "+quote(stage)+": "+wrong.problem, wrong.suggestion)
			return
		}
	}
}

// lackVariables reports the variables that some stage does not have. Where the
// stages could not be read it answers true in silence: nothing can be expanded.
func (r *routeChecker) lackVariables(names []string, at *place) bool {
	if r.unsure {
		return true
	}
	lacking := false
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			continue
		}
		var stages, others []string
		for _, stage := range r.stageNames {
			variables := r.stages[stage].Variables
			if _, has := variables[name]; has {
				continue
			}
			stages = append(stages, quote(stage))
			for other := range variables {
				others = append(others, other)
			}
		}
		if len(stages) == 0 {
			continue
		}
		lacking = true
		problem := "the stage " + stages[0] + " has no variable " + quote(name)
		if len(stages) > 1 {
			problem = "the stages " + joined(stages, "and") + " have no variable " + quote(name)
		}
		r.mistake(at, problem, r.suggest(name, others))
	}
	return lacking
}

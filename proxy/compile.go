package proxy

import (
	"errors"
	"fmt"
	"net/netip"
	"sort"
	"strings"
	"time"

	"weir/proxy/balance"
	"weir/proxy/config"
	"weir/proxy/observe"
	"weir/proxy/plans"
	"weir/proxy/route"
	"weir/proxy/upstream"
	"weir/ratelimit/shared"
	weirtls "weir/tls"
)

// compiled is a document made ready to be served: everything that can be
// decided before a request comes has been. It is immutable. What outlives a
// document (connections, counters) it only refers to.
type compiled struct {
	document  *config.Document
	domains   *route.Domains[*mapping]
	trusted   []netip.Prefix
	upstreams map[string]*liveUpstream
	routes    int
	stray     *observe.RouteStats // of requests that reach no API
	loadedAt  time.Time

	terms       *weirtls.Terms       // how names are served over TLS
	securities  map[string]*security // by domain
	redirecting map[string]string    // by listener: ":port" of https that its clients are sent to
	securePort  string               // of domains that redirect; "" for the usual one

	buckets    map[string]bool // names of what limits count in
	limitStats map[string]bool
	stages     map[string]bool // "api/stage"
	sharing    sharing
	shareCache *shared.Config // how to connect to what nodes share the cache by; nil where they do not
	static     plans.Static   // usage plans and API keys of the document

	targets       []*upstream.Target
	routeStats    []*observe.RouteStats
	upstreamStats []*observe.UpstreamStats
}

// mapping is a stage under a domain and base path.
type mapping struct {
	domain, basePath string
	stage            *stage
	security         *security
}

// stage is one stage of an API.
type stage struct {
	api, name string
	tree      *route.Tree[*liveRoute]
	cached    bool                // some route of it is
	queries   []*queryRule        // of all its caches
	aws       bool                // refusals are answered as AWS does
	stray     *observe.RouteStats // of requests that reach no route
}

// liveRoute is one route of one stage.
type liveRoute struct {
	path string // pattern, as in the document
	key  string // "GET /pets/{id}"

	match           *match
	requestHeaders  *headerChanges
	responseHeaders *headerChanges
	limits          *routeLimits  // nil for none
	caches          []methodCache // nil for none
	maxBody         int64
	logged          bool

	// Exactly one of these is set.
	upstream *liveUpstream
	redirect *redirect
	answer   *fixedAnswer
	stream   *config.Stream

	host     hostRule
	rewrite  *rewrite
	upgrades []string
	grpcWeb  bool
	retry    bool
	timeouts timeouts

	stats *observe.RouteStats
}

// timeouts of a route, resolved: route, then upstream, then flags.
type timeouts struct {
	connect, firstByte, idle, total time.Duration
	tunnelIdle, tunnelTotal         time.Duration
}

// hostRule says which Host an upstream gets: the target's own, the client's,
// or name.
type hostRule struct {
	client bool
	name   []byte
}

// liveUpstream is a named group of targets.
type liveUpstream struct {
	name     string
	targets  []*upstream.Target
	balancer *balance.Balancer
	stats    map[*upstream.Target]*observe.UpstreamStats
}

func (c *compiled) trusts(addr netip.Addr) bool {
	for _, prefix := range c.trusted {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// compiler turns one document into a compiled one.
type compiler struct {
	g        *Gateway
	document *config.Document
	out      *compiled
	mistakes []config.Mistake
}

// compile makes doc ready to be served. It changes nothing that is served now;
// the error names every place in the document that cannot be compiled.
func (g *Gateway) compile(doc *config.Document) (*compiled, error) {
	c := &compiler{g: g, document: doc, out: &compiled{
		document:  doc,
		trusted:   doc.TrustedProxies,
		upstreams: make(map[string]*liveUpstream, len(doc.Upstreams)),
		stray:     g.metrics.Route("", "", ""),
		loadedAt:  time.Now(),

		buckets: make(map[string]bool), limitStats: make(map[string]bool), stages: make(map[string]bool),
		sharing: sharing{plans: make(map[string]*sharedPlan)},
	}}
	c.out.routeStats = append(c.out.routeStats, c.out.stray)
	for name, u := range doc.Upstreams {
		c.upstream(name, u)
	}
	c.share()
	c.sharePlans()
	c.out.shareCache = c.shareCache()
	stages := make(map[string]*stage)
	for api := range doc.APIs {
		c.api(api, stages)
	}
	c.secure()
	c.domains(stages)
	c.plans()
	if len(c.mistakes) > 0 {
		sort.Slice(c.mistakes, func(i, j int) bool { return c.mistakes[i].Line < c.mistakes[j].Line })
		return nil, &config.Mistakes{List: c.mistakes}
	}
	return c.out, nil
}

func (c *compiler) mistake(path string, err error) {
	c.mistakes = append(c.mistakes, c.document.MistakeAt(path, err.Error(), ""))
}

func (c *compiler) upstream(name string, u config.Upstream) {
	live := &liveUpstream{name: name, stats: make(map[*upstream.Target]*observe.UpstreamStats, len(u.Targets))}
	for i, text := range u.Targets {
		target, err := c.g.registry.Acquire(addressOf(text, u))
		if err != nil {
			c.mistake(config.Path("upstreams", name, "targets", i), errors.Unwrap(err))
			continue
		}
		stats := c.g.metrics.Upstream(name, target.Name())
		live.targets = append(live.targets, target)
		live.stats[target] = stats
		c.out.targets = append(c.out.targets, target)
		c.out.upstreamStats = append(c.out.upstreamStats, stats)
	}
	if len(live.targets) == len(u.Targets) {
		live.balancer = balance.New(u.Balance, live.targets)
	}
	c.out.upstreams[name] = live
}

func addressOf(text string, u config.Upstream) upstream.Address {
	a := upstream.Address{URL: text, Protocol: u.Protocol, Limits: upstream.Limits{
		MaxConnections: u.MaxConnections, MaxIdle: u.MaxIdle, IdleLifetime: time.Duration(u.IdleTimeout),
	}}
	if u.TLS != nil {
		a.TLS = weirtls.Options{
			CA: u.TLS.CA, Cert: u.TLS.Cert, Key: u.TLS.Key, ServerName: u.TLS.ServerName,
			Pins: u.TLS.Pins, InsecureSkipVerify: u.TLS.InsecureSkipVerify,
		}
	}
	return a
}

// api compiles every stage of an API into stages, under "api/stage".
func (c *compiler) api(name string, stages map[string]*stage) {
	api := c.document.APIs[name]
	settings := api.Stages
	if len(settings) == 0 {
		settings = map[string]config.Stage{config.DefaultName: {}}
	}
	for stageName, s := range settings {
		out := &stage{api: name, name: stageName, aws: api.Errors == "aws", stray: c.g.metrics.Route(name, stageName, "")}
		c.out.routeStats = append(c.out.routeStats, out.stray)
		builder := route.Builder[*liveRoute]{MethodFallback: true}
		for i := range api.Routes {
			live := c.route(name, stageName, i, s)
			if live == nil {
				continue
			}
			out.queries = addQueryRules(out.queries, live.caches)
			out.cached = out.cached || len(live.caches) > 0
			for _, method := range methodsOf(&api.Routes[i]) {
				if err := builder.Add(method, api.Routes[i].Path, live); err != nil {
					c.mistake(config.Path("apis", name, "routes", i, "path"), err)
				}
			}
			c.out.routes++
		}
		out.tree = builder.Build()
		stages[name+"/"+stageName] = out
		c.out.stages[name+"/"+stageName] = true
	}
}

func methodsOf(r *config.Route) []string {
	if len(r.Methods) == 0 {
		return []string{config.AnyMethod}
	}
	return r.Methods
}

func (c *compiler) domains(stages map[string]*stage) {
	var builder route.DomainsBuilder[*mapping]
	for domain, d := range c.document.EffectiveDomains() {
		for base, name := range d.Mappings {
			m := &mapping{domain: domain, basePath: base, stage: stages[name], security: c.out.securities[domain]}
			if m.stage == nil {
				panic("BUG: mapping to " + name + ", which the check should have refused")
			}
			if err := builder.Add(domain, base, m); err != nil {
				c.mistake(config.Path("domains", domain), err)
			}
		}
	}
	c.out.domains = builder.Build()
}

// route compiles one route of one stage; nil after a mistake.
func (c *compiler) route(api, stage string, i int, settings config.Stage) *liveRoute {
	variables := settings.Variables
	of := &c.document.APIs[api].Routes[i]
	at := func(elements ...any) string {
		return config.Path(append([]any{"apis", api, "routes", i}, elements...)...)
	}
	live := &liveRoute{
		path:            of.Path,
		key:             routeKey(of),
		requestHeaders:  compileHeaders(of.RequestHeaders, variables),
		responseHeaders: compileHeaders(of.ResponseHeaders, variables),
		maxBody:         int64(of.MaxBody),
		logged:          of.AccessLog == nil || *of.AccessLog,
		retry:           of.Retry == nil || *of.Retry,
		upgrades:        of.Upgrade,
		grpcWeb:         of.GRPCWeb,
		stats:           c.g.metrics.Route(api, stage, of.Path),
	}
	live.limits = c.limits(place{api, stage, live.key}, i, settings)
	live.caches = c.caches(place{api, stage, live.key}, i, settings)
	c.out.routeStats = append(c.out.routeStats, live.stats)
	if live.maxBody == 0 {
		live.maxBody = c.g.options.MaxBody
	}
	var err error
	if live.match, err = compileMatch(of.Match); err != nil {
		c.mistake(at("match"), err)
		return nil
	}
	if err := c.action(live, of, variables); err != nil {
		c.mistake(at(), err)
		return nil
	}
	return live
}

func (c *compiler) action(live *liveRoute, of *config.Route, variables map[string]string) (err error) {
	switch {
	case of.Redirect != nil:
		live.redirect = &redirect{status: of.Redirect.Status}
		live.redirect.location, err = config.ParseTemplate(config.Expand(of.Redirect.Location, variables))
		return err
	case of.Answer != nil:
		live.answer = &fixedAnswer{
			status:  of.Answer.Status,
			headers: compileFields(of.Answer.Headers, variables),
			body:    []byte(of.Answer.Body),
		}
		return nil
	case of.Stream != nil:
		live.stream = of.Stream
		return nil
	}
	name := config.Expand(of.Upstream, variables)
	live.upstream = c.out.upstreams[name]
	if live.upstream == nil {
		return fmt.Errorf("there is no upstream %q", name)
	}
	switch of.Host {
	case "", "upstream":
	case "client":
		live.host.client = true
	default:
		live.host.name = []byte(of.Host)
	}
	live.timeouts = c.timeouts(of.Timeouts.Or(c.document.Upstreams[name].Timeouts))
	live.rewrite, err = compileRewrite(of.Rewrite)
	return err
}

func (c *compiler) timeouts(t config.Timeouts) timeouts {
	or := func(d config.Duration, flag time.Duration) time.Duration {
		if d != 0 {
			return time.Duration(d)
		}
		return flag
	}
	flags := &c.g.options.Upstream
	return timeouts{
		connect:     or(t.Connect, flags.ConnectTimeout),
		firstByte:   or(t.FirstByte, flags.FirstByteTimeout),
		idle:        or(t.Idle, flags.IdleTimeout),
		total:       time.Duration(t.Total),
		tunnelIdle:  or(t.TunnelIdle, c.g.options.TunnelIdle),
		tunnelTotal: or(t.TunnelTotal, c.g.options.TunnelTotal),
	}
}

func routeKey(of *config.Route) string {
	if of.Path == config.DefaultName {
		return of.Path
	}
	return strings.Join(methodsOf(of), ",") + " " + of.Path
}

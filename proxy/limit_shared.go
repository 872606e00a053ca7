package proxy

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"weir/proxy/config"
	"weir/proxy/exchange"
	"weir/ratelimit"
	"weir/ratelimit/shared"
	weirtls "weir/tls"
)

// sharing is the part of a document that nodes share, and who keeps it.
type sharing struct {
	client         *shared.Client // nil without redis
	limits, quotas []string       // names that are in use
	plans          map[string]*sharedPlan
	set            []func() // gives each of them the terms of the document
}

// again sets the terms of the document again, after another one that could not
// be served has changed them.
func (s *sharing) again() {
	for _, set := range s.set {
		set()
	}
}

// sharedPlan is what nodes share of a usage plan. Its keys are the identities.
type sharedPlan struct {
	throttle *shared.Limit
	methods  map[string]*shared.Limit // by "api/stage" and "/pets/GET"
	quota    *shared.Quota
}

// redis is the connection that limits share by, with the settings it was
// opened with. It outlives documents that say the same.
type redis struct {
	client   *shared.Client
	settings config.Redis
}

// share opens what nodes share by, or goes on with what is open.
func (c *compiler) share() {
	of := c.document.Redis
	if of == nil {
		return
	}
	client, err := c.g.limits.open(*of, func(away bool, err error) {
		if away {
			c.g.log.Error().Err(err).Msg("redis is away; shared limits do what their whenAway says")
			return
		}
		c.g.log.Info().Msg("redis is there; limits are shared")
	})
	if err != nil {
		c.mistake(config.Path("redis"), err)
		return
	}
	c.out.sharing.client = client
}

// open returns the client for settings: the one that is open, if they are its
// own, else a new one, which retain keeps or closes.
func (l *limiters) open(settings config.Redis, notify func(bool, error)) (*shared.Client, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.redis.client != nil && reflect.DeepEqual(l.redis.settings, settings) {
		return l.redis.client, nil
	}
	to, err := redisConfig(settings)
	if err != nil {
		return nil, err
	}
	to.Keys, to.Clock, to.Notify = l.keys, l.clock, notify
	client, err := shared.New(to)
	if err != nil {
		return nil, err
	}
	l.opened = append(l.opened, redis{client, settings})
	return client, nil
}

// redisConfig says how to connect, by the settings of a document.
func redisConfig(settings config.Redis) (shared.Config, error) {
	to := shared.Config{
		Addresses: settings.Addresses, Username: settings.Username, Password: settings.Password,
		Prefix: settings.Prefix, Timeout: time.Duration(settings.Timeout), Interval: time.Duration(settings.Interval),
		Nodes: settings.Nodes,
	}
	if s := settings.Sentinel; s != nil {
		to.Sentinel, to.SentinelUsername, to.SentinelPassword = s.Master, s.Username, s.Password
	}
	var err error
	if t := settings.TLS; t != nil {
		to.TLS, err = weirtls.ClientConfig(weirtls.Options{CA: t.CA, Cert: t.Cert, Key: t.Key, ServerName: t.ServerName})
	}
	return to, err
}

// follow keeps the client of a document and closes the others.
func (l *limiters) follow(s *sharing) {
	l.mutex.Lock()
	all := append(l.opened, l.redis)
	l.opened, l.redis = nil, redis{}
	var rest []*shared.Client
	for _, r := range all {
		switch {
		case r.client == nil:
		case r.client == s.client:
			l.redis = r
		default:
			rest = append(rest, r.client)
		}
	}
	l.mutex.Unlock()
	for _, client := range rest {
		client.Close()
	}
	if s.client != nil {
		s.client.Retain(s.limits, s.quotas)
	}
}

// shareLimit returns the limit that nodes share under name, nil where it is not
// shared.
func (c *compiler) shareLimit(name, mode, whenAway string, rate ratelimit.Rate) *shared.Limit {
	s := &c.out.sharing
	if mode == "" || s.client == nil {
		return nil
	}
	m, away := c.sharedBy(mode, whenAway)
	s.limits = append(s.limits, name)
	s.set = append(s.set, func() { s.client.Limit(name, rate, m, away) })
	return s.client.Limit(name, rate, m, away)
}

func (c *compiler) sharedBy(mode, whenAway string) (shared.Mode, shared.WhenAway) {
	m, err := shared.ParseMode(mode)
	away := shared.Local
	if whenAway != "" {
		var wrong error
		away, wrong = shared.ParseWhenAway(whenAway)
		err = errors.Join(err, wrong)
	}
	if err != nil {
		panic("BUG: " + err.Error() + ", which the check should have refused")
	}
	return m, away
}

// sharePlans finds what nodes share of the document's usage plans.
func (c *compiler) sharePlans() {
	for _, id := range slices.Sorted(maps.Keys(c.document.UsagePlans)) {
		of := c.document.UsagePlans[id]
		p := &sharedPlan{methods: make(map[string]*shared.Limit)}
		if of.Throttle != nil {
			p.throttle = c.sharePlan("plan:"+id, of.Throttle, config.Path("usagePlans", id, "throttle"))
		}
		for target, stage := range of.Stages {
			for key, t := range stage.Throttle {
				whole := config.PlanTarget(target) + key
				if l := c.sharePlan("plan:"+id+" "+whole, &t, config.Path("usagePlans", id, "stages")); l != nil {
					p.methods[whole] = l
				}
			}
		}
		if q := of.Quota; q != nil && q.Shared != "" && c.out.sharing.client != nil {
			p.quota = c.shareQuota("plan:"+id, q)
		}
		if p.throttle != nil || len(p.methods) > 0 || p.quota != nil {
			c.out.sharing.plans[id] = p
		}
	}
}

func (c *compiler) sharePlan(name string, t *config.Throttle, path string) *shared.Limit {
	rate, err := ratelimit.NewRate(float64(t.Rate), t.Rate.BurstOr(t.Burst))
	if err != nil {
		c.mistake(path, fmt.Errorf("cannot share: %w", err))
		return nil
	}
	return c.shareLimit(name, t.Shared, t.WhenAway, rate)
}

func (c *compiler) shareQuota(name string, q *config.Quota) *shared.Quota {
	period, err := ratelimit.ParsePeriod(q.Period)
	if err != nil {
		panic("BUG: " + err.Error() + ", which the check should have refused")
	}
	m, away := c.sharedBy(q.Shared, q.WhenAway)
	s, allowed := &c.out.sharing, shared.Allowance{Limit: int64(q.Limit), Period: period}
	s.quotas = append(s.quotas, name)
	s.set = append(s.set, func() { s.client.Quota(name, allowed, m, away) })
	return s.client.Quota(name, allowed, m, away)
}

// takeShared takes a token that nodes share, of the identity from from on.
func (g *Gateway) takeShared(r *request, h *held, of *shared.Limit, from int) bool {
	l := h.limit
	d, by := of.Take(r.identity[from:], g.limits.clock.At(r.moment), l.delay)
	h.shared, h.from, h.to = of, from, len(r.identity)
	l.stats.countShared(r.x.Shard, by)
	h.outcome = by
	if by == shared.Refused {
		return r.denied(h, exchange.LimitsAway, d.Wait)
	}
	return r.decided(h, d)
}

// takeSharedQuota takes one request of a quota that nodes share.
func (g *Gateway) takeSharedQuota(r *request, l *limit, of *shared.Quota) bool {
	h := r.newHeld(l)
	h.quota, h.from = of, len(r.identity)
	r.identity = append(r.identity, r.caller.keyID()...)
	h.to = len(r.identity)
	d, by := of.Take(r.identity[h.from:], g.wallClock(r))
	l.stats.countShared(r.x.Shard, by)
	h.outcome, h.isToken = by, d.Allowed
	switch {
	case d.Allowed:
		return true
	case by == shared.Refused:
		return r.denied(h, exchange.LimitsAway, d.Wait)
	}
	return r.denied(h, exchange.QuotaExceeded, d.Wait)
}

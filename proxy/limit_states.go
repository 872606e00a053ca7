package proxy

import (
	"maps"
	"slices"
	"time"

	"weir/proxy/observe"
	"weir/ratelimit"
	"weir/ratelimit/shared"
)

// limitState is what /limits tells of one limit.
type limitState struct {
	Name      string            `json:"name"`
	Decisions map[string]uint64 `json:"decisions"`
	Shared    map[string]uint64 `json:"shared,omitempty"`
	Top       []topState        `json:"refusedMost,omitempty"`
}

// topState is a key that a limit has refused at least so often.
type topState struct {
	Key   string `json:"key"`
	Count uint64 `json:"count"`
}

// tableState is what it tells of the table that keys are found in.
type tableState struct {
	Keys       int    `json:"keys"`
	Capacity   int    `json:"capacity"`
	Overflowed uint64 `json:"overflowed"`
}

// sharedState is what it tells of the redis that limits are shared by.
type sharedState struct {
	Away  bool         `json:"away"`
	Since time.Time    `json:"since"`
	Error string       `json:"error,omitempty"`
	Stats shared.Stats `json:"stats"`
}

// LimitStates returns what limits have decided and what they hold.
func (g *Gateway) LimitStates() any {
	out := struct {
		Limits  []limitState `json:"limits"`
		Table   *tableState  `json:"table,omitempty"`
		Delayed int64        `json:"delayed"`
		Shared  *sharedState `json:"shared,omitempty"`
	}{Limits: []limitState{}, Delayed: g.limits.waiting.Load()}
	for _, s := range g.limits.everyStats() {
		state := limitState{Name: s.name, Decisions: make(map[string]uint64)}
		for o := range outcomes {
			if n := s.total(o); n > 0 {
				state.Decisions[o.String()] = n
			}
		}
		s.eachShared(func(by shared.Outcome, n uint64) {
			if state.Shared == nil {
				state.Shared = make(map[string]uint64)
			}
			state.Shared[by.String()] = n
		})
		s.eachTop(func(key string, n uint64) { state.Top = append(state.Top, topState{key, n}) })
		out.Limits = append(out.Limits, state)
	}
	if table := g.limits.madeTable(); table != nil {
		stats := table.Stats(g.limits.clock.Now())
		out.Table = &tableState{stats.Live, stats.Capacity, stats.Overflowed}
	}
	if client := g.limits.sharedClient(); client != nil {
		away, since, err := client.State()
		out.Shared = &sharedState{Away: away, Since: since, Stats: client.Stats()}
		if err != nil {
			out.Shared.Error = err.Error()
		}
	}
	return out
}

// everyStats returns the counters of all limits, by name.
func (l *limiters) everyStats() []*limitStats {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	out := make([]*limitStats, 0, len(l.stats))
	for _, name := range slices.Sorted(maps.Keys(l.stats)) {
		out = append(out, l.stats[name])
	}
	return out
}

// madeTable returns the table of keys, nil where there is none.
func (l *limiters) madeTable() *ratelimit.Table {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.table
}

func (l *limiters) sharedClient() *shared.Client {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.redis.client
}

// watchLimits adds what limits, plans and redis count.
func (g *Gateway) watchLimits() {
	l, m := g.limits, g.metrics
	m.RegisterSet("weir_limit_decisions_total", "Decisions of limits, by outcome: allowed, delayed, refused; would_delay and would_refuse of limits that only count.",
		observe.Counter, []string{"limit", "outcome"}, func(emit func(float64, ...string)) {
			for _, s := range l.everyStats() {
				for o := range outcomes {
					if n := s.total(o); n > 0 {
						emit(float64(n), s.name, o.String())
					}
				}
			}
		})
	m.RegisterSet("weir_limit_shared_decisions_total", "Decisions of limits that nodes share, by who made them: shared; and while redis is away local, open or closed.",
		observe.Counter, []string{"limit", "by"}, func(emit func(float64, ...string)) {
			for _, s := range l.everyStats() {
				s.eachShared(func(by shared.Outcome, n uint64) { emit(float64(n), s.name, by.String()) })
			}
		})
	m.RegisterSet("weir_limit_top_refused", "How often at least the keys were refused that were refused most, by a hash that is good for one process.",
		observe.Gauge, []string{"limit", "key"}, func(emit func(float64, ...string)) {
			for _, s := range l.everyStats() {
				s.eachTop(func(key string, n uint64) { emit(float64(n), s.name, key) })
			}
		})
	m.RegisterFunc("weir_limit_delayed_requests", "Requests that limits hold back now.", observe.Gauge, nil, func() float64 { return float64(l.waiting.Load()) })
	m.RegisterSet("weir_limit_table_keys", "Keys whose budget is not full.", observe.Gauge, nil, l.ofTable(func(t *ratelimit.Table) float64 { return float64(t.Stats(l.clock.Now()).Live) }))
	m.RegisterSet("weir_limit_table_capacity", "Keys that there is room for.", observe.Gauge, nil, l.ofTable(func(t *ratelimit.Table) float64 { return float64(t.Capacity()) }))
	m.RegisterSet("weir_limit_table_overflows_total", "Decisions about keys that found no room and share a budget.", observe.Counter, nil, l.ofTable(func(t *ratelimit.Table) float64 { return float64(t.Overflowed()) }))
	g.watchShared()
	m.RegisterFunc("weir_data_writable", "1 while API keys, usage plans and what was used of them can be written.", observe.Gauge, nil, func() float64 {
		if g.plans.Stats().Writable {
			return 1
		}
		return 0
	})
	m.RegisterFunc("weir_data_failures_total", "Writes of API keys, usage plans and what was used of them that failed.", observe.Counter, nil, func() float64 { return float64(g.plans.Stats().Failures) })
}

// watchShared adds what the client of redis counts, while there is one.
func (g *Gateway) watchShared() {
	add := func(name, help string, kind observe.Kind, value func(*shared.Client) float64) {
		g.metrics.RegisterSet(name, help, kind, nil, func(emit func(float64, ...string)) {
			if client := g.limits.sharedClient(); client != nil {
				emit(value(client))
			}
		})
	}
	add("weir_shared_limits_away", "1 while the redis that limits are shared by is away.", observe.Gauge, func(c *shared.Client) float64 {
		if away, _, _ := c.State(); away {
			return 1
		}
		return 0
	})
	add("weir_shared_limits_nodes", "Nodes that share limits.", observe.Gauge, func(c *shared.Client) float64 { return float64(c.Stats().Nodes) })
	add("weir_shared_limits_timeouts_total", "Exact decisions whose answer came too late.", observe.Counter, func(c *shared.Client) float64 { return float64(c.Stats().Timeouts) })
	add("weir_shared_limits_errors_total", "Errors of redis, and of connections to it.", observe.Counter, func(c *shared.Client) float64 { return float64(c.Stats().Errors) })
	add("weir_shared_limits_lost_total", "Tokens of refused requests that could not be given back.", observe.Counter, func(c *shared.Client) float64 { return float64(c.Stats().Lost) })
}

func (l *limiters) ofTable(pick func(*ratelimit.Table) float64) func(func(float64, ...string)) {
	return func(emit func(float64, ...string)) {
		if table := l.madeTable(); table != nil {
			emit(pick(table))
		}
	}
}

package observe

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// maxCauses bounds the values of the label cause. It is a power of two so that an
// index can be cut to it without a branch.
const maxCauses = 64

// Cause is a bounded name for why a request was refused or failed. It comes from
// [Metrics.Cause]; the zero value is "other".
type Cause uint8

// Metrics holds all counters of the process. They are made when a document is
// compiled and found again by their names, so that a reload resets nothing.
// All methods may be called at once.
type Metrics struct {
	shards   int
	version  string
	families catalogue
	registry *prometheus.Registry
	refusals []refusalCell

	reloads      [2]atomic.Uint64 // failures, successes
	lastReloadOK atomic.Int64     // in nanoseconds of Unix time, 0 before the first
	mu           sync.RWMutex     // guards what follows
	routes       map[routeName]*RouteStats
	upstreams    map[upstreamName]*UpstreamStats
	listeners    map[string]*ListenerStats
	causes       []string
	causesByName map[string]Cause
	hooks        map[string]*hook // by name and labels
	hookFamilies map[string]*family
	sets         []*set
}

type routeName struct{ api, stage, route string }

type upstreamName struct{ upstream, target string }

type refusalCell struct {
	counts [maxCauses]atomic.Uint64
	_      [64]byte
}

// hook is a series whose value somebody else knows.
type hook struct {
	family *family
	desc   *prometheus.Desc
	value  func() float64
}

// set is a metric whose series somebody else knows.
type set struct {
	family *family
	each   func(emit func(value float64, labels ...string))
}

// NewMetrics makes the counters for connections of so many shards.
func NewMetrics(shards int, version string) *Metrics {
	shards = max(shards, 1)
	m := &Metrics{
		shards:       shards,
		version:      labelValue(version),
		families:     newCatalogue(),
		registry:     prometheus.NewRegistry(),
		refusals:     make([]refusalCell, shards),
		routes:       make(map[routeName]*RouteStats),
		upstreams:    make(map[upstreamName]*UpstreamStats),
		listeners:    make(map[string]*ListenerStats),
		causes:       []string{"other"},
		causesByName: map[string]Cause{"other": 0},
		hooks:        make(map[string]*hook),
		hookFamilies: make(map[string]*family),
	}
	m.registry.MustRegister(m,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Route finds or makes the counters of a route; it is for compile time. Requests
// that no route takes are counted under the empty names.
func (m *Metrics) Route(api, stage, route string) *RouteStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := routeName{labelValue(api), labelValue(stage), labelValue(route)}
	if s, ok := m.routes[name]; ok {
		return s
	}
	s := &RouteStats{api: name.api, stage: name.stage, route: name.route, cells: make([]atomic.Pointer[routeCell], m.shards)}
	m.routes[name] = s
	return s
}

// Upstream finds or makes the counters of a target; it is for compile time.
func (m *Metrics) Upstream(upstream, target string) *UpstreamStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := upstreamName{labelValue(upstream), labelValue(target)}
	if s, ok := m.upstreams[name]; ok {
		return s
	}
	s := &UpstreamStats{upstream: name.upstream, target: name.target, cells: make([]atomic.Pointer[upstreamCell], m.shards)}
	m.upstreams[name] = s
	return s
}

// Listener finds or makes the counters of a listener; it is for start time.
func (m *Metrics) Listener(listener string) *ListenerStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	listener = labelValue(listener)
	if s, ok := m.listeners[listener]; ok {
		return s
	}
	s := &ListenerStats{listener: listener, cells: make([]listenerCell, m.shards)}
	m.listeners[listener] = s
	return s
}

// labelValue mends what the text format cannot say, long before a scrape.
func labelValue(name string) string { return strings.ToValidUTF8(name, "\ufffd") }

// Retain forgets the routes and targets that a published document no longer
// names, or else years of reloads would fill the memory and every scrape.
// Requests that still hold them may go on counting; nobody will see it.
func (m *Metrics) Retain(routes []*RouteStats, upstreams []*UpstreamStats) {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.routes)
	for _, s := range routes {
		m.routes[routeName{s.api, s.stage, s.route}] = s
	}
	clear(m.upstreams)
	for _, s := range upstreams {
		m.upstreams[upstreamName{s.upstream, s.target}] = s
	}
}

// Cause finds or makes the cause of that name, a constant of weir and never a text
// from outside. When there are too many names, the rest share "other".
func (m *Metrics) Cause(name string) Cause {
	m.mu.Lock()
	defer m.mu.Unlock()
	name = labelValue(name)
	if c, ok := m.causesByName[name]; ok {
		return c
	}
	if len(m.causes) == maxCauses {
		return 0
	}
	c := Cause(len(m.causes))
	m.causes = append(m.causes, name)
	m.causesByName[name] = c
	return c
}

// Refuse counts an answer that the gateway wrote itself.
func (m *Metrics) Refuse(shard int, cause Cause) {
	if uint(shard) >= uint(len(m.refusals)) {
		shard = 0
	}
	m.refusals[shard].counts[cause%maxCauses].Add(1)
}

// Reloaded counts a reload of the document.
func (m *Metrics) Reloaded(ok bool) {
	if ok {
		m.reloads[1].Add(1)
		return
	}
	m.reloads[0].Add(1)
}

// Loaded notes when the document that is served was loaded, be it the first or a
// reload.
func (m *Metrics) Loaded(at time.Time) { m.lastReloadOK.Store(at.UnixNano()) }

// RegisterFunc adds a series whose value is asked for at each scrape; value must
// not block and may be called at once. The same name and labels again replace the
// series. A name that breaks the rules, or is used two ways, is a bug.
func (m *Metrics) RegisterFunc(name, help string, kind Kind, labels map[string]string, value func() float64) {
	f := newFamily(kind, name, help, slices.Sorted(maps.Keys(labels))...)
	fixed := make(prometheus.Labels, len(labels))
	for label, v := range labels {
		fixed[label] = labelValue(v)
	}
	h := &hook{family: f, desc: prometheus.NewDesc(name, help, nil, fixed), value: value}
	if _, err := prometheus.NewConstMetric(h.desc, kind.valueType(), 0); err != nil || !strings.HasPrefix(name, "weir_") {
		panic(fmt.Sprintf("BUG: metric %q cannot be registered: %v", name, err))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.hookFamilies[name]
	if known == nil {
		known = m.families.find(name)
		if known != nil {
			panic(fmt.Sprintf("BUG: metric %q is counted by the package itself", name))
		}
		m.hookFamilies[name] = f
		known = f
	}
	if known.kind != kind || known.help != help || !slices.Equal(known.labels, f.labels) {
		panic(fmt.Sprintf("BUG: metric %q is registered in two ways", name))
	}
	m.hooks[hookKey(name, labels)] = h
}

// RegisterSet adds a metric whose series are told at each scrape: each calls
// emit once for every one, with a value for each label. It must not block and
// may be called at once. A name that breaks the rules is a bug.
func (m *Metrics) RegisterSet(name, help string, kind Kind, labels []string, each func(emit func(value float64, labels ...string))) {
	f := newFamily(kind, name, help, labels...)
	if !strings.HasPrefix(name, "weir_") || m.families.find(name) != nil {
		panic(fmt.Sprintf("BUG: metric %q cannot be registered", name))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hookFamilies[name] = f
	m.sets = append(m.sets, &set{family: f, each: each})
}

// UnregisterFunc removes the series of that name and those labels, if there is one.
func (m *Metrics) UnregisterFunc(name string, labels map[string]string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.hooks, hookKey(name, labels))
}

func hookKey(name string, labels map[string]string) string {
	var b strings.Builder
	b.WriteString(name)
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(&b, "%q%q", label, labels[label])
	}
	return b.String()
}

// WatchLog adds the access log's own counters.
func (m *Metrics) WatchLog(l *AccessLog) {
	m.RegisterFunc("weir_log_lines_total", "Lines of the access log that were written.", Counter, nil,
		func() float64 { return float64(l.Lines()) })
	m.RegisterFunc("weir_log_dropped_total", "Lines of the access log that were lost: buffer full, or the write went wrong.", Counter, nil,
		func() float64 { return float64(l.Dropped()) })
	m.RegisterFunc("weir_log_write_errors_total", "Writes of the access log that went wrong.", Counter, nil,
		func() float64 { return float64(l.Failed()) })
}

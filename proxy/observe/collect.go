package observe

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// TextContentType is the media type of what [Metrics.AppendText] appends.
const TextContentType = "text/plain; version=0.0.4; charset=utf-8"

// AppendText appends all metrics to dst in Prometheus' text format. After an error
// dst holds what could be gathered without it.
func (m *Metrics) AppendText(dst []byte) ([]byte, error) {
	families, gatherErr := m.registry.Gather()
	w := appendWriter{dst}
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&w, f); err != nil {
			return w.buf, err
		}
	}
	return w.buf, gatherErr
}

type appendWriter struct{ buf []byte }

func (w *appendWriter) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	return len(p), nil
}

func (w *appendWriter) WriteString(s string) (int, error) {
	w.buf = append(w.buf, s...)
	return len(s), nil
}

func (w *appendWriter) WriteByte(c byte) error {
	w.buf = append(w.buf, c)
	return nil
}

// Describe sends nothing: the series follow the document, so they are not known
// beforehand. It makes Metrics a [prometheus.Collector].
func (m *Metrics) Describe(chan<- *prometheus.Desc) {}

// Collect sends all series that have counted something.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	m.mu.RLock()
	routes := make([]*RouteStats, 0, len(m.routes))
	for _, s := range m.routes {
		routes = append(routes, s)
	}
	upstreams := make([]*UpstreamStats, 0, len(m.upstreams))
	for _, s := range m.upstreams {
		upstreams = append(upstreams, s)
	}
	listeners := make([]*ListenerStats, 0, len(m.listeners))
	for _, s := range m.listeners {
		listeners = append(listeners, s)
	}
	hooks := make([]*hook, 0, len(m.hooks))
	for _, h := range m.hooks {
		hooks = append(hooks, h)
	}
	sets := m.sets[:len(m.sets):len(m.sets)]
	causes := m.causes[:len(m.causes):len(m.causes)]
	m.mu.RUnlock()

	// The lock is free again: a hook may ask whoever holds it.
	c := collector{families: &m.families, out: out, causes: causes}
	c.process(m)
	for _, s := range routes {
		c.route(s)
	}
	for _, s := range upstreams {
		c.upstream(s)
	}
	for _, s := range listeners {
		c.listener(s)
	}
	for _, h := range hooks {
		out <- prometheus.MustNewConstMetric(h.desc, h.family.kind.valueType(), h.value())
	}
	for _, s := range sets {
		s.each(func(value float64, labels ...string) { c.send(s.family, value, labels...) })
	}
}

// collector is one scrape.
type collector struct {
	families *catalogue
	out      chan<- prometheus.Metric
	causes   []string
}

func (c *collector) process(m *Metrics) {
	f := c.families
	c.send(f.buildInfo, 1, m.version, runtime.Version())
	c.send(f.reloads, float64(m.reloads[0].Load()), "failure")
	c.send(f.reloads, float64(m.reloads[1].Load()), "success")
	if at := m.lastReloadOK.Load(); at != 0 {
		c.send(f.lastReloadOK, float64(at)/float64(time.Second))
	}
	for i, cause := range c.causes {
		var n uint64
		for shard := range m.refusals {
			n += m.refusals[shard].counts[i].Load()
		}
		c.count(f.refusals, n, cause)
	}
}

func (c *collector) route(s *RouteStats) {
	c.calls(s)
	c.cache(s)
	var t routeTotals
	if !s.totals(&t) {
		return
	}
	f := c.families
	for method := range t.requests {
		for class, n := range t.requests[method] {
			c.count(f.requests, n, s.api, s.stage, s.route, methodLabel(method), classLabel(class))
		}
	}
	c.histogram(f.requestSeconds, &t.took, s.api, s.stage, s.route)
	c.count(f.requestBytes, t.bytesIn, s.api, s.stage, s.route)
	c.count(f.responseBytes, t.bytesOut, s.api, s.stage, s.route)
}

// calls sends the calls of a stage, which are counted where its strays are.
func (c *collector) calls(s *RouteStats) {
	var t [grpcEnds]uint64
	if s.callTotals(&t) {
		for end, n := range t {
			c.count(c.families.grpcRequests, n, s.api, s.stage, grpcLabel(end))
		}
	}
}

func (c *collector) upstream(s *UpstreamStats) {
	var t upstreamTotals
	s.totals(&t)
	f := c.families
	for class, n := range t.answers {
		c.count(f.upstreamAnswers, n, s.upstream, s.target, classLabel(class))
	}
	if t.took.count() > 0 {
		c.histogram(f.upstreamSeconds, &t.took, s.upstream, s.target)
	}
	c.count(f.upstreamRetries, t.retries, s.upstream, s.target)
	c.count(f.upstreamOpened, t.opened, s.upstream, s.target)
	c.count(f.upstreamReused, t.reused, s.upstream, s.target)
	c.failures(s)
}

func (c *collector) failures(s *UpstreamStats) {
	var counts *[maxCauses]atomic.Uint64
	if counts = s.failures.Load(); counts == nil {
		return
	}
	for i, cause := range c.causes {
		c.count(c.families.upstreamFailures, counts[i].Load(), s.upstream, s.target, cause)
	}
}

func (c *collector) listener(s *ListenerStats) {
	accepted, open, refused := s.totals()
	c.send(c.families.connections, float64(open), s.listener)
	c.send(c.families.connectionsAccepted, float64(accepted), s.listener)
	c.count(c.families.connectionsRefused, refused, s.listener)
	for outcome, name := range handshakeNames {
		c.count(c.families.tlsHandshakes, s.handshakes(Handshake(outcome)), s.listener, name)
	}
}

// count sends a counter, or nothing for a series that nobody has used.
func (c *collector) count(f *family, n uint64, labels ...string) {
	if n > 0 {
		c.send(f, float64(n), labels...)
	}
}

func (c *collector) send(f *family, value float64, labels ...string) {
	c.out <- prometheus.MustNewConstMetric(f.desc, f.kind.valueType(), value, labels...)
}

func (c *collector) histogram(f *family, t *tally, labels ...string) {
	buckets := make(map[float64]uint64, boundCount)
	var below uint64
	for i, bound := range durationBounds() {
		below += t.buckets[i]
		buckets[bound.Seconds()] = below
	}
	c.out <- prometheus.MustNewConstHistogram(f.desc, t.count(), float64(t.nanos)/float64(time.Second), buckets, labels...)
}

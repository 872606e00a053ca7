package observe

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Kind is the kind of a metric.
type Kind uint8

// The kinds of metrics that [Metrics.RegisterFunc] takes.
const (
	Counter Kind = iota
	Gauge
	histogramKind
)

func (k Kind) String() string {
	switch k {
	case Counter:
		return "counter"
	case Gauge:
		return "gauge"
	}
	return "histogram"
}

func (k Kind) valueType() prometheus.ValueType {
	if k == Counter {
		return prometheus.CounterValue
	}
	return prometheus.GaugeValue
}

// family is a metric's name and what must be told of it once.
type family struct {
	kind       Kind
	name, help string
	labels     []string
	desc       *prometheus.Desc
}

func newFamily(kind Kind, name, help string, labels ...string) *family {
	return &family{kind: kind, name: name, help: help, labels: labels, desc: prometheus.NewDesc(name, help, labels, nil)}
}

// catalogue holds the families that this package counts itself. Names, help and
// labels stand here alone; scrapes and the reference both read it.
type catalogue struct {
	buildInfo *family

	requests       *family
	requestSeconds *family
	requestBytes   *family
	responseBytes  *family
	refusals       *family
	grpcRequests   *family
	cacheRequests  *family
	cacheBytes     *family

	upstreamAnswers  *family
	upstreamSeconds  *family
	upstreamFailures *family
	upstreamRetries  *family
	upstreamOpened   *family
	upstreamReused   *family

	connections         *family
	connectionsAccepted *family
	connectionsRefused  *family
	tlsHandshakes       *family

	reloads      *family
	lastReloadOK *family
}

func newCatalogue() catalogue {
	return catalogue{
		buildInfo: newFamily(Gauge, "weir_build_info", "1, with the version of weir and of Go in the labels.", "version", "goversion"),

		requests:       newFamily(Counter, "weir_requests_total", "Requests that ended, by class of the answer's status; none is a request without an answer.", "api", "stage", "route", "method", "class"),
		requestSeconds: newFamily(histogramKind, "weir_request_duration_seconds", "Time from a request's first byte to its answer's last.", "api", "stage", "route"),
		requestBytes:   newFamily(Counter, "weir_request_bytes_total", "Bytes of request bodies.", "api", "stage", "route"),
		responseBytes:  newFamily(Counter, "weir_response_bytes_total", "Bytes of response bodies.", "api", "stage", "route"),
		refusals:       newFamily(Counter, "weir_refusals_total", "Answers that the gateway wrote itself, by cause.", "cause"),
		grpcRequests:   newFamily(Counter, "weir_grpc_requests_total", "Calls of gRPC and translated gRPC-Web that ended, by status code; none is an answer without one.", "api", "stage", "grpc_status"),
		cacheRequests:  newFamily(Counter, "weir_cache_requests_total", "Requests that met the response cache, by what it did: hit, stale, revalidated, collapsed (fetched for another request), miss, bypass, or refreshed_in_background (given, and fetched anew).", "api", "stage", "result"),
		cacheBytes:     newFamily(Counter, "weir_cache_bytes_served_total", "Bytes of bodies that came out of the response cache.", "api", "stage"),

		upstreamAnswers:  newFamily(Counter, "weir_upstream_requests_total", "Answers of a target, by class of their status.", "upstream", "target", "class"),
		upstreamSeconds:  newFamily(histogramKind, "weir_upstream_duration_seconds", "Time from sending a request to a target to the first byte of its answer.", "upstream", "target"),
		upstreamFailures: newFamily(Counter, "weir_upstream_failures_total", "Attempts that brought no answer from a target, by cause.", "upstream", "target", "cause"),
		upstreamRetries:  newFamily(Counter, "weir_upstream_retries_total", "Attempts that repeated an earlier one of the same request.", "upstream", "target"),
		upstreamOpened:   newFamily(Counter, "weir_upstream_connections_opened_total", "Connections opened to a target.", "upstream", "target"),
		upstreamReused:   newFamily(Counter, "weir_upstream_connections_reused_total", "Requests that went over a pooled connection.", "upstream", "target"),

		connections:         newFamily(Gauge, "weir_connections", "Connections of clients that are open.", "listener"),
		connectionsAccepted: newFamily(Counter, "weir_connections_accepted_total", "Connections of clients that were accepted.", "listener"),
		connectionsRefused:  newFamily(Counter, "weir_connections_refused_total", "Connections of clients that were closed at once because there were too many.", "listener"),
		tlsHandshakes:       newFamily(Counter, "weir_tls_handshakes_total", "TLS handshakes of clients, by how they ended: full, resumed, plain (spoke in clear), timeout, too_large, alert (the client refused), left, failed (the gateway refused), turned_away (too many at once).", "listener", "outcome"),

		reloads:      newFamily(Counter, "weir_reloads_total", "Reloads of the document, by result: success or failure.", "result"),
		lastReloadOK: newFamily(Gauge, "weir_config_last_reload_success_timestamp_seconds", "When a document was last published, in Unix time."),
	}
}

func (c *catalogue) all() []*family {
	return []*family{
		c.buildInfo,
		c.requests, c.requestSeconds, c.requestBytes, c.responseBytes, c.refusals, c.grpcRequests, c.cacheRequests, c.cacheBytes,
		c.upstreamAnswers, c.upstreamSeconds, c.upstreamFailures, c.upstreamRetries, c.upstreamOpened, c.upstreamReused,
		c.connections, c.connectionsAccepted, c.connectionsRefused, c.tlsHandshakes,
		c.reloads, c.lastReloadOK,
	}
}

func (c *catalogue) find(name string) *family {
	for _, f := range c.all() {
		if f.name == name {
			return f
		}
	}
	return nil
}

// Reference describes all of weir's metrics that m has, those registered
// by others included, as a table in Markdown.
func (m *Metrics) Reference() []byte {
	families := m.families.all()
	m.mu.RLock()
	for _, f := range m.hookFamilies {
		families = append(families, f)
	}
	m.mu.RUnlock()
	slices.SortFunc(families, func(a, b *family) int { return strings.Compare(a.name, b.name) })

	var b bytes.Buffer
	b.WriteString("| Name | Type | Labels | Meaning |\n| --- | --- | --- | --- |\n")
	for _, f := range families {
		labels := "–"
		if len(f.labels) > 0 {
			labels = "`" + strings.Join(f.labels, "` `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, f.kind, labels, f.help)
	}
	return b.Bytes()
}

// MetricsReference describes the metrics that every process has, as a table in
// Markdown. Those of the Go runtime and of the process are not listed.
func MetricsReference() []byte {
	m := NewMetrics(1, "")
	m.WatchLog(&AccessLog{})
	return m.Reference()
}

package proxy

import (
	"strings"

	"github.com/rs/zerolog"

	"weir/proxy/config"
	"weir/proxy/front"
	"weir/proxy/observe"
	"weir/proxy/upstream"
	weirtls "weir/tls"
)

// watch adds to the metrics what other parts of the gateway count.
func (g *Gateway) watch() {
	g.watchPools()
	g.watchCertificates()
}

// watchPools adds the state of connections. The totals of all targets are
// bounded; one target's state is for /upstreams.
func (g *Gateway) watchPools() {
	sum := func(pick func(upstream.Stats) float64) func() float64 {
		return func() float64 {
			total := 0.0
			for _, target := range g.registry.Targets() {
				total += pick(target.Stats())
			}
			return total
		}
	}
	const name, help = "weir_upstream_connections", "Connections to targets, by what they do."
	g.metrics.RegisterFunc(name, help, observe.Gauge, map[string]string{"state": "idle"}, sum(func(s upstream.Stats) float64 { return float64(s.Idle) }))
	g.metrics.RegisterFunc(name, help, observe.Gauge, map[string]string{"state": "busy"}, sum(func(s upstream.Stats) float64 { return float64(s.Busy) }))
	g.metrics.RegisterFunc("weir_upstream_waiting_requests", "Requests that wait for a connection to a target.", observe.Gauge, nil, sum(func(s upstream.Stats) float64 { return float64(s.Waiting) }))
	g.metrics.RegisterFunc("weir_tunnels", "Upgraded connections that are open.", observe.Gauge, nil, func() float64 {
		total := int64(0)
		g.eachServer(func(s front.Server) { total += s.Tunnels() })
		return float64(total)
	})
}

// watchCertificates adds what package tls knows and counts.
func (g *Gateway) watchCertificates() {
	g.metrics.RegisterSet("weir_tls_certificate_expiry_timestamp_seconds", "When a certificate that is served ends, in Unix time.", observe.Gauge,
		[]string{"name", "source", "serial"}, func(emit func(float64, ...string)) {
			seen := make(map[string]bool)
			for _, c := range g.secure.Certificates() {
				labels := []string{strings.Join(c.Names, " "), c.Source, c.Serial}
				if key := strings.Join(labels, "|"); !seen[key] {
					seen[key] = true
					emit(float64(c.NotAfter.Unix()), labels...)
				}
			}
		})
	count := func(name, help string, pick func(weirtls.Counts) uint64) {
		g.metrics.RegisterFunc(name, help, observe.Counter, nil, func() float64 { return float64(pick(g.secure.Counts())) })
	}
	count("weir_tls_names_refused_total", "Handshakes for names that nothing serves.", func(c weirtls.Counts) uint64 { return c.NamesRefused })
	count("weir_tls_files_reloaded_total", "Changes of certificate files that were taken over.", func(c weirtls.Counts) uint64 { return c.FilesReloaded })
	count("weir_tls_files_kept_total", "Changes of certificate files that could not be used; what they held before stayed.", func(c weirtls.Counts) uint64 { return c.FilesKept })
	count("weir_tls_ocsp_failures_total", "Answers of OCSP responders that could not be had or used.", func(c weirtls.Counts) uint64 { return c.OCSPFailures })
	count("weir_acme_obtained_total", "Certificates that were had from an ACME directory for the first time.", func(c weirtls.Counts) uint64 { return c.ACMEObtained })
	count("weir_acme_renewed_total", "Certificates that were renewed by an ACME directory.", func(c weirtls.Counts) uint64 { return c.ACMERenewed })
	count("weir_acme_failures_total", "Attempts to get a certificate from an ACME directory that failed.", func(c weirtls.Counts) uint64 { return c.ACMEFailures })
	count("weir_acme_on_demand_denied_total", "Names that a client asked for and that the rules of onDemand did not allow.", func(c weirtls.Counts) uint64 { return c.OnDemandDenied })
}

// MetricsReference describes every metric of a gateway, as a table in Markdown.
func MetricsReference() []byte {
	doc := &config.Document{}
	g, err := New(Options{Shards: 1}, fixedSource{doc}, "", zerolog.Nop())
	if err != nil {
		panic("BUG: " + err.Error())
	}
	defer g.close()
	return g.metrics.Reference()
}

// fixedSource serves one document.
type fixedSource struct{ document *config.Document }

func (s fixedSource) Document() (*config.Document, error) { return s.document, nil }
func (s fixedSource) Files() []string                     { return nil }

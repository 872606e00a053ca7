package proxy

import (
	"strings"
	"sync/atomic"

	"github.com/rs/zerolog"

	"weir/cache"
	"weir/proxy/config"
	"weir/proxy/front"
	"weir/proxy/h2"
	"weir/proxy/h3"
	"weir/proxy/observe"
	"weir/proxy/upstream"
	weirtls "weir/tls"
)

// watch adds to the metrics what other parts of the gateway count.
func (g *Gateway) watch() {
	g.watchPools()
	g.watchCertificates()
	g.watchHTTP2()
	g.watchHTTP3()
	g.watchLimits()
	g.watchCache()
	g.watchTier()
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
		g.eachServer(func(s front.Drainer) { total += s.Tunnels() })
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

// watchHTTP2 adds what the servers of HTTP/2 count of their clients.
func (g *Gateway) watchHTTP2() {
	count := func(name, help string, pick func(*h2.Stats) *atomic.Int64) {
		g.metrics.RegisterFunc(name, help, observe.Counter, nil, func() float64 {
			total := int64(0)
			for _, s := range g.shards {
				total += pick(&s.h2.Stats).Load()
			}
			return float64(total)
		})
	}
	count("weir_http2_streams_total", "Requests that HTTP/2 clients began.", func(s *h2.Stats) *atomic.Int64 { return &s.Streams })
	count("weir_http2_streams_refused_total", "Requests of HTTP/2 clients that were turned away because too many were under way.", func(s *h2.Stats) *atomic.Int64 { return &s.Refused })
	count("weir_http2_streams_reset_total", "Requests that HTTP/2 clients gave up.", func(s *h2.Stats) *atomic.Int64 { return &s.Reset })
	count("weir_http2_streams_invalid_total", "Requests that were ended because of what an HTTP/2 client sent.", func(s *h2.Stats) *atomic.Int64 { return &s.Invalid })
	count("weir_http2_protocol_errors_total", "HTTP/2 connections that were ended because of a protocol error.", func(s *h2.Stats) *atomic.Int64 { return &s.Errors })
	count("weir_http2_calmed_total", "HTTP/2 connections that were ended because of an abuse limit.", func(s *h2.Stats) *atomic.Int64 { return &s.Calmed })
	count("weir_http2_timeouts_total", "HTTP/2 connections that were ended because the client took or acknowledged nothing.", func(s *h2.Stats) *atomic.Int64 { return &s.Timeouts })
}

// watchHTTP3 does the same for HTTP/3.
func (g *Gateway) watchHTTP3() {
	add := func(name, help string, kind observe.Kind, pick func(*h3.Stats) *atomic.Int64) {
		g.metrics.RegisterFunc(name, help, kind, nil, func() float64 { return float64(g.quic.sum(pick)) })
	}
	add("weir_http3_connections_total", "HTTP/3 connections that were set up.", observe.Counter, func(s *h3.Stats) *atomic.Int64 { return &s.Connections })
	add("weir_http3_connections_refused_total", "HTTP/3 connections that were refused because there were too many, or too many handshakes.", observe.Counter, func(s *h3.Stats) *atomic.Int64 { return &s.Refused })
	add("weir_http3_handshakes", "QUIC handshakes under way.", observe.Gauge, func(s *h3.Stats) *atomic.Int64 { return &s.Handshakes })
	add("weir_http3_handshakes_failed_total", "QUIC handshakes that failed.", observe.Counter, func(s *h3.Stats) *atomic.Int64 { return &s.Failed })
	add("weir_http3_retries_total", "QUIC clients that were asked to prove their address.", observe.Counter, func(s *h3.Stats) *atomic.Int64 { return &s.Retries })
	add("weir_http3_streams_total", "Requests that HTTP/3 clients began.", observe.Counter, func(s *h3.Stats) *atomic.Int64 { return &s.Streams })
	add("weir_http3_streams_reset_total", "Requests that HTTP/3 clients gave up.", observe.Counter, func(s *h3.Stats) *atomic.Int64 { return &s.Resets })
	add("weir_http3_calmed_total", "HTTP/3 connections that were closed for excessive load.", observe.Counter, func(s *h3.Stats) *atomic.Int64 { return &s.Abuses })
}

// watchCache adds what the response cache holds and has done.
func (g *Gateway) watchCache() {
	add := func(name, help string, kind observe.Kind, pick func(cache.Stats) float64) {
		g.metrics.RegisterFunc(name, help, kind, nil, func() float64 { return pick(g.cacheStats()) })
	}
	add("weir_cache_entries", "Answers that the response cache holds.", observe.Gauge, func(s cache.Stats) float64 { return float64(s.Entries) })
	add("weir_cache_bytes", "Bytes of memory that they take.", observe.Gauge, func(s cache.Stats) float64 { return float64(s.Bytes) })
	add("weir_cache_fills", "Fetches under way whose answers may be stored.", observe.Gauge, func(s cache.Stats) float64 { return float64(s.Fills) })
	add("weir_cache_stored_total", "Answers that were stored.", observe.Counter, func(s cache.Stats) float64 { return float64(s.Stored) })
	add("weir_cache_evicted_total", "Stored answers that had to make room.", observe.Counter, func(s cache.Stats) float64 { return float64(s.Evicted) })
	add("weir_cache_rejected_total", "Answers that were not asked for often enough to be stored.", observe.Counter, func(s cache.Stats) float64 { return float64(s.Rejected) })
	add("weir_cache_purged_total", "Stored answers that were taken out because of a purge.", observe.Counter, func(s cache.Stats) float64 { return float64(s.Purged) })
	add("weir_cache_expired_total", "Stored answers that were taken out because they could be of no more use.", observe.Counter, func(s cache.Stats) float64 { return float64(s.Expired) })
}

// watchTier adds what nodes share of the cache, as long as they do.
func (g *Gateway) watchTier() {
	g.metrics.RegisterSet("weir_cache_shared_total", "What became of answers and purges at the second tier: hit, miss, late, error and damaged of those that were asked for; stored, dropped and too_large of those that were to be written; purge_sent, purge_received and flush (everything, because purges were missed) of purges.",
		observe.Counter, []string{"result"}, func(emit func(value float64, labels ...string)) {
			t := g.tier.now.Load()
			if t == nil {
				return
			}
			s := t.Stats()
			for _, c := range []struct {
				result string
				n      uint64
			}{
				{"hit", s.Hits}, {"miss", s.Misses}, {"late", s.Late}, {"error", s.Errors}, {"damaged", s.Damaged},
				{"stored", s.Stored}, {"dropped", s.Dropped}, {"too_large", s.TooLarge},
				{"purge_sent", s.Sent}, {"purge_received", s.Received}, {"flush", s.Flushes},
			} {
				emit(float64(c.n), c.result)
			}
		})
	g.metrics.RegisterSet("weir_cache_shared_away", "Whether the second tier is away.", observe.Gauge, nil, func(emit func(value float64, labels ...string)) {
		if t := g.tier.now.Load(); t != nil {
			away, _, _ := t.State()
			value := 0.0
			if away {
				value = 1
			}
			emit(value)
		}
	})
}

// MetricsReference describes every metric of a gateway, as a table in Markdown.
func MetricsReference() []byte {
	doc := &config.Document{}
	g, err := New(Options{Shards: 1, ephemeral: true}, fixedSource{doc}, "", zerolog.Nop())
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

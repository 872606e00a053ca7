package main

func scenarios() []scenario {
	cpu := column{"CPU µs/request", func(s sample) float64 { return s.CPUMicros }, 1}
	perHandshake := column{"CPU µs/handshake", cpu.of, 1}
	handshakes := column{"handshakes/s of CPU", func(s sample) float64 { return 1e6 / s.CPUMicros }, 0}
	rate := column{"requests/s", func(s sample) float64 { return s.RequestsPerSecond }, 0}
	mean := column{"mean ms", func(s sample) float64 { return s.Mean }, 2}
	p50 := column{"p50 ms", func(s sample) float64 { return s.P50 }, 2}
	p99 := column{"p99 ms", func(s sample) float64 { return s.P99 }, 2}
	late := column{"of it the load's own, ms", func(s sample) float64 { return s.LoadLate99 }, 2}
	memory := column{"KiB/connection", func(s sample) float64 { return s.KiBPerConnection }, 1}
	slowdown := column{"p99 ÷ p99 without overload", func(s sample) float64 { return s.P99 / s.Unloaded99 }, 2}
	failures := column{"failed requests", func(s sample) float64 { return float64(s.Failures) }, 0}
	closed := column{"closed connections", func(s sample) float64 { return float64(s.Closed) }, 0}
	reloads := column{"reloads", func(s sample) float64 { return float64(s.Reloads) }, 0}
	swaps := column{"certificates swapped", func(s sample) float64 { return float64(s.Swaps) }, 0}
	requests := column{"requests", func(s sample) float64 { return float64(s.Requests) }, 0}

	clock := column{"µs/request by the clock", func(s sample) float64 { return 1e6 / s.RequestsPerSecond }, 1}

	everyone := []string{"weir", "nginx", "haproxy", "caddy"}
	everyForm := []string{"weir", "weir-default", "nginx", "nginx-stock", "haproxy", "caddy"}
	saturated := []column{cpu, rate, p50, p99}
	return []scenario{
		{name: "1kb", title: "1 KiB answers, 64 connections, as fast as it goes", path: "/size/1024", connections: 64,
			peers: []string{"weir", "weir-default", "nginx", "haproxy", "caddy"}, columns: saturated, once: saturate},
		{name: "16kb", title: "16 KiB answers, 64 connections, as fast as it goes", path: "/size/16384", connections: 64,
			peers: everyForm, columns: saturated, once: saturate},
		{name: "1mb", title: "1 MiB answers, 16 connections, as fast as it goes", path: "/size/1048576", connections: 16,
			peers: everyForm, columns: saturated, once: saturate},
		{name: "rate", title: "1 KiB answers at a fixed 5,000 requests/s, 64 connections", path: "/size/1024", connections: 64,
			peers: everyone, columns: []column{p99, late, p50, cpu}, once: pace},
		{name: "tail", title: "1 KiB answers, 512 connections, as fast as it goes", path: "/size/1024", connections: 512,
			peers: everyone, columns: []column{p99, p50, cpu, rate}, once: saturate},
		{name: "everything", title: "weir as it comes against weir without log and metrics, 1 KiB, 64 connections", path: "/size/1024",
			connections: 64, peers: []string{"weir-default", "weir-quiet"}, columns: saturated, once: saturate},
		{name: "idle", title: "memory of 9,000 idle connections that have each served one request", path: "/size/1024",
			connections: 9000, peers: everyone, columns: []column{memory}, once: idle, isFresh: true},
		{name: "reload", title: "100,000 requests while the document changes every 200 ms, 64 connections", path: "/size/1024",
			connections: 64, peers: []string{"weir"}, columns: []column{failures, closed, reloads, requests},
			once: reload, isFresh: true, document: true},
		{name: "limit", title: "requests that are refused because one address sends too many, 64 connections, as fast as it goes",
			path: "/limited/size/1024", connections: 64, peers: []string{"weir", "nginx", "haproxy"}, columns: []column{cpu, rate},
			once: refused, document: true},
		{name: "overload", title: "ten times the requests that an address is allowed: the accepted ones beside those without overload, 64 connections",
			path: "/budget/size/1024", connections: 64, peers: []string{"weir", "nginx", "haproxy"},
			columns: []column{slowdown, p99, cpu}, once: overload, document: true, isFresh: true},
		{name: "cache-1k", title: "1 KiB answers from the cache, 64 connections, as fast as it goes", path: "/cached/1024", connections: 64,
			peers: []string{"weir", "weir-default", "nginx", "haproxy", "varnish"}, columns: saturated, once: hits, document: true, isCached: true},
		{name: "cache-16k", title: "16 KiB answers from the cache, 64 connections, as fast as it goes", path: "/cached/16384", connections: 64,
			peers: []string{"weir", "nginx", "haproxy", "varnish"}, columns: saturated, once: hits, document: true, isCached: true},
		{name: "cache-100k", title: "100 KiB answers from the cache, 16 connections, as fast as it goes", path: "/cached/102400", connections: 16,
			peers: []string{"weir", "nginx", "varnish"}, columns: []column{clock, rate, cpu}, once: hits, document: true, isCached: true},
		{name: "cache-1m", title: "1 MiB answers from the cache, 16 connections, as fast as it goes", path: "/cached/1048576", connections: 16,
			peers: []string{"weir", "nginx", "varnish"}, columns: []column{clock, rate, cpu}, once: hits, document: true, isCached: true},
		{name: "tls", title: "1 KiB answers over TLS 1.3 and HTTP/1.1, 64 connections, as fast as it goes", path: "/size/1024",
			front: front{isTLS: true}, connections: 64, peers: everyone, columns: saturated, once: saturate},
		{name: "handshake", title: "whole TLS 1.3 handshakes with ECDSA P-256, a request each, 16 at once", path: "/size/1024",
			front: front{isTLS: true}, connections: 16, peers: everyone, columns: []column{perHandshake, handshakes, p50, p99},
			once: loaded("handshake")},
		{name: "h2", title: "1 KiB answers over HTTP/2 and TLS, 64 connections of 10 streams, as fast as it goes", path: "/size/1024",
			front: front{true, "h2"}, connections: 64, streams: 10, peers: everyone, columns: []column{cpu, rate, mean}, once: multiplex},
		{name: "h3", title: "1 KiB answers over HTTP/3, 64 connections of 10 streams, as fast as it goes", path: "/size/1024",
			front: front{true, "h3"}, connections: 64, streams: 10, peers: []string{"weir", "caddy"},
			columns: []column{cpu, rate, p50, p99}, once: loaded("saturate")},
		{name: "idle-tls", title: "memory of 10,000 idle TLS connections that have each served one request", path: "/size/1024",
			front: front{isTLS: true}, connections: 10_000, peers: everyone, columns: []column{memory}, once: idle,
			isFresh: true, rounds: 2},
		{name: "idle-h2", title: "memory of 10,000 idle HTTP/2 connections over TLS that have each served one request",
			path: "/size/1024", front: front{true, "h2"}, connections: 10_000, peers: everyone, columns: []column{memory},
			once: idle, isFresh: true, rounds: 2},
		{name: "reload-tls", title: "100,000 HTTP/2 requests while document and certificate change every 200 ms, 64 connections of 10 streams",
			path: "/size/1024", front: front{true, "h2"}, connections: 64, streams: 10, peers: []string{"weir"},
			columns: []column{failures, closed, reloads, swaps, requests}, once: reload, isFresh: true, document: true},
	}
}

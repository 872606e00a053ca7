package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// scenario is one kind of work and what is read from it.
type scenario struct {
	name, title string
	path        string
	connections int
	peers       []string
	// columns are the figures; the first is the one that is compared.
	columns []column
	once    func(ctx context.Context, l *lab, s scenario, t *target) (sample, error)
	// isFresh starts each program anew in each round and alone, because what it did before would be measured.
	isFresh bool
	// document makes weir start with -config and a document of its own in place of -upstream.
	document bool
}

// sample is one program in one round.
type sample struct {
	Requests          int     `json:"requests"`
	Failures          int     `json:"failures"`
	Closed            int     `json:"closed_connections,omitempty"`
	Reloads           int     `json:"reloads,omitempty"`
	RequestsPerSecond float64 `json:"requests_per_second,omitempty"`
	CPUMicros         float64 `json:"cpu_us_per_request,omitempty"`
	P50               float64 `json:"p50_ms,omitempty"`
	P99               float64 `json:"p99_ms,omitempty"`
	KiBPerConnection  float64 `json:"kib_per_connection,omitempty"`
	// LoadLate99 is how late the load program itself was; part of P99 where requests are sent at fixed moments.
	LoadLate99 float64 `json:"load_late_p99_ms,omitempty"`
	// OtherWork is the part of the proxy's processor that others took: interrupts, other programs, the hypervisor.
	OtherWork float64 `json:"other_work"`
}

type column struct {
	title string
	of    func(sample) float64
	// digits after the point.
	digits int
}

func scenarios() []scenario {
	cpu := column{"CPU µs/request", func(s sample) float64 { return s.CPUMicros }, 1}
	rate := column{"requests/s", func(s sample) float64 { return s.RequestsPerSecond }, 0}
	p50 := column{"p50 ms", func(s sample) float64 { return s.P50 }, 2}
	p99 := column{"p99 ms", func(s sample) float64 { return s.P99 }, 2}
	late := column{"of it the load's own, ms", func(s sample) float64 { return s.LoadLate99 }, 2}
	memory := column{"KiB/connection", func(s sample) float64 { return s.KiBPerConnection }, 1}
	failures := column{"failed requests", func(s sample) float64 { return float64(s.Failures) }, 0}
	closed := column{"closed connections", func(s sample) float64 { return float64(s.Closed) }, 0}
	reloads := column{"reloads", func(s sample) float64 { return float64(s.Reloads) }, 0}
	requests := column{"requests", func(s sample) float64 { return float64(s.Requests) }, 0}

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
	}
}

// measure runs the rounds. A program that does not start, answers wrongly or fails a round is reported and left out.
func (s scenario) measure(ctx context.Context, l *lab) outcome {
	o := outcome{Name: s.name, Title: s.title, Samples: map[string][]sample{}, columns: s.columns}
	l.say("\n%s: %s", s.name, s.title)
	var running []*target
	defer func() {
		for _, t := range running {
			t.process.stop()
		}
	}()
	var taking []peer
	for _, name := range s.peers {
		p := peers()[name]
		if !l.has(p) {
			continue
		}
		taking = append(taking, p)
	}
	if !s.isFresh {
		taking = slices.DeleteFunc(taking, func(p peer) bool {
			t, err := s.start(ctx, l, p)
			if err != nil {
				l.say("%s is left out: %v", p.name, err)
				return true
			}
			running = append(running, t)
			return false
		})
	}
	for round := range l.order.rounds {
		for i := range taking {
			if ctx.Err() != nil {
				return o
			}
			// Each round begins with another program, so that none always follows the same one.
			p := taking[(i+round)%len(taking)]
			measured, err := s.take(ctx, l, p, running)
			if err != nil {
				l.say("  round %d  %-10s cannot be measured: %v", round+1, p.name, err)
				continue
			}
			o.add(p.name, measured)
			l.say("  round %d  %-10s %s", round+1, p.name, s.oneLine(measured))
		}
	}
	return o
}

func (s scenario) take(ctx context.Context, l *lab, p peer, running []*target) (sample, error) {
	if s.isFresh {
		t, err := s.start(ctx, l, p)
		if err != nil {
			return sample{}, err
		}
		defer t.process.stop()
		return s.once(ctx, l, s, t)
	}
	i := slices.IndexFunc(running, func(t *target) bool { return t.peer.name == p.name })
	return s.once(ctx, l, s, running[i])
}

// start runs the program, looks at its answers, and warms it up where it stays for all rounds.
func (s scenario) start(ctx context.Context, l *lab, p peer) (*target, error) {
	var extra []string
	if s.document {
		path, err := l.writeDocument(0)
		if err != nil {
			return nil, err
		}
		extra = []string{"-config", path}
	}
	t, err := l.startTarget(p, extra...)
	if err != nil {
		return nil, err
	}
	if err := l.checkAnswers(ctx, t, s.path); err != nil {
		t.process.stop()
		return nil, err
	}
	if !s.isFresh {
		if _, err := l.wrk(ctx, t, s.path, s.connections, 1); err != nil {
			t.process.stop()
			return nil, err
		}
	}
	return t, nil
}

func (s scenario) oneLine(m sample) string {
	var parts []string
	for _, c := range s.columns {
		parts = append(parts, fmt.Sprintf("%s %.*f", c.title, c.digits, c.of(m)))
	}
	return strings.Join(parts, "   ")
}

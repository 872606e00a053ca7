package main

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
)

// scenario is one kind of work and what is read from it.
type scenario struct {
	name, title string
	path        string
	front       front
	connections int
	// streams are the requests at once on each connection of HTTP/2 and HTTP/3.
	streams int
	peers   []string
	// columns are the figures; the first is the one that is compared.
	columns []column
	once    func(ctx context.Context, l *lab, s scenario, t *target) (sample, error)
	// isFresh starts each program anew in each round and alone, because what it did before would be measured.
	isFresh bool
	// rounds bounds them where one takes long and the figure hardly varies; 0 does not.
	rounds int
	// isCached is about answers that each program has in its cache.
	isCached bool
	// document makes weir start with -config and a document of its own in place of -upstream.
	document bool
}

// sample is one program in one round.
type sample struct {
	Requests          int     `json:"requests"`
	Failures          int     `json:"failures"`
	Refused           int     `json:"refused,omitempty"`
	Closed            int     `json:"closed_connections,omitempty"`
	Reloads           int     `json:"reloads,omitempty"`
	Swaps             int     `json:"certificate_swaps,omitempty"`
	RequestsPerSecond float64 `json:"requests_per_second,omitempty"`
	CPUMicros         float64 `json:"cpu_us_per_request,omitempty"`
	Mean              float64 `json:"mean_ms,omitempty"`
	P50               float64 `json:"p50_ms,omitempty"`
	P99               float64 `json:"p99_ms,omitempty"`
	KiBPerConnection  float64 `json:"kib_per_connection,omitempty"`
	// Unloaded99 is P99 without overload.
	Unloaded99 float64 `json:"unloaded_p99_ms,omitempty"`
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

// measure runs the rounds. A program that does not start, answers wrongly or fails a round is reported and left out.
func (s scenario) measure(ctx context.Context, l *lab) outcome {
	o := outcome{Name: s.name, Title: s.title, Samples: map[string][]sample{}, columns: s.columns}
	l.say("\n%s: %s", s.name, s.title)
	var running []*target
	defer func() {
		for _, t := range running {
			t.stop()
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
	for round := range s.howOften(l.order.rounds) {
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

func (s scenario) howOften(asked int) int {
	if s.rounds == 0 {
		return asked
	}
	return min(asked, s.rounds)
}

func (s scenario) take(ctx context.Context, l *lab, p peer, running []*target) (sample, error) {
	if s.isFresh {
		t, err := s.start(ctx, l, p)
		if err != nil {
			return sample{}, err
		}
		defer t.stop()
		return s.once(ctx, l, s, t)
	}
	i := slices.IndexFunc(running, func(t *target) bool { return t.peer.name == p.name })
	return s.once(ctx, l, s, running[i])
}

// start runs the program, looks at its answers, and warms it up where it stays for all rounds.
func (s scenario) start(ctx context.Context, l *lab, p peer) (*target, error) {
	t, err := l.startTarget(p, s.front, s.document)
	if err != nil {
		return nil, err
	}
	if err := s.ready(ctx, l, t); err != nil {
		t.stop()
		return nil, err
	}
	return t, nil
}

func (s scenario) ready(ctx context.Context, l *lab, t *target) error {
	if err := l.checkAnswers(ctx, t, "/size/"+path.Base(s.path)); err != nil {
		return err
	}
	if s.isCached {
		return s.fill(ctx, l, t)
	}
	if s.isFresh {
		return nil
	}
	return s.warm(ctx, l, t)
}

func (s scenario) warm(ctx context.Context, l *lab, t *target) error {
	if t.front.newest() == "http/1.1" {
		where := "/size/" + path.Base(s.path)
		if s.isCached {
			where = s.path
		}
		_, err := l.wrk(ctx, t, where, s.connections, 1)
		return err
	}
	_, err := l.load(ctx, t, s, "-mode", "saturate", "-duration", "1s")
	return err
}

func (s scenario) oneLine(m sample) string {
	var parts []string
	for _, c := range s.columns {
		parts = append(parts, fmt.Sprintf("%s %.*f", c.title, c.digits, c.of(m)))
	}
	return strings.Join(parts, "   ")
}

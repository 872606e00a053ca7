package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// saturate sends as fast as answers come back.
func saturate(ctx context.Context, l *lab, s scenario, t *target) (sample, error) {
	return l.costed(t, func() (sample, error) { return l.wrk(ctx, t, s.path, s.connections, l.order.seconds) })
}

// pace sends at fixed moments, so that a stall of the program makes later requests late and is seen.
func pace(ctx context.Context, l *lab, s scenario, t *target) (sample, error) {
	return l.costed(t, func() (sample, error) {
		return l.load(ctx, t, s, "-mode", "steady", "-rate", "5000", "-duration", fmt.Sprint(l.order.seconds)+"s")
	})
}

// multiplex sends over HTTP/2 as fast as answers come back.
func multiplex(ctx context.Context, l *lab, s scenario, t *target) (sample, error) {
	return l.costed(t, func() (sample, error) { return l.h2load(ctx, t, s, l.order.seconds) })
}

// loaded has tools/load send as fast as answers come back, in the way of the scenario.
func loaded(mode string) func(context.Context, *lab, scenario, *target) (sample, error) {
	return func(ctx context.Context, l *lab, s scenario, t *target) (sample, error) {
		return l.costed(t, func() (sample, error) {
			measured, err := l.load(ctx, t, s, "-mode", mode, "-duration", fmt.Sprint(l.order.seconds)+"s")
			if err == nil && measured.Failures > 0 {
				return measured, fmt.Errorf("%d requests failed", measured.Failures)
			}
			return measured, err
		})
	}
}

// costed adds what the work cost: the program's processor time per request, and how much others disturbed.
func (l *lab) costed(t *target, work func() (sample, error)) (sample, error) {
	began := time.Now()
	cpuBefore, err := t.cpu(l.proc)
	if err != nil {
		return sample{}, err
	}
	busyBefore, _ := l.proc.busy(l.order.proxyCPU)
	s, err := work()
	if err != nil {
		return sample{}, err
	}
	cpuAfter, err := t.cpu(l.proc)
	if err != nil {
		return sample{}, err
	}
	busyAfter, _ := l.proc.busy(l.order.proxyCPU)
	if s.Requests == 0 {
		return sample{}, errors.New("no request was answered")
	}
	cost := cpuAfter - cpuBefore
	s.CPUMicros = float64(cost.Microseconds()) / float64(s.Requests)
	s.OtherWork = max(0, float64(busyAfter-busyBefore-cost)/float64(time.Since(began)))
	return s, nil
}

func (l *lab) wrk(ctx context.Context, t *target, path string, connections, seconds int) (sample, error) {
	command := exec.CommandContext(ctx, l.programs["wrk"], "-t1", "-c"+strconv.Itoa(connections),
		"-d"+strconv.Itoa(seconds)+"s", "--timeout", "10s", "--latency", t.url(path))
	said, err := command.CombinedOutput()
	if err != nil {
		return sample{}, fmt.Errorf("cannot run wrk: %w: %s", err, said)
	}
	s, err := parseWrk(string(said))
	if err == nil && s.Failures > 0 {
		return s, fmt.Errorf("%d requests failed: %s", s.Failures, said)
	}
	return s, err
}

// parseWrk reads wrk's report. Failures are answers other than 2xx and 3xx and errors of the sockets.
func parseWrk(said string) (sample, error) {
	var s sample
	find := func(pattern string) []string { return regexp.MustCompile(pattern).FindStringSubmatch(said) }
	if m := find(`(\d+) requests in `); m != nil {
		s.Requests, _ = strconv.Atoi(m[1])
	}
	if m := find(`Requests/sec:\s+([\d.]+)`); m != nil {
		s.RequestsPerSecond, _ = strconv.ParseFloat(m[1], 64)
	}
	var err error
	for part, into := range map[string]*float64{"50": &s.P50, "99": &s.P99} {
		m := find(`\s` + part + `%\s+(\S+)`)
		if m == nil {
			return s, fmt.Errorf("cannot find a latency in %q", said)
		}
		if *into, err = parseWrkTime(m[1]); err != nil {
			return s, err
		}
	}
	if m := find(`Non-2xx or 3xx responses: (\d+)`); m != nil {
		s.Failures, _ = strconv.Atoi(m[1])
	}
	if m := find(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`); m != nil {
		for _, text := range m[1:] {
			n, _ := strconv.Atoi(text)
			s.Failures += n
		}
	}
	if s.Requests == 0 || s.RequestsPerSecond == 0 {
		return s, fmt.Errorf("cannot find the requests in %q", said)
	}
	return s, nil
}

// parseWrkTime reads 950.00us, 1.25ms, 1.02s or 1.50m as milliseconds.
func parseWrkTime(text string) (float64, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("cannot read the latency %q: %w", text, err)
	}
	return d.Seconds() * 1000, nil
}

// loadOutcome is the line that tools/load prints.
type loadOutcome struct {
	Requests     int     `json:"requests"`
	Failures     int     `json:"failures"`
	Refused      int     `json:"refused"`
	Closed       int     `json:"closed_connections"`
	Seconds      float64 `json:"seconds"`
	P50          float64 `json:"p50_ms"`
	P99          float64 `json:"p99_ms"`
	Late99       float64 `json:"late_p99_ms"`
	FirstFailure string  `json:"first_failure"`
}

func (o loadOutcome) sample() sample {
	return sample{Requests: o.Requests, Failures: o.Failures, Refused: o.Refused, Closed: o.Closed, P50: o.P50, P99: o.P99,
		LoadLate99: o.Late99, RequestsPerSecond: float64(o.Requests) / o.Seconds}
}

func (l *lab) loadCommand(ctx context.Context, t *target, s scenario, arguments ...string) *exec.Cmd {
	all := append([]string{
		"-address", t.address, "-path", s.path, "-connections", strconv.Itoa(s.connections),
		"-protocol", t.front.newest(), "-tls=" + strconv.FormatBool(t.front.isTLS), "-host", t.host(),
		"-streams", strconv.Itoa(max(1, s.streams)),
	}, arguments...)
	return exec.CommandContext(ctx, l.programs["load"], all...)
}

func (l *lab) load(ctx context.Context, t *target, s scenario, arguments ...string) (sample, error) {
	command := l.loadCommand(ctx, t, s, arguments...)
	var complaint bytes.Buffer
	command.Stderr = &complaint
	said, err := command.Output()
	if err != nil {
		return sample{}, fmt.Errorf("cannot run load: %w: %s", err, complaint.Bytes())
	}
	var o loadOutcome
	if err := json.Unmarshal(said, &o); err != nil {
		return sample{}, fmt.Errorf("cannot read what load says: %w", err)
	}
	if o.Failures > 0 {
		l.say("  %d of %d requests failed, first: %s", o.Failures, o.Requests, o.FirstFailure)
	}
	return o.sample(), nil
}

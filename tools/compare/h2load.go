package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

func (l *lab) h2load(ctx context.Context, t *target, s scenario, seconds int) (sample, error) {
	if l.programs["h2load"] == "" {
		return sample{}, errors.New("cannot find h2load: tools/setup.sh h2load installs it")
	}
	command := exec.CommandContext(ctx, l.programs["h2load"], "-t1", "-c"+strconv.Itoa(s.connections),
		"-m"+strconv.Itoa(s.streams), "-D"+strconv.Itoa(seconds), "--connect-to="+t.address, t.url(s.path))
	said, err := command.CombinedOutput()
	if err != nil {
		return sample{}, fmt.Errorf("cannot run h2load: %w: %s", err, said)
	}
	measured, err := parseH2load(string(said))
	if err == nil && measured.Failures > 0 {
		return measured, fmt.Errorf("%d requests failed: %s", measured.Failures, said)
	}
	return measured, err
}

// parseH2load reads h2load's report. Failures are answers other than 2xx and requests without one.
func parseH2load(said string) (sample, error) {
	var s sample
	find := func(pattern string) []string { return regexp.MustCompile(pattern).FindStringSubmatch(said) }
	counts := find(`(\d+) succeeded, (\d+) failed, \d+ errored`)
	rate := find(`finished in \S+, ([\d.]+) req/s`)
	mean := find(`time for request:\s+\S+\s+\S+\s+(\S+)`)
	if counts == nil || rate == nil || mean == nil {
		return s, fmt.Errorf("cannot find the requests in %q", said)
	}
	s.Requests, _ = strconv.Atoi(counts[1])
	s.Failures, _ = strconv.Atoi(counts[2])
	s.RequestsPerSecond, _ = strconv.ParseFloat(rate[1], 64)
	d, err := time.ParseDuration(mean[1])
	if err != nil {
		return s, fmt.Errorf("cannot read the latency %q: %w", mean[1], err)
	}
	s.Mean = d.Seconds() * 1000
	if s.Requests == 0 {
		return s, fmt.Errorf("cannot find an answer in %q", said)
	}
	return s, nil
}

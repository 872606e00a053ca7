package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"path"
	"strconv"
)

// hits sends requests for what is in the cache as fast as answers come back.
func hits(ctx context.Context, l *lab, s scenario, t *target) (sample, error) {
	before, err := l.cachedCount(ctx)
	if err != nil {
		return sample{}, err
	}
	measured, err := saturate(ctx, l, s, t)
	if err != nil {
		return measured, err
	}
	return measured, l.expectCached(ctx, before, fmt.Sprintf("%d requests for what is in the cache", measured.Requests))
}

// fill has the program fetch what it is to keep, and looks whether it then asks no more for it.
func (s scenario) fill(ctx context.Context, l *lab, t *target) error {
	before, err := l.cachedCount(ctx)
	if err != nil {
		return err
	}
	var first []byte
	for range 3 {
		answer, body, err := t.fetch(ctx, s.path)
		if err != nil {
			return fmt.Errorf("cannot ask %s: %w", t.peer.name, err)
		}
		if want, _ := strconv.Atoi(path.Base(s.path)); answer.StatusCode != http.StatusOK || len(body) != want {
			return fmt.Errorf("%s answers status %d with %d bytes to %s; want 200 with %d", t.peer.name, answer.StatusCode, len(body), s.path, want)
		}
		if first == nil {
			first = body
		}
		if !bytes.Equal(body, first) {
			return fmt.Errorf("%s gives other content the second time", t.peer.name)
		}
	}
	if err := s.warm(ctx, l, t); err != nil {
		return err
	}
	return l.expectCached(ctx, before+1, t.peer.name)
}

// expectCached fails unless the upstream has given so many answers that may be kept.
func (l *lab) expectCached(ctx context.Context, want int, what string) error {
	got, err := l.cachedCount(ctx)
	if err == nil && got != want {
		return fmt.Errorf("%s made %d requests to the upstream more than they should", what, got-want)
	}
	return err
}

// cachedCount asks the upstream how many answers it has given that may be kept.
func (l *lab) cachedCount(ctx context.Context) (int, error) {
	t := &target{address: l.origin}
	_, body, err := t.fetch(ctx, "/cached/count")
	if err != nil {
		return 0, fmt.Errorf("cannot ask the upstream: %w", err)
	}
	return strconv.Atoi(string(body))
}

package tls

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

var errDenied = errors.New("the rule does not allow it")

const (
	deniedTime   = time.Minute
	maxDenied    = 10_000
	maxAskedRead = 1 << 10
)

// deniedNames remembers for a while what was denied: clients may ask for any
// name, and each must not become a request to the rule's URL.
type deniedNames struct {
	until map[string]time.Time
}

func (d *deniedNames) has(name string, now time.Time) bool {
	until, found := d.until[name]
	return found && now.Before(until)
}

func (d *deniedNames) add(name string, now time.Time) {
	if d.until == nil || len(d.until) >= maxDenied {
		d.until = make(map[string]time.Time)
	}
	d.until[name] = now.Add(deniedTime)
}

// mayObtain decides whether a certificate may be had, or renewed, for a name
// that a client has asked for. Without a rule, none may.
func (a *acme) mayObtain(ctx context.Context, name string) error {
	t, now := a.m.published.Load(), a.m.now()
	a.mu.Lock()
	known := a.denied.has(name, now)
	a.mu.Unlock()
	err := errDenied
	if !known && t.onDemand(name) {
		err = nil
		if rule := t.settings.ACME.OnDemand; rule != nil && rule.Ask != "" {
			err = a.ask(ctx, rule.Ask, name)
		}
	}
	if err == nil {
		return nil
	}
	a.m.counts.denied.Add(1)
	a.mu.Lock()
	a.denied.add(name, now)
	a.mu.Unlock()
	return fmt.Errorf("cannot get a certificate for %q on demand: %w", name, err)
}

func (a *acme) ask(ctx context.Context, rule, name string) error {
	asked, err := url.Parse(rule)
	if err != nil {
		return err
	}
	query := asked.Query()
	query.Set("domain", name)
	asked.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, asked.String(), nil)
	if err != nil {
		return err
	}
	answer, err := a.m.config.HTTPClient.Do(request)
	if err != nil {
		return fmt.Errorf("cannot ask: %w", err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAskedRead)
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: the URL answers %s", errDenied, answer.Status)
	}
	return nil
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// forwarded is what every program adds for the upstream, so that all do the same work.
func forwarded() []string {
	return []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Via", "X-Request-Id"}
}

// checkAnswers looks whether the program answers what will be measured, and forwards what all forward.
func (l *lab) checkAnswers(ctx context.Context, t *target, path string) error {
	answer, body, err := t.fetch(ctx, path)
	if err != nil {
		return fmt.Errorf("cannot ask %s: %w", t.peer.name, err)
	}
	want, err := strconv.Atoi(strings.TrimPrefix(path, "/size/"))
	if err != nil {
		panic("BUG: a scenario without a size in its path: " + path)
	}
	if answer.StatusCode != http.StatusOK || len(body) != want {
		return fmt.Errorf("%s answers status %d with %d bytes to %s; want 200 with %d", t.peer.name, answer.StatusCode, len(body), path, want)
	}
	if err := t.front.checkSpoken(answer); err != nil {
		return fmt.Errorf("%s does not do the same work: %w", t.peer.name, err)
	}
	if _, body, err = t.fetch(ctx, "/echo"); err != nil {
		return fmt.Errorf("cannot ask %s: %w", t.peer.name, err)
	}
	missing, err := missingHeaders(body)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s does not do the same work: the upstream gets no %s", t.peer.name, strings.Join(missing, ", "))
	}
	return nil
}

// missingHeaders returns which of the forwarded headers an echo lacks.
func missingHeaders(body []byte) ([]string, error) {
	var seen struct {
		Headers [][2]string `json:"headers"`
	}
	if err := json.Unmarshal(body, &seen); err != nil {
		return nil, fmt.Errorf("cannot read the echo: %w", err)
	}
	var missing []string
	for _, name := range forwarded() {
		found := false
		for _, header := range seen.Headers {
			found = found || strings.EqualFold(header[0], name) && header[1] != ""
		}
		if !found {
			missing = append(missing, name)
		}
	}
	return missing, nil
}

// fetch asks over a connection of its own. What speaks HTTP/3 is asked over HTTP/2.
func (t *target) fetch(ctx context.Context, path string) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url(path), nil)
	if err != nil {
		return nil, nil, err
	}
	transport := &http.Transport{
		DisableKeepAlives: true, DisableCompression: true, TLSClientConfig: t.front.tls(), Protocols: new(http.Protocols),
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, t.address)
		},
	}
	transport.Protocols.SetHTTP1(!t.front.carries("h2"))
	transport.Protocols.SetHTTP2(t.front.carries("h2"))
	defer transport.CloseIdleConnections()
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer, body, err
}

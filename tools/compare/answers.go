package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
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
	answer, body, err := fetch(ctx, t.address, path)
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
	if _, body, err = fetch(ctx, t.address, "/echo"); err != nil {
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

func fetch(ctx context.Context, address, path string) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return nil, nil, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	answer, err := client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer, body, err
}

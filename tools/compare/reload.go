package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// writeDocument puts a document in place in one step, as careful editors and deployments do. The generation is
// served at /generation, so that a reload can be seen from outside.
func (l *lab) writeDocument(generation int) (string, error) {
	document := fmt.Sprintf(`apis:
  site:
    routes:
      - { path: /generation, methods: [GET], answer: { body: "%d" } }
      - { path: $default, upstream: origin }
upstreams:
  origin: { targets: [ "http://%s" ] }
`, generation, l.origin)
	// A folder of its own, as /etc is: what programs write beside the document would be seen as changes.
	path := filepath.Join(l.folder, "document", "weir.yaml")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("cannot make a folder for the document: %w", err)
	}
	if err := os.WriteFile(path+".new", []byte(document), 0o644); err != nil {
		return "", fmt.Errorf("cannot write the document: %w", err)
	}
	return path, os.Rename(path+".new", path)
}

// reload sends requests while the document changes, and counts failures, connections closed by the program, and the
// documents that came to be served.
func reload(ctx context.Context, l *lab, s scenario, t *target) (sample, error) {
	rewriting, stop := context.WithCancel(ctx)
	type rewrites struct {
		served int
		err    error
	}
	ended := make(chan rewrites, 1)
	go func() {
		served, err := l.rewrite(rewriting, t)
		ended <- rewrites{served, err}
	}()
	measured, err := l.load(ctx, t, s, "-mode", "count", "-requests", "100000")
	stop()
	r := <-ended
	if err != nil {
		return sample{}, err
	}
	if r.err != nil {
		return sample{}, r.err
	}
	if r.served == 0 {
		return sample{}, fmt.Errorf("no document was reloaded: %s", t.process.lastWords())
	}
	measured.Reloads = r.served
	return measured, nil
}

// rewrite changes the document every 200 ms until ctx ends, and returns how many of the changes it saw served.
func (l *lab) rewrite(ctx context.Context, t *target) (served int, err error) {
	every := time.NewTicker(200 * time.Millisecond)
	defer every.Stop()
	last := "0"
	for generation := 1; ; generation++ {
		select {
		case <-ctx.Done():
			return served, nil
		case <-every.C:
		}
		_, body, err := fetch(ctx, t.address, "/generation")
		if ctx.Err() != nil {
			return served, nil
		}
		if err != nil {
			return served, fmt.Errorf("cannot ask for the generation: %w", err)
		}
		if _, err := strconv.Atoi(string(body)); err != nil {
			return served, fmt.Errorf("cannot read the generation %q", body)
		}
		if string(body) != last {
			served++
			last = string(body)
		}
		if _, err := l.writeDocument(generation); err != nil {
			return served, err
		}
	}
}

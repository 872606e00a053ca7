package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// writeDocument puts a document in place in one step, as careful editors and deployments do. The generation is
// served at /generation, so that a reload can be seen from outside.
func (l *lab) writeDocument(t *target, generation int) (string, error) {
	document := fmt.Sprintf(`apis:
  site:
    routes:
      - { path: /generation, methods: [GET], answer: { body: "%d" } }
      - { path: "/limited/{proxy+}", upstream: origin, rewrite: { stripPrefix: /limited }, limits: [limited] }
      - { path: "/budget/{proxy+}", upstream: origin, rewrite: { stripPrefix: /budget }, limits: [budget] }
      - { path: "/cached/{proxy+}", upstream: origin, cache: { ttl: 1h } }
      - { path: $default, upstream: origin }
upstreams:
  origin: { targets: [ "http://%s" ] }
limits:
  limited: { by: [address], rate: 1/m }
  budget: { by: [address], rate: %d, burst: %d }
`, generation, l.origin, budget, budgetBurst)
	if t.front.isTLS {
		pair := l.keyPair()
		document += fmt.Sprintf(`listeners:
  https: { address: %q, tls: true, protocols: [%s] }
tls:
  certificates: [ { cert: %q, key: %q } ]
  default: %s
`, t.address, strings.Join(t.front.protocols(), ", "), pair.Certificate, pair.Key, serverName)
	}
	// A folder of its own, as /etc is: what programs write beside the document would be seen as changes.
	path := filepath.Join(l.folder, "document-"+t.peer.name, "weir.yaml")
	return path, replaceFile(path, []byte(document))
}

// replaceFile puts a file in place in one step, and makes its folder where there is none.
func replaceFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("cannot make a folder for %q: %w", filepath.Base(path), err)
	}
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return fmt.Errorf("cannot write %q: %w", filepath.Base(path), err)
	}
	return os.Rename(path+".new", path)
}

// reload sends requests while the document changes, and with TLS the certificate, and counts failures, connections
// closed by the program, and the documents and certificates that came to be served.
func reload(ctx context.Context, l *lab, s scenario, t *target) (sample, error) {
	rewriting, stop := context.WithCancel(ctx)
	ended := make(chan rewrites, 1)
	go func() { ended <- l.rewrite(rewriting, t) }()
	measured, err := l.load(ctx, t, s, "-mode", "count", "-requests", "100000")
	stop()
	r := <-ended
	switch {
	case err != nil:
		return sample{}, err
	case r.err != nil:
		return sample{}, r.err
	case r.documents == 0:
		return sample{}, fmt.Errorf("no document was reloaded: %s", t.process.lastWords())
	case t.front.isTLS && r.certificates == 0:
		return sample{}, fmt.Errorf("no certificate was swapped: %s", t.process.lastWords())
	}
	measured.Reloads, measured.Swaps = r.documents, r.certificates
	return measured, nil
}

// rewrites are the documents and certificates that were seen served after a change.
type rewrites struct {
	documents, certificates int
	err                     error
}

// rewrite changes the document, and with TLS the certificate, every 200 ms until ctx ends.
func (l *lab) rewrite(ctx context.Context, t *target) (seen rewrites) {
	every := time.NewTicker(200 * time.Millisecond)
	defer every.Stop()
	lastDocument, lastCertificate := "0", ""
	for generation := 1; ; generation++ {
		select {
		case <-ctx.Done():
			return seen
		case <-every.C:
		}
		answer, body, err := t.fetch(ctx, "/generation")
		if ctx.Err() != nil {
			return seen
		}
		if err != nil {
			seen.err = fmt.Errorf("cannot ask for the generation: %w", err)
			return seen
		}
		if _, err := strconv.Atoi(string(body)); err != nil {
			seen.err = fmt.Errorf("cannot read the generation %q", body)
			return seen
		}
		if string(body) != lastDocument {
			seen.documents++
			lastDocument = string(body)
		}
		if answer.TLS != nil {
			serial := answer.TLS.PeerCertificates[0].SerialNumber.String()
			if lastCertificate != "" && serial != lastCertificate {
				seen.certificates++
			}
			lastCertificate = serial
			if seen.err = l.writeCertificate(); seen.err != nil {
				return seen
			}
		}
		if _, seen.err = l.writeDocument(t, generation); seen.err != nil {
			return seen
		}
	}
}

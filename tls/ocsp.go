package tls

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/crypto/ocsp"
)

const (
	maxOCSPBytes  = 64 << 10
	ocspRetry     = 5 * time.Minute
	ocspUnlimited = 12 * time.Hour // renewal of an answer that names no end
)

// staple is what is known of a certificate's state.
type staple struct {
	state string // good, revoked, unknown; "" until a responder has answered
	until time.Time
	next  time.Time // when to ask again
	err   error
}

// staples asks for the state of each certificate that names a responder, and
// staples what is good. It runs beside serving, which never waits for it.
func (m *Manager) staples(ctx context.Context, t *Terms) {
	if !t.settings.OCSP {
		return
	}
	for _, l := range t.shelf.leaves {
		if ctx.Err() != nil || len(l.pair.Leaf.OCSPServer) == 0 {
			continue
		}
		now := m.now()
		old := l.staple.Load()
		if old != nil && now.Before(old.next) {
			continue
		}
		fresh, raw, err := m.askOCSP(ctx, l, now)
		if err != nil {
			m.counts.ocspFailures.Add(1)
			m.log.Warn("cannot get the OCSP state of a certificate", "file", l.source, "error", err)
			fresh = &staple{next: now.Add(ocspRetry), err: err}
			if old != nil && now.Before(old.until) {
				fresh.state, fresh.until = old.state, old.until
				l.staple.Store(fresh)
				continue
			}
		}
		l.show(fresh, raw)
	}
}

// show staples an answer, or takes the old one away where it is no longer good.
func (l *leaf) show(s *staple, raw []byte) {
	shown := *l.pair
	if s.state == "good" {
		shown.OCSPStaple = raw
	}
	l.shown.Store(&shown)
	l.staple.Store(s)
}

func (m *Manager) askOCSP(ctx context.Context, l *leaf, now time.Time) (*staple, []byte, error) {
	issuer := l.issuer
	if issuer == nil {
		return nil, nil, errors.New("the file does not hold the certificate's issuer")
	}
	request, err := ocsp.CreateRequest(l.pair.Leaf, issuer, nil)
	if err != nil {
		return nil, nil, err
	}
	server := l.pair.Leaf.OCSPServer[0]
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, server, bytes.NewReader(request))
	if err != nil {
		return nil, nil, err
	}
	post.Header.Set("Content-Type", "application/ocsp-request")
	answer, err := m.config.HTTPClient.Do(post)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%s answers %s", server, answer.Status)
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxOCSPBytes))
	if err != nil {
		return nil, nil, err
	}
	parsed, err := ocsp.ParseResponseForCert(raw, l.pair.Leaf, issuer)
	if err != nil {
		return nil, nil, err
	}
	return stapleOf(parsed, now), raw, nil
}

func stapleOf(r *ocsp.Response, now time.Time) *staple {
	s := &staple{state: "unknown", until: r.NextUpdate}
	switch r.Status {
	case ocsp.Good:
		s.state = "good"
	case ocsp.Revoked:
		s.state, s.err = "revoked", errors.New("the certificate's authority says that it is revoked")
	}
	if s.until.IsZero() {
		s.until = now.Add(2 * ocspUnlimited)
		s.next = now.Add(ocspUnlimited)
		return s
	}
	// Half of the time is left for a responder that is down.
	s.next = now.Add(max(s.until.Sub(now)/2, ocspRetry))
	return s
}

package tls

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
)

const challengePath = "/.well-known/acme-challenge/"

// HTTPChallenge returns the body that answers an http-01 challenge (RFC 8555
// §8.3), for a GET on a plain listener; ok is false for every other request.
func (m *Manager) HTTPChallenge(host, path string) (body []byte, ok bool) {
	if !strings.HasPrefix(path, challengePath) {
		return nil, false
	}
	d := m.acme.current.Load()
	if d == nil {
		return nil, false
	}
	answer := &challengeAnswer{}
	request := (&http.Request{Method: http.MethodGet, Host: host, URL: &url.URL{Path: path}, Header: http.Header{}}).WithContext(m.ctx)
	if !d.issuer.HandleHTTPChallenge(answer, request) || answer.status >= http.StatusBadRequest {
		return nil, false
	}
	return answer.body.Bytes(), true
}

// challengeAnswer takes what certmagic answers.
type challengeAnswer struct {
	body   bytes.Buffer
	header http.Header
	status int
}

func (c *challengeAnswer) Header() http.Header {
	if c.header == nil {
		c.header = http.Header{}
	}
	return c.header
}
func (c *challengeAnswer) Write(p []byte) (int, error) { return c.body.Write(p) }
func (c *challengeAnswer) WriteHeader(status int)      { c.status = status }

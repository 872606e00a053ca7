package tls

import (
	"bytes"
	"context"
	stdtls "crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	acmeapi "github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"
)

// ProtocolACME is what a connection of a tls-alpn-01 challenge agrees on (RFC
// 8737). Its handshake is all of it: it is closed then.
const ProtocolACME = "acme-tls/1"

// Challenges that show control of a name.
const (
	ChallengeHTTP = "http-01"
	ChallengeALPN = "tls-alpn-01"
	ChallengeDNS  = "dns-01"
)

const (
	defaultACMERetry = 30 * time.Second
	maxACMERetry     = time.Hour
	// rateLimitedRetries is how many first retries a directory that says that
	// it was asked too often is left alone for.
	rateLimitedRetries = 20
	acmeAtOnce         = 8
)

// acme has certificates from a directory, by certmagic.
type acme struct {
	m               *Manager
	log             *zap.Logger
	challengeConfig *stdtls.Config
	current         atomic.Pointer[directory]
	slots           chan struct{}
	tasks           sync.WaitGroup

	mu       sync.Mutex
	cache    *certmagic.Cache // nil until a certificate is wanted
	managing map[string]context.CancelFunc
	last     map[string]error // the last failure of a name
	known    map[string]bool  // names that certificates were cached for
	denied   deniedNames
}

// directory is what one version of the settings makes of certmagic.
type directory struct {
	settings ACME
	ca       []byte
	auto     map[string]bool
	managed  *certmagic.Config
	onDemand *certmagic.Config
	issuer   *certmagic.ACMEIssuer
}

// acmeTerms are what compiled terms want of the directory.
type acmeTerms struct {
	wanted bool
	auto   []string
	ca     []byte
	roots  *x509.CertPool
	eab    *acmeapi.EAB
	allow  []string
	asks   bool
}

func newACME(m *Manager) *acme {
	a := &acme{m: m, log: newZap(m.log), slots: make(chan struct{}, acmeAtOnce), managing: map[string]context.CancelFunc{}, last: map[string]error{}, known: map[string]bool{}}
	a.challengeConfig = &stdtls.Config{
		MinVersion: stdtls.VersionTLS12, NextProtos: []string{ProtocolACME}, SessionTicketsDisabled: true,
		GetCertificate: func(hello *stdtls.ClientHelloInfo) (*stdtls.Certificate, error) {
			return a.current.Load().managed.GetCertificateWithContext(m.ctx, hello)
		},
	}
	return a
}

func (a *acme) close() {
	a.mu.Lock()
	cache := a.cache
	a.mu.Unlock()
	a.tasks.Wait()
	if cache != nil {
		cache.Stop()
	}
}

// checkACME compiles what the terms want of a directory.
func (m *Manager) checkACME(r *reader, s Settings, t *Terms) {
	for name, d := range s.Domains {
		if d.Source == SourceAuto {
			t.acme.auto = append(t.acme.auto, strings.ToLower(name))
		}
	}
	slices.Sort(t.acme.auto)
	if o := s.ACME.OnDemand; o != nil {
		t.acme.asks = o.Ask != ""
		for _, pattern := range o.Allow {
			t.acme.allow = append(t.acme.allow, strings.ToLower(pattern))
		}
		if len(o.Allow) == 0 && o.Ask == "" {
			r.found.add(errors.New("cannot get certificates on demand without a rule"), "tls", "acme", "onDemand")
		}
	}
	t.acme.wanted = len(t.acme.auto) > 0 || s.ACME.OnDemand != nil
	if !t.acme.wanted {
		return
	}
	if m.config.Dir == "" {
		r.found.add(fmt.Errorf("cannot get certificates from a directory: %w", errNoDir), "tls", "acme")
	}
	if s.ACME.CA != "" {
		t.acme.authorities(r, s.ACME.CA)
	}
	if e := s.ACME.ExternalAccount; e != nil {
		if _, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(e.Key, "=")); err != nil || e.Key == "" || e.ID == "" {
			r.found.add(errors.New("cannot use external account: it needs an id, and a key in base64url"), "tls", "acme", "externalAccount")
		}
		t.acme.eab = &acmeapi.EAB{KeyID: e.ID, MACKey: strings.TrimRight(e.Key, "=")}
	}
	for _, challenge := range s.ACME.Challenges {
		if challenge != ChallengeHTTP && challenge != ChallengeALPN && challenge != ChallengeDNS {
			r.found.add(fmt.Errorf("cannot use challenge %q: there are http-01, tls-alpn-01 and dns-01", challenge), "tls", "acme", "challenges")
		}
	}
	if dns := slices.Contains(s.ACME.Challenges, ChallengeDNS); dns && (s.ACME.DNS == nil || len(s.ACME.Challenges) > 1) {
		r.found.add(errors.New("cannot use challenge \"dns-01\" without dns, or beside others"), "tls", "acme", "challenges")
	}
	for _, name := range t.acme.auto {
		if strings.HasPrefix(name, "*.") && s.ACME.DNS == nil {
			r.found.add(fmt.Errorf("cannot get a certificate for %q: a wildcard needs dns-01", name), "domains", name, "tls", "source")
		}
	}
}

func (t *acmeTerms) authorities(r *reader, file string) {
	text, err := r.read(file)
	pool := x509.NewCertPool()
	if err == nil && !pool.AppendCertsFromPEM(text) {
		err = ErrNoCert
	}
	switch {
	case err == nil:
		t.ca, t.roots = text, pool
	case r.previous != nil:
		r.kept = append(r.kept, err)
		t.ca, t.roots = r.previous.acme.ca, r.previous.acme.roots
	default:
		r.found.add(fmt.Errorf("cannot read certificate authorities %q: %w", file, err), "tls", "acme", "ca")
	}
}

// onDemand reports whether a certificate for a name may be had when a client
// asks for it, as far as that can be told without asking anybody.
func (t *Terms) onDemand(name string) bool {
	if len(t.acme.allow) == 0 {
		return t.acme.asks && isPublicName(name)
	}
	return isPublicName(name) && slices.ContainsFunc(t.acme.allow, func(pattern string) bool {
		suffix, isWild := strings.CutPrefix(pattern, "*.")
		if !isWild {
			return name == pattern
		}
		_, rest, _ := strings.Cut(name, ".")
		return rest == suffix
	})
}

func isPublicName(name string) bool {
	return strings.IndexByte(name, '.') > 0 && certmagic.SubjectQualifiesForPublicCert(name) && !strings.Contains(name, "*")
}

// publish begins to have certificates for the names of t, and ends it for others.
func (a *acme) publish(t *Terms) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !t.acme.wanted || a.m.ctx.Err() != nil {
		a.stop(nil)
		a.current.Store(nil)
		return
	}
	if a.cache == nil {
		a.cache = certmagic.NewCache(certmagic.CacheOptions{
			GetConfigForCert: a.configFor, RenewCheckInterval: a.m.config.ACMECheck, Logger: a.log,
		})
	}
	old := a.current.Load()
	next := a.directory(t)
	same := old != nil && reflect.DeepEqual(old.settings, next.settings) && bytes.Equal(old.ca, next.ca)
	if same {
		next.managed, next.onDemand, next.issuer = old.managed, old.onDemand, old.issuer
	}
	a.current.Store(next)
	if !same {
		a.stop(nil)
	} else {
		a.stop(next.auto)
	}
	for _, name := range t.acme.auto {
		if a.managing[name] == nil {
			ctx, cancel := context.WithCancel(a.m.ctx)
			a.managing[name] = cancel
			a.tasks.Go(func() { a.manage(ctx, next, name) })
		}
	}
}

// stop ends managing all names but some.
func (a *acme) stop(but map[string]bool) {
	var gone []certmagic.SubjectIssuer
	for name, cancel := range a.managing {
		if !but[name] {
			cancel()
			delete(a.managing, name)
			delete(a.last, name)
			if d := a.current.Load(); d == nil || !d.auto[name] {
				gone = append(gone, certmagic.SubjectIssuer{Subject: name})
			}
		}
	}
	if a.cache != nil && len(gone) > 0 {
		a.cache.RemoveManaged(gone)
	}
}

func (a *acme) directory(t *Terms) *directory {
	s := t.settings.ACME
	d := &directory{settings: s, ca: t.acme.ca, auto: make(map[string]bool)}
	for _, name := range t.acme.auto {
		d.auto[name] = true
	}
	challenges := s.Challenges
	if len(challenges) == 0 {
		challenges = []string{ChallengeHTTP, ChallengeALPN}
	}
	// certmagic asks on the terminal where there is no address; a blank one is
	// cut away only after that.
	email := s.Email
	if email == "" {
		email = " "
	}
	url := s.Directory
	if url == "" {
		url = certmagic.LetsEncryptProductionCA
	}
	template := certmagic.ACMEIssuer{
		CA: url, Email: email, Agreed: true, TrustedRoots: t.acme.roots, ExternalAccount: t.acme.eab,
		DisableHTTPChallenge:    !slices.Contains(challenges, ChallengeHTTP),
		DisableTLSALPNChallenge: !slices.Contains(challenges, ChallengeALPN),
		AltHTTPPort:             s.HTTPPort, AltTLSALPNPort: s.TLSPort,
		Logger: a.log,
	}
	if s.DNS != nil {
		template.DNS01Solver = &certmagic.DNS01Solver{DNSManager: certmagic.DNSManager{
			DNSProvider: newUpdater(*s.DNS), Resolvers: []string{s.DNS.Server}, Logger: a.log,
		}}
	}
	make := func(onDemand *certmagic.OnDemandConfig) *certmagic.Config {
		c := certmagic.New(a.cache, certmagic.Config{
			RenewalWindowRatio: s.RenewBefore, OnDemand: onDemand, Logger: a.log,
			OnEvent: a.event, ShouldEmitFunc: func(event string) bool { return event != "tls_get_certificate" },
			Storage: &certmagic.FileStorage{Path: filepath.Join(a.m.config.Dir, "acme")},
			OCSP:    certmagic.OCSPConfig{DisableStapling: !t.settings.OCSP},
		})
		issuer := certmagic.NewACMEIssuer(c, template)
		c.Issuers = []certmagic.Issuer{issuer}
		d.issuer = issuer
		return c
	}
	d.onDemand = make(&certmagic.OnDemandConfig{DecisionFunc: a.mayObtain})
	d.managed = make(nil)
	return d
}

// configFor tells certmagic how a certificate that it keeps is renewed.
func (a *acme) configFor(cert certmagic.Certificate) (*certmagic.Config, error) {
	d := a.current.Load()
	if d == nil {
		return nil, errors.New("no certificate is wanted any more")
	}
	if slices.ContainsFunc(cert.Names, func(name string) bool { return d.auto[name] }) {
		return d.managed, nil
	}
	return d.onDemand, nil
}

// manage has the first certificate of a name, from disk or the directory, and
// tries again until it has one. Renewal is then certmagic's.
func (a *acme) manage(ctx context.Context, d *directory, name string) {
	first := a.m.config.ACMERetry
	if first <= 0 {
		first = defaultACMERetry
	}
	for wait := first; ; wait = min(2*wait, maxACMERetry) {
		select {
		case <-ctx.Done():
			return
		case a.slots <- struct{}{}:
		}
		err := d.managed.ManageSync(ctx, []string{name})
		<-a.slots
		if err == nil || ctx.Err() != nil {
			a.failed(name, nil)
			return
		}
		a.failed(name, err)
		pause := wait
		var problem acmeapi.Problem
		if errors.As(err, &problem) && problem.Type == acmeapi.ProblemTypeRateLimited {
			pause = max(wait, rateLimitedRetries*first)
		}
		a.m.log.Error("cannot get a certificate; what is served goes on", "name", name, "error", err, "again", pause.String())
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (a *acme) failed(name string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		delete(a.last, name)
		return
	}
	a.last[name] = err
}

// event counts what certmagic tells.
func (a *acme) event(_ context.Context, event string, data map[string]any) error {
	name, _ := data["identifier"].(string)
	renewal, _ := data["renewal"].(bool)
	switch event {
	case "cert_obtained":
		if renewal {
			a.m.counts.renewed.Add(1)
		} else {
			a.m.counts.obtained.Add(1)
		}
		a.m.log.Info("a certificate was had from the directory", "name", name, "renewal", renewal)
		a.failed(name, nil)
	case "cert_failed":
		a.m.counts.failures.Add(1)
		if err, ok := data["error"].(error); ok {
			a.failed(name, err)
		}
	case "cached_managed_cert":
		sans, _ := data["sans"].([]string)
		a.mu.Lock()
		for _, san := range sans {
			a.known[san] = true
		}
		a.mu.Unlock()
	}
	return nil
}

func (a *acme) isChallenge(hello *stdtls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == ProtocolACME && a.current.Load() != nil
}

// certificate returns the one of a name. Only one that is had on demand makes
// the client wait.
func (a *acme) certificate(hello *stdtls.ClientHelloInfo, name string) (*stdtls.Certificate, error) {
	d := a.current.Load()
	if d == nil {
		return nil, errors.New("no certificate is had from a directory")
	}
	if hello.ServerName != name {
		asked := *hello
		asked.ServerName = name
		hello = &asked
	}
	config := d.onDemand
	if d.covers(name) {
		config = d.managed
	}
	// Not the handshake's context: what is had for a client that gave up is
	// there for the next one.
	shown, err := config.GetCertificateWithContext(a.m.ctx, hello)
	if err != nil {
		return nil, err // certmagic gives an empty certificate beside it
	}
	return shown, nil
}

// covers reports whether a name's certificate is managed, as itself or by a wildcard.
func (d *directory) covers(name string) bool {
	if d.auto[name] {
		return true
	}
	_, rest, found := strings.Cut(name, ".")
	return found && d.auto["*."+rest]
}

func (a *acme) infos(*Terms) []CertificateInfo {
	a.mu.Lock()
	cache, names := a.cache, slices.Sorted(maps.Keys(a.known))
	failures := maps.Clone(a.last)
	a.mu.Unlock()
	var out []CertificateInfo
	seen := make(map[string]bool)
	for _, name := range names {
		for _, cert := range cache.AllMatchingCertificates(name) {
			if cert.Leaf == nil || !slices.Contains(cert.Names, name) || seen[string(cert.Leaf.Raw)] {
				continue
			}
			seen[string(cert.Leaf.Raw)] = true
			i := newLeaf(&cert.Certificate, "acme").info()
			if err := failures[name]; err != nil {
				i.LastError = err.Error()
				delete(failures, name)
			}
			out = append(out, i)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(failures)) {
		out = append(out, CertificateInfo{Names: []string{name}, Source: "acme", LastError: failures[name].Error()})
	}
	return out
}

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

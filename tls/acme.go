package tls

import (
	"bytes"
	"context"
	stdtls "crypto/tls"
	"errors"
	"maps"
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

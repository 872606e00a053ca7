package tls

import (
	"context"
	stdtls "crypto/tls"
	"errors"
	"hash/maphash"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a Manager needs for as long as the process runs. The zero
// value keeps nothing on disk, which dev and auto need, and logs nothing.
type Config struct {
	Dir string           // the data directory; "" refuses the sources dev and auto
	Now func() time.Time // nil is time.Now; ACME has the system's clock

	HTTPClient *http.Client // asks OCSP responders and onDemand's ask; nil is one with a timeout
	NoWatch    bool         // files are read by Compile only

	ACMERetry time.Duration // the first pause after a failure; 0 is 30s
	ACMECheck time.Duration // how often renewal is looked at; 0 is 10m
}

// Counts are how often things happened since the start.
type Counts struct {
	Hellos         uint64 // hellos that were read
	NamesRefused   uint64 // of them, for names that nothing serves
	FilesReloaded  uint64 // changed files were taken over
	FilesKept      uint64 // changed files could not be read, and what was known stayed
	OCSPFailures   uint64
	ACMEObtained   uint64
	ACMERenewed    uint64
	ACMEFailures   uint64
	OnDemandDenied uint64
}

// Manager holds what outlives a document: ticket keys, staples, watched files,
// the local authority and what an ACME directory has given. It is safe for
// concurrent use.
type Manager struct {
	config Config
	log    *slog.Logger
	now    func() time.Time

	mu        sync.Mutex // publishing
	published atomic.Pointer[Terms]
	protocols protocolSets
	tickets   tickets
	dev       authorityDev
	acme      *acme
	watcher   *watcher
	seed      maphash.Seed
	counts    counts

	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	closed sync.Once
	wake   chan struct{} // terms were published
}

type counts struct {
	hellos, namesRefused, filesReloaded, filesKept, ocspFailures,
	obtained, renewed, failures, denied atomic.Uint64
}

// New returns a Manager that serves no name until terms are published. It must
// be closed. A nil log is silent.
func New(config Config, log *slog.Logger) (*Manager, error) {
	m := &Manager{config: config, log: log, now: config.Now, wake: make(chan struct{}, 1), seed: maphash.MakeSeed()}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if m.now == nil {
		m.now = time.Now
	}
	if m.config.HTTPClient == nil {
		m.config.HTTPClient = &http.Client{Timeout: 10 * time.Second}
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.dev.dir, m.dev.now = config.Dir, m.now
	m.tickets.set(ticketTerms{}, m.now())
	m.acme = newACME(m)
	m.published.Store(m.compile(Settings{}, m.reader(nil)))
	if !config.NoWatch {
		w, err := newWatcher(m)
		if err != nil {
			m.cancel()
			return nil, err
		}
		m.watcher = w
		m.tasks.Go(w.run)
	}
	m.tasks.Go(m.keep)
	return m, nil
}

// Close ends what the Manager does in the background and waits for it. Open
// connections go on.
func (m *Manager) Close() {
	m.cancel()
	m.closed.Do(m.acme.close)
	m.tasks.Wait()
	m.config.HTTPClient.CloseIdleConnections()
}

// Publish serves by t from the next hello on. Connections that are open, and
// handshakes under way, keep the terms that they began with.
func (m *Manager) Publish(t *Terms) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.publish(t)
}

func (m *Manager) publish(t *Terms) {
	m.tickets.set(t.tickets, m.now())
	if err := m.dev.allow(t); err != nil {
		m.log.Error("names of the development authority cannot be served", "error", err)
	}
	m.acme.publish(t)
	m.published.Store(t)
	if m.watcher != nil {
		m.watcher.follow(t)
	}
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Terms returns what is published.
func (m *Manager) Terms() *Terms { return m.published.Load() }

// ServerConfig returns the configuration of a listener that offers protocols by
// ALPN, the most wanted first. It follows what is published.
func (m *Manager) ServerConfig(protocols []string) *stdtls.Config {
	return m.serverConfig(m.protocols.of(protocols, false))
}

// QUICConfig returns the configuration of an HTTP/3 listener: TLS 1.3 and h3.
// 0-RTT is the QUIC listener's to leave off.
func (m *Manager) QUICConfig() *stdtls.Config {
	c := m.serverConfig(m.protocols.of([]string{"h3"}, true))
	c.MinVersion = stdtls.VersionTLS13
	return c
}

func (m *Manager) serverConfig(set *protocolSet) *stdtls.Config {
	return &stdtls.Config{
		Time: m.now, NextProtos: set.names, MinVersion: stdtls.VersionTLS10, // each name's policy decides
		GetEncryptedClientHelloKeys: m.echKeys, GetCertificate: refuse,
		GetConfigForClient: func(hello *stdtls.ClientHelloInfo) (*stdtls.Config, error) {
			return m.answer(hello, set), nil
		},
	}
}

// answer chooses the configuration for a hello.
func (m *Manager) answer(hello *stdtls.ClientHelloInfo, set *protocolSet) *stdtls.Config {
	m.counts.hellos.Add(1)
	if m.acme.isChallenge(hello) {
		return m.acme.challengeConfig
	}
	name, p := m.published.Load().choose(lower(hello.ServerName), localName(hello))
	h, _ := hello.Context().Value(handshakeKey{}).(*handshake)
	if h != nil {
		h.name, h.policy, h.refused = name, p, p.refuse
	}
	if p.refuse {
		m.counts.namesRefused.Add(1)
	}
	return p.config(m, set)
}

// localName returns the address that a client without SNI has connected to:
// certificates may be for addresses.
func localName(hello *stdtls.ClientHelloInfo) string {
	if hello.ServerName != "" || hello.Conn == nil {
		return ""
	}
	var ip netip.Addr
	switch local := hello.Conn.LocalAddr().(type) {
	case *net.TCPAddr:
		ip = local.AddrPort().Addr()
	case *net.UDPAddr:
		ip = local.AddrPort().Addr()
	default:
		return ""
	}
	return ip.Unmap().WithZone("").String()
}

// certificate returns what a hello is shown. Where there is none yet, crypto/tls
// answers unrecognized_name.
func (m *Manager) certificate(hello *stdtls.ClientHelloInfo) (*stdtls.Certificate, error) {
	t := m.published.Load()
	name, p := t.choose(lower(hello.ServerName), localName(hello))
	if p.refuse {
		return nil, nil
	}
	source := SourceFiles
	if d := t.domains.find(name); d != nil {
		source = d.source
	} else if t.shelf.find(name) == nil {
		source = SourceAuto // on demand
	}
	var shown *stdtls.Certificate
	var err error
	switch source {
	case SourceDev:
		shown, err = m.dev.certificate(name)
	case SourceAuto:
		shown, err = m.acme.certificate(hello, name)
	default:
		if found := t.shelf.find(name); found != nil {
			shown = found.pick(hello).shown.Load()
		}
	}
	if shown == nil {
		if h, _ := hello.Context().Value(handshakeKey{}).(*handshake); h != nil {
			h.refused = true
		}
		m.counts.namesRefused.Add(1)
		if err != nil {
			m.log.Debug("no certificate to show yet", "name", name, "error", err)
		}
	}
	return shown, nil
}

func (m *Manager) echKeys(*stdtls.ClientHelloInfo) ([]stdtls.EncryptedClientHelloKey, error) {
	if keys := m.published.Load().ech; keys != nil {
		return keys, nil
	}
	return []stdtls.EncryptedClientHelloKey{}, nil
}

// Counts returns the counts so far.
func (m *Manager) Counts() Counts {
	c := &m.counts
	return Counts{
		Hellos: c.hellos.Load(), NamesRefused: c.namesRefused.Load(), FilesReloaded: c.filesReloaded.Load(), FilesKept: c.filesKept.Load(),
		OCSPFailures: c.ocspFailures.Load(), ACMEObtained: c.obtained.Load(), ACMERenewed: c.renewed.Load(), ACMEFailures: c.failures.Load(),
		OnDemandDenied: c.denied.Load(),
	}
}

// keepEvery is how often what ages is looked at: staples, ticket keys, expiry.
const keepEvery = time.Minute

// keep renews what ages, until the Manager is closed.
func (m *Manager) keep() {
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	var warned expiryWarnings
	for {
		t := m.published.Load()
		m.tickets.rotate(t.tickets.rotate, m.now())
		warned.warn(m)
		m.staples(m.ctx, t)
		select {
		case <-m.ctx.Done():
			return
		case <-m.wake:
		case <-ticker.C:
		}
	}
}

// refresh reads the files of what is published again. What cannot be read stays
// as it was.
func (m *Manager) refresh() {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.published.Load()
	r := m.reader(old)
	t := m.compile(old.settings, r)
	for _, err := range t.kept {
		m.counts.filesKept.Add(1)
		m.log.Error("a changed file cannot be used; what it held before stays", "error", err)
	}
	if err := r.found.err(); err != nil {
		m.counts.filesKept.Add(1)
		m.log.Error("changed files cannot be used; what they held before stays", "error", err)
		if m.watcher != nil {
			m.watcher.follow(t)
		}
		return
	}
	for _, warning := range t.warnings {
		m.log.Warn("a changed file was read with a warning", "error", warning.Err)
	}
	m.publish(t)
	m.counts.filesReloaded.Add(1)
	m.log.Info("changed certificate files were read", "certificates", len(t.shelf.leaves))
}

var errNoDir = errors.New("there is no data directory; set the flag -data")

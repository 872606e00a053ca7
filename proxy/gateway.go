package proxy

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"

	"weir/cache"
	"weir/cache/snapshot"
	"weir/proxy/config"
	"weir/proxy/exchange"
	"weir/proxy/front"
	"weir/proxy/h1"
	"weir/proxy/h2"
	"weir/proxy/observe"
	"weir/proxy/plans"
	"weir/proxy/upstream"
	weirtls "weir/tls"
)

// Gateway is the whole data plane: what is served now, and what lives longer
// than any document. New makes it, Run serves until its context ends. Serve,
// Reload and the readers may be called at once.
type Gateway struct {
	options Options
	version string
	log     zerolog.Logger
	source  Source

	live     atomic.Pointer[compiled]
	requests sync.Pool

	registry   *upstream.Registry
	cache      *cache.Cache      // nil where it is turned off
	restoring  *snapshot.Loading // nil without a snapshot
	tier       secondTier
	fetches    sync.WaitGroup
	closing    atomic.Bool // fetches that nobody waits for are to end
	limits     *limiters
	plans      *plans.Store
	dataInUse  error // by another process
	metrics    *observe.Metrics
	access     *observe.AccessLog
	causes     *causes
	counting   bool
	forwarding Forwarding
	pseudonym  []byte // of this process in Via

	shards     []shardServers
	quic       quicServers
	handshakes *handshakes
	secure     *weirtls.Manager
	reloading  sync.Mutex
	read       filesRead
	listening  listening
	state      atomic.Int32

	controlAddress atomic.Value // string
}

// shardServers are the servers of one shard, one a protocol.
type shardServers struct {
	h1 *h1.Server
	h2 *h2.Server
}

// eachServer calls f for every server of every shard, and for those of HTTP/3.
func (g *Gateway) eachServer(f func(front.Drainer)) {
	for _, s := range g.shards {
		f(s.h1)
		f(s.h2)
	}
	g.quic.each(f)
}

// States of a gateway.
const (
	starting = iota
	serving
	draining
)

// Source gives the document that is to be served. It is asked again at each reload.
type Source interface {
	// Document reads the document. It returns a *config.Mistakes if that is wrong.
	Document() (*config.Document, error)
	// Files returns what to watch for changes.
	Files() []string
}

// New makes a gateway of the document that source gives. Nothing listens yet.
func New(options Options, source Source, version string, log zerolog.Logger) (*Gateway, error) {
	options = options.resolved()
	g := &Gateway{
		options:    options,
		version:    version,
		log:        log,
		source:     source,
		counting:   options.Metrics,
		forwarding: options.Forwarding,
		metrics:    observe.NewMetrics(options.Shards, version),
		handshakes: newHandshakes(options.Handshakes.Computing),
	}
	g.read.seed = maphash.MakeSeed()
	g.requests.New = func() any { return &request{} }
	g.causes = newCauses(g.metrics)
	g.pseudonym = newPseudonym(options.Via)
	g.limits = newLimiters(options)
	if options.Log.Output != "off" {
		logConfig := options.Log
		logConfig.Logger = log
		access, err := observe.NewAccessLog(logConfig, options.Shards)
		if err != nil {
			return nil, err
		}
		g.access = access
		g.metrics.WatchLog(access)
	}
	secure, err := newManager(options, log)
	if err != nil {
		g.closeLog()
		return nil, err
	}
	g.secure = secure
	if err := g.openPlans(); err != nil {
		g.secure.Close()
		g.closeLog()
		return nil, err
	}
	if options.Cache.Size > 0 {
		if err := g.openCache(); err != nil {
			g.secure.Close()
			g.closeLog()
			return nil, err
		}
	}
	g.registry = upstream.NewRegistry(options.Upstream, options.Shards)
	for shard := range options.Shards {
		g.shards = append(g.shards, shardServers{
			h1: h1.NewServer(options.Listen, shard, g),
			h2: h2.NewServer(options.Listen, options.HTTP2, shard, g),
		})
	}
	if err := g.load(); err != nil {
		g.close()
		return nil, err
	}
	g.plans.SetStages(g.stageExists)
	g.watch()
	return g, nil
}

// newPseudonym makes the name that Via gets: the operator's, or one that is
// unique to the process and names no product version.
func newPseudonym(name string) []byte {
	if name != "" {
		return []byte(name)
	}
	return fmt.Appendf(nil, "weir-%08x", rand.Uint32())
}

// load reads, compiles and publishes the document.
func (g *Gateway) load() error {
	files := g.source.Files()
	g.read.note(files)
	doc, err := g.source.Document()
	if err != nil {
		return err
	}
	if now := g.source.Files(); !slices.Equal(now, files) {
		g.read.note(now)
	}
	if err := g.mayServe(doc); err != nil {
		return err
	}
	next, err := g.compile(doc)
	if err == nil {
		err = g.listening.follow(g, doc)
	}
	if err != nil {
		g.forgetCompiled()
		return err
	}
	if err := g.plans.Publish(next.static); err != nil {
		g.forgetCompiled()
		return err
	}
	if g.state.Load() != starting {
		g.secure.Publish(next.terms)
	}
	g.followTier(next)
	g.live.Store(next)
	g.retain(next)
	g.metrics.Loaded(next.loadedAt)
	return nil
}

// forgetCompiled forgets what compiling has brought in of targets, counters
// and connections when the document is not served after all.
func (g *Gateway) forgetCompiled() {
	if live := g.live.Load(); live != nil {
		g.retain(live)
		live.sharing.again()
		return
	}
	g.limits.follow(&sharing{})
}

// retain forgets the targets and counters that c does not name.
func (g *Gateway) retain(c *compiled) {
	g.registry.Retain(c.targets)
	g.metrics.Retain(c.routeStats, c.upstreamStats)
	g.limits.retain(c)
	g.limits.follow(&c.sharing)
}

// Reload reads the document again and publishes it. After an error the last
// good one goes on being served.
func (g *Gateway) Reload() error {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	err := g.load()
	g.metrics.Reloaded(err == nil)
	if err != nil {
		var mistakes *config.Mistakes
		if errors.As(err, &mistakes) {
			for _, m := range mistakes.List {
				g.log.Error().Str("mistake", m.String()).Msg("the document has a mistake")
			}
		}
		g.log.Error().Err(err).Msg("cannot reload; the last good document goes on being served")
		return err
	}
	g.log.Info().Int("routes", g.live.Load().routes).Msg("reloaded")
	return nil
}

// Run listens and serves until ctx ends, then drains. ready is called once
// every listener is open.
func (g *Gateway) Run(ctx context.Context, ready func()) error {
	if err := g.listening.open(g); err != nil {
		g.close()
		return err
	}
	control, err := g.startControl()
	if err != nil {
		g.listening.close()
		g.close()
		return err
	}
	if g.restoring != nil {
		g.restoring.Wait(restoreFirst)
	}
	watching, stopWatching := context.WithCancel(ctx)
	watched := g.watchFiles(watching)
	g.state.Store(serving)
	if ready != nil {
		ready()
	}
	<-ctx.Done()
	g.drain()
	stopWatching()
	<-watched
	control.stop()
	g.close()
	return nil
}

// close ends what New has started.
func (g *Gateway) close() {
	g.quic.ended.Wait()
	g.closing.Store(true)
	g.fetches.Wait()
	g.closeCache()
	g.registry.Close()
	g.secure.Close()
	g.limits.follow(&sharing{})
	if err := g.plans.Close(); err != nil {
		g.log.Error().Err(err).Msg("cannot write what was used of plans")
	}
	g.closeLog()
}

func (g *Gateway) closeLog() {
	if g.access != nil {
		if err := g.access.Close(); err != nil {
			g.log.Error().Err(err).Msg("cannot close the access log")
		}
	}
}

// Addresses returns where the gateway listens, by listener name.
func (g *Gateway) Addresses() map[string]string { return g.listening.addresses() }

// Reopen opens the access log again, for rotation.
func (g *Gateway) Reopen() error {
	if g.access == nil {
		return nil
	}
	if err := g.access.Reopen(); err != nil {
		return fmt.Errorf("cannot reopen the access log: %w", err)
	}
	return nil
}

// causes are the counters of refusals, looked up once.
type causes struct {
	metrics *observe.Metrics
	known   map[*exchange.Refusal]observe.Cause
}

func newCauses(metrics *observe.Metrics) *causes {
	c := &causes{metrics: metrics, known: make(map[*exchange.Refusal]observe.Cause)}
	for _, refusal := range exchange.Refusals() {
		c.known[refusal] = metrics.Cause(refusal.Cause)
	}
	return c
}

func (c *causes) of(refusal *exchange.Refusal) observe.Cause { return c.known[refusal] }

func (c *causes) count(x *exchange.Exchange) { c.metrics.Refuse(x.Shard, c.of(x.Refusal)) }

package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"

	"weir/proxy/config"
	"weir/proxy/front"
	"weir/proxy/h1"
	"weir/proxy/observe"
	"weir/proxy/wire"
)

// listening holds the open listeners, each under its name in the document.
type listening struct {
	mu     sync.Mutex
	wanted map[string]config.Listener
	opened map[string]*listener // nil until open
}

// follow makes the open listeners those of doc: new ones are opened before old
// ones are closed, and when one cannot be, nothing changes.
func (l *listening) follow(g *Gateway, doc *config.Document) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	wanted := doc.Listeners
	if len(wanted) == 0 || g.options.listenGiven {
		wanted = map[string]config.Listener{"main": {Address: g.options.ListenAddress}}
	}
	if l.opened == nil {
		l.wanted = wanted
		return nil
	}
	next := make(map[string]*listener, len(wanted))
	var fresh []*listener
	for name, w := range wanted {
		ln := l.keeps(name, w.Address, wanted, next)
		if ln == nil {
			var err error
			if ln, err = openListener(g, w, l.leaves(w.Address, wanted)); err != nil {
				for _, f := range fresh {
					f.close()
				}
				return err
			}
			fresh = append(fresh, ln)
		}
		next[name] = ln
	}
	for name, ln := range next { // from here on nothing can fail
		ln.become(g, name, wanted[name])
	}
	for _, old := range l.opened {
		if !isIn(next, old) {
			old.close()
		}
	}
	for _, ln := range fresh {
		ln.serve(g)
	}
	l.wanted, l.opened = wanted, next
	return nil
}

// keeps returns the open listener that name goes on with: its own, or one that
// has the address under a name that gives it up. Nil means a new one is needed.
func (l *listening) keeps(name, address string, wanted map[string]config.Listener, taken map[string]*listener) *listener {
	if old := l.opened[name]; old != nil && old.settings.Address == address {
		return old
	}
	for other, old := range l.opened {
		if old.settings.Address == address && wanted[other].Address != address && !isIn(taken, old) {
			return old
		}
	}
	return nil
}

// leaves tells whether a listener that wanted gives up has the port of address,
// which may then be opened beside it: :80 becomes 127.0.0.1:80.
func (l *listening) leaves(address string, wanted map[string]config.Listener) bool {
	_, port, err := net.SplitHostPort(address)
	if err != nil || port == "0" {
		return false
	}
	stays := make(map[string]bool, len(wanted))
	for _, w := range wanted {
		stays[w.Address] = true
	}
	for _, old := range l.opened {
		_, oldPort, err := net.SplitHostPort(old.settings.Address)
		if err == nil && oldPort == port && !stays[old.settings.Address] {
			return true
		}
	}
	return false
}

func isIn(listeners map[string]*listener, ln *listener) bool {
	for _, one := range listeners {
		if one == ln {
			return true
		}
	}
	return false
}

func (l *listening) open(g *Gateway) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opened = make(map[string]*listener)
	for name, w := range l.wanted {
		ln, err := openListener(g, w, false)
		if err != nil {
			for _, opened := range l.opened {
				opened.close()
			}
			return err
		}
		ln.become(g, name, w)
		l.opened[name] = ln
	}
	for _, ln := range l.opened {
		ln.serve(g)
	}
	return nil
}

func (l *listening) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ln := range l.opened {
		ln.close()
	}
}

func (l *listening) addresses() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[string]string, len(l.opened))
	for name, ln := range l.opened {
		out[name] = ln.sockets[0].Addr().String()
	}
	return out
}

// listener is one address: a socket for each shard, so that the kernel spreads
// connections over the cores and each stays on the shard that accepted it. A
// Unix socket cannot be shared like that; its shards accept from the one.
type listener struct {
	settings  config.Listener
	sockets   []net.Listener
	admission *admission
	known     atomic.Pointer[knownAs]
	accepting sync.WaitGroup
}

// knownAs is a listener's name and what is counted under it.
type knownAs struct {
	name  string
	stats *observe.ListenerStats
}

// become gives the listener its name and limits. Connections that are open
// keep those they came in by.
func (ln *listener) become(g *Gateway, name string, settings config.Listener) {
	ln.settings = settings
	ln.admission.limits(g.limitsOf(settings))
	ln.known.Store(&knownAs{name: name, stats: g.metrics.Listener(name)})
}

// openListener opens a listener. With shared, its port is one that the process
// still listens on.
func openListener(g *Gateway, settings config.Listener, shared bool) (*listener, error) {
	ln := &listener{settings: settings, admission: newAdmission()}
	var err error
	if path, ok := strings.CutPrefix(settings.Address, "unix:"); ok {
		ln.sockets, err = listenUnix(path)
	} else {
		ln.sockets, err = listenTCP(settings.Address, g.options.Shards, shared)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: %w", settings.Address, plainListenError(err))
	}
	return ln, nil
}

// plainListenError says what a person can do about a listener that does not open.
func plainListenError(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return errors.New("the address is in use by another process; stop that one or choose another address")
	case errors.Is(err, syscall.EACCES):
		return errors.New("permission denied; ports below 1024 need the right to bind them (CAP_NET_BIND_SERVICE)")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return errors.New("this machine does not have the address")
	}
	return err
}

// listenTCP opens one socket a shard on address. The first is tried without
// SO_REUSEPORT: with it, the kernel would share a port that another weir holds.
func listenTCP(address string, shards int, shared bool) ([]net.Listener, error) {
	network := networkOf(address)
	if !shared || !reusePort {
		probe, err := net.Listen(network, address)
		if err != nil {
			return nil, err
		}
		if !reusePort {
			return []net.Listener{probe}, nil
		}
		address = probe.Addr().String()
		_ = probe.Close()
	}
	lc := net.ListenConfig{Control: setReusePort}
	var out []net.Listener
	for range shards {
		ln, err := lc.Listen(context.Background(), network, address)
		if err != nil {
			for _, opened := range out {
				_ = opened.Close()
			}
			return nil, err
		}
		out = append(out, ln)
	}
	return out, nil
}

// networkOf keeps a written-out wildcard to its own address family, so that
// 0.0.0.0:80 and [::]:80 can stand side by side; Go would open both for either.
func networkOf(address string) string {
	switch host, _, _ := net.SplitHostPort(address); host {
	case "0.0.0.0":
		return "tcp4"
	case "::":
		return "tcp6"
	}
	return "tcp"
}

// listenUnix opens a Unix socket. A file that a dead process has left there is
// removed, one that somebody listens on is not.
func listenUnix(path string) ([]net.Listener, error) {
	ln, err := net.Listen("unix", path)
	if errors.Is(err, syscall.EADDRINUSE) {
		if c, dialErr := net.DialTimeout("unix", path, time.Second); dialErr == nil {
			_ = c.Close()
			return nil, err
		}
		if info, statErr := os.Lstat(path); statErr != nil || info.Mode()&fs.ModeSocket == 0 {
			return nil, err
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
		ln, err = net.Listen("unix", path)
	}
	if err != nil {
		return nil, err
	}
	return []net.Listener{ln}, nil
}

// serve accepts connections on every socket.
func (ln *listener) serve(g *Gateway) {
	for shard := range g.servers {
		socket := ln.sockets[shard%len(ln.sockets)]
		server := ln.server(g.servers[shard], shard)
		server.Logger = silent{}
		ln.accepting.Add(1)
		go func() {
			defer ln.accepting.Done()
			if err := server.Serve(tagged{socket}); err != nil && !errors.Is(err, net.ErrClosed) {
				g.log.Error().Err(err).Str("listener", ln.known.Load().name).Msg("cannot accept connections any more")
			}
		}()
	}
}

// frontProtocol is what a connection is handed over by: fasthttp accepts it
// and lends it a worker, the front end drives it (docs/adr/0001).
const frontProtocol = "weir/h1"

func (ln *listener) server(h *h1.Server, shard int) *fasthttp.Server {
	server := &fasthttp.Server{
		Concurrency: 1 << 30,
		Handler:     func(*fasthttp.RequestCtx) { panic("BUG: fasthttp serves a connection by itself") },
	}
	server.NextProto(frontProtocol, func(c net.Conn) error {
		// A goroutine of its own: fasthttp's frames above it would double the
		// stack of every idle connection.
		go ln.drive(h, shard, c.(*taggedConn).hand())
		return nil
	})
	return server
}

// drive serves one connection until it ends.
func (ln *listener) drive(server *h1.Server, shard int, nc net.Conn) {
	defer nc.Close()
	address, known := clientOf(nc), ln.known.Load()
	if !ln.admission.enter(address) {
		known.stats.Refuse(shard)
		h1.TurnAway(nc)
		return
	}
	known.stats.Accept(shard)
	c := wire.NewConn(nc)
	server.Serve(c, front.Origin{Listener: known.name}, nil)
	c.End()
	known.stats.Close(shard)
	ln.admission.leave(address)
}

func clientOf(nc net.Conn) netip.Addr {
	if tcp, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// close stops accepting. Connections that are open stay open.
func (ln *listener) close() {
	for _, socket := range ln.sockets {
		_ = socket.Close()
	}
	ln.accepting.Wait()
}

// tagged makes fasthttp hand connections over by frontProtocol.
type tagged struct{ net.Listener }

func (t tagged) Accept() (net.Conn, error) {
	c, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &taggedConn{Conn: c}, nil
}

type taggedConn struct {
	net.Conn
	handed bool
}

// hand returns the connection, which fasthttp no longer closes.
func (c *taggedConn) hand() net.Conn {
	c.handed = true
	return c.Conn
}

// Close closes the connection unless it was handed over.
func (c *taggedConn) Close() error {
	if c.handed {
		return nil
	}
	return c.Conn.Close()
}

// Handshake and ConnectionState are what fasthttp asks for the protocol.
func (c *taggedConn) Handshake() error { return nil }

func (c *taggedConn) ConnectionState() tls.ConnectionState {
	return tls.ConnectionState{NegotiatedProtocol: frontProtocol}
}

// silent drops fasthttp's own log: what it could say, the gateway says.
type silent struct{}

func (silent) Printf(string, ...any) {}

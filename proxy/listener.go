package proxy

import (
	"context"
	stdtls "crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"weir/proxy/config"
	"weir/proxy/h3"
	"weir/proxy/observe"
)

// listener is one address: a socket for each shard, so that the kernel spreads
// connections over the cores and each stays on the shard that accepted it. A
// Unix socket cannot be shared like that; its shards accept from the one.
type listener struct {
	settings  config.Listener
	sockets   []net.Listener
	admission *admission
	pending   *admission // handshakes under way
	known     atomic.Pointer[knownAs]
	quic      *quicServer // nil without HTTP/3
	accepting sync.WaitGroup
}

// knownAs is a listener's name, what is counted under it, and how those who
// connect are spoken to.
type knownAs struct {
	name   string
	stats  *observe.ListenerStats
	secure *stdtls.Config // nil in clear
	h2c    bool           // HTTP/2 in clear
	h1     bool           // HTTP/1.1 in clear
	altSvc []byte         // the offer of HTTP/3, nil for none
}

// become gives the listener its name and limits. Connections that are open
// keep those they came in by.
func (ln *listener) become(g *Gateway, name string, settings config.Listener) {
	ln.settings = settings
	ln.admission.limits(g.limitsOf(settings))
	ln.pending.limits(g.options.Handshakes.Pending, g.options.Handshakes.PerAddress)
	known := &knownAs{name: name, stats: g.metrics.Listener(name)}
	g.speak(known, settings)
	switch before := ln.known.Load(); {
	case ln.quic != nil:
		known.altSvc = ln.quic.offer
	case before != nil && before.altSvc != nil:
		known.altSvc = []byte(h3.AltSvcClear) // clients would come by the old offer for a day
	}
	ln.known.Store(known)
}

// openListener opens a listener. With shared, its port is one that the process
// still listens on.
func openListener(g *Gateway, settings config.Listener, shared bool) (*listener, error) {
	ln := &listener{settings: settings, admission: newAdmission(), pending: newAdmission()}
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

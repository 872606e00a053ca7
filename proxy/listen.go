package proxy

import (
	"net"
	"sync"

	"weir/proxy/config"
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
	fresher, err := openQUIC(next, wanted)
	if err != nil {
		for _, f := range fresh {
			f.close()
		}
		return err
	}
	for name, ln := range next { // from here on nothing can fail
		ln.followQUIC(g, fresher[ln], wanted[name])
		ln.become(g, name, wanted[name])
		ln.serveQUIC(g)
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
		l.opened[name] = ln
	}
	fresh, err := openQUIC(l.opened, l.wanted)
	if err != nil {
		for _, opened := range l.opened {
			opened.close()
		}
		return err
	}
	for name, ln := range l.opened {
		ln.followQUIC(g, fresh[ln], l.wanted[name])
		ln.become(g, name, l.wanted[name])
		ln.serveQUIC(g)
	}
	// Not before the ports are this process's: an ACME directory may ask there at once.
	g.secure.Publish(g.live.Load().terms)
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

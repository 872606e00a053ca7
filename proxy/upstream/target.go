package upstream

import (
	stdtls "crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync/atomic"

	weirtls "weir/tls"
)

// Address says where a target is and how it is reached.
type Address struct {
	URL  string // http://host:port/base, https://…, or unix:/path/of/socket
	Host string // value of Host; "" = that of the URL
	TLS  weirtls.Options
}

// Target is one address with its connections. It is made by Registry.Acquire
// and safe for concurrent use.
type Target struct {
	name     string
	scheme   string
	network  string // "tcp" or "unix"
	address  string
	base     string
	host     []byte
	tls      *stdtls.Config
	key      string
	registry *Registry
	pool     pool
	inFlight atomic.Int64
}

// Name returns the address as it was written: the target's name in logs.
func (t *Target) Name() string { return t.name }

// Scheme returns "http" or "https".
func (t *Target) Scheme() string { return t.scheme }

// Base returns the path that goes before every request's path, without a
// slash at its end.
func (t *Target) Base() string { return t.base }

// Host returns the value of Host for requests to the target. It must not be
// changed.
func (t *Target) Host() []byte { return t.host }

// InFlight returns how many requests were sent to the target whose answers
// are not yet whole, tunnels included.
func (t *Target) InFlight() int64 { return t.inFlight.Load() }

// parse fills in what the URL says.
func (t *Target) parse(a Address) error {
	t.name = a.URL
	if rest, ok := strings.CutPrefix(a.URL, "unix:"); ok {
		return t.parseUnix(a, rest)
	}
	u, err := url.Parse(a.URL)
	if err != nil {
		return fmt.Errorf("cannot use target %q: %w", a.URL, err)
	}
	port := u.Port()
	switch u.Scheme {
	case "http":
		if port == "" {
			port = "80"
		}
	case "https":
		if port == "" {
			port = "443"
		}
	default:
		return fmt.Errorf("cannot use target %q: the scheme must be http, https or unix", a.URL)
	}
	if u.Hostname() == "" {
		return fmt.Errorf("cannot use target %q: it names no host", a.URL)
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return fmt.Errorf("cannot use target %q: only scheme, host, port and path belong there", a.URL)
	}
	t.scheme, t.network = u.Scheme, "tcp"
	t.address = net.JoinHostPort(u.Hostname(), port)
	t.base = strings.TrimRight(u.EscapedPath(), "/")
	t.host = []byte(u.Host)
	if a.Host != "" {
		t.host = []byte(a.Host)
	}
	return nil
}

func (t *Target) parseUnix(a Address, path string) error {
	path = "/" + strings.TrimLeft(path, "/")
	if path == "/" {
		return fmt.Errorf("cannot use target %q: it names no socket", a.URL)
	}
	t.scheme, t.network, t.address = "http", "unix", path
	t.host = []byte("localhost")
	if a.Host != "" {
		t.host = []byte(a.Host)
	}
	return nil
}

// secure builds the TLS side of the target.
func (t *Target) secure(o weirtls.Options) error {
	if t.scheme != "https" {
		return nil
	}
	if o.ServerName == "" {
		o.ServerName, _, _ = net.SplitHostPort(t.address)
	}
	config, err := weirtls.ClientConfig(o)
	if err != nil {
		return fmt.Errorf("cannot use target %q: %w", t.name, err)
	}
	config.NextProtos = []string{"http/1.1"}
	t.tls = config
	return nil
}

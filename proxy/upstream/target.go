package upstream

import (
	stdtls "crypto/tls"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"weir/proxy/config"
	weirtls "weir/tls"
)

// Address says where a target is and how it is reached.
type Address struct {
	URL      string // http://host:port/base, https://…, h2c://…, or unix:/path/of/socket:/base
	Host     string // value of Host; "" = that of the URL
	Protocol string // config.AutoProtocol, HTTP1 or HTTP2; "" = AutoProtocol
	TLS      weirtls.Options
	Limits   Limits
}

// Limits bounds the connections to one target. A zero is what Config says.
type Limits struct {
	MaxConnections int
	MaxIdle        int
	IdleLifetime   time.Duration
}

func (l Limits) or(c *Config) Limits {
	if l.MaxConnections == 0 {
		l.MaxConnections = c.MaxConnections
	}
	if l.MaxIdle == 0 {
		l.MaxIdle = c.MaxIdle
	}
	if l.IdleLifetime == 0 {
		l.IdleLifetime = c.IdleLifetime
	}
	return l
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
	protocol speaks
	tls      *stdtls.Config // for HTTP/1.1, nil in clear
	tlsH2    *stdtls.Config // for HTTP/2, and HTTP/1.1 if protocol allows it
	key      string
	registry *Registry
	limits   Limits
	pool     pool
	sessions sessions
	inFlight atomic.Int64
	http1At  atomic.Int64 // when the target last chose HTTP/1.1, on the clock of wire
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

// parse fills in what the address says.
func (t *Target) parse(a Address) error {
	parts, err := config.ParseTarget(a.URL)
	if err != nil {
		return fmt.Errorf("cannot use target %q: %w", a.URL, err)
	}
	if t.protocol, err = protocolOf(a.Protocol, parts.HTTP2); err != nil {
		return fmt.Errorf("cannot use target %q: %w", a.URL, err)
	}
	t.name, t.address, t.base, t.host = a.URL, parts.Address, parts.Base, []byte(parts.Host)
	t.scheme, t.network = "http", "tcp"
	if parts.TLS {
		t.scheme = "https"
	}
	if parts.Unix {
		t.network = "unix"
	}
	if a.Host != "" {
		t.host = []byte(a.Host)
	}
	t.limits = a.Limits.or(&t.registry.config)
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
	settings, err := weirtls.ClientConfig(o)
	if err != nil {
		return fmt.Errorf("cannot use target %q: %w", t.name, err)
	}
	t.tls = offering(settings, "http/1.1")
	switch t.protocol {
	case speaksAny:
		t.tlsH2 = offering(settings, "h2", "http/1.1")
	case speaksH2:
		t.tlsH2 = offering(settings, "h2")
	}
	return nil
}

package proxy

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"weir/proxy/config"
	"weir/proxy/front"
	"weir/proxy/h2"
	"weir/proxy/h3"
	"weir/proxy/observe"
	"weir/proxy/upstream"
)

// Options tunes the process. RegisterFlags gives the defaults; each package
// below owns its part.
type Options struct {
	ListenAddress  string
	ControlAddress string
	ControlToken   string

	Shards                   int
	MaxConnections           int
	MaxConnectionsPerAddress int
	MaxBody                  int64
	LimitKeys                int
	LimitDelayed             int
	LimitNonces              int
	TunnelIdle, TunnelTotal  time.Duration
	Watch                    bool
	Data                     string
	HeapFloor                int64
	Metrics                  bool
	Via                      string

	DrainDelay, DrainTimeout, TunnelGrace time.Duration

	Listen     front.Config
	HTTP2      h2.Config
	HTTP3      h3.Config
	Handshakes HandshakeLimits
	Upstream   upstream.Config
	Log        observe.LogConfig
	Forwarding Forwarding
	Cache      CacheConfig

	listenGiven bool
	ephemeral   bool // nothing is kept: the document is only looked at
}

// Forwarding says what upstreams are told about a request's way.
type Forwarding struct {
	XForwarded bool // X-Forwarded-For, -Host, -Proto
	Forwarded  bool // Forwarded (RFC 7239)
	RequestID  bool // X-Request-Id
	Trace      bool // traceparent (W3C Trace Context)
}

// RegisterFlags defines every flag that tunes the process.
func (o *Options) RegisterFlags(fs *flag.FlagSet) {
	fs.StringVar(&o.ListenAddress, "listen", ":8080", "Where to listen: host:port, :port for every address, or unix:/path. Given, it replaces the document's listeners")
	fs.StringVar(&o.ControlAddress, "control", "127.0.0.1:8081", "Where the control listener is: health, metrics, reload, profiles. An address that others can reach needs -control.token; off means none")
	fs.StringVar(&o.ControlToken, "control.token", "", "Token that the control listener asks for, as Authorization: Bearer TOKEN; file:PATH reads it from a file. Empty asks for none, on loopback only")

	fs.StringVar(&o.Data, "data", "", "Directory of what outlives the process: certificates of ACME, the authority for development. Empty means $STATE_DIRECTORY, which systemd sets, else weir in the user's data directory ($XDG_DATA_HOME, ~/.local/share)")
	fs.Int64Var(&o.HeapFloor, "heapFloor", 64<<20, "Bytes of memory in use up to which garbage is collected less often than Go does by itself: less processor, more memory. 0, or GOGC in the environment, leaves it to Go")
	fs.IntVar(&o.Shards, "shards", 0, "Listeners an address, each with its own workers, counters and connection pools. 0 means one for each core (GOMAXPROCS)")
	fs.IntVar(&o.MaxConnections, "listen.maxConnections", 0, "Connections open at once on a listener; more are answered 503 and closed. 0 means half of the process's file descriptors")
	fs.IntVar(&o.MaxConnectionsPerAddress, "listen.maxConnectionsPerAddress", 0, "Connections open at once from one client address. 0 means no limit")
	o.Listen.RegisterFlags(fs)
	o.Handshakes.RegisterFlags(fs)
	o.HTTP2.RegisterFlags(fs)
	o.HTTP3.RegisterFlags(fs)
	fs.Int64Var(&o.MaxBody, "listen.maxBody", -1, "Bytes of a request body, where the route does not say; more is refused with 413. -1 means no limit")

	fs.IntVar(&o.LimitKeys, "limit.keys", 1<<20, "Keys that tables have room for, one table for all limits that tell requests apart; 26 bytes each, taken as keys come. Keys beyond it share a budget")
	fs.IntVar(&o.LimitDelayed, "limit.delayed", 10_000, "Requests that limits with delay hold back at once; more are refused. 0 holds back none")
	fs.IntVar(&o.LimitNonces, "limit.nonces", 1<<18, "Nonces of signed requests that are remembered within six minutes, or the longest maxAge; further ones are refused")

	o.Cache.RegisterFlags(fs)

	o.Upstream = upstream.Default()
	o.Upstream.RegisterFlags(fs)

	fs.DurationVar(&o.TunnelIdle, "tunnel.idle", time.Hour, "Longest silence of an upgraded connection, where the route does not say. 0 means no limit")
	fs.DurationVar(&o.TunnelTotal, "tunnel.total", 0, "Longest life of an upgraded connection, where the route does not say. 0 means no limit")

	fs.BoolVar(&o.Forwarding.XForwarded, "forward.xForwarded", true, "Tell upstreams about the client by X-Forwarded-For, X-Forwarded-Host and X-Forwarded-Proto")
	fs.BoolVar(&o.Forwarding.Forwarded, "forward.forwarded", true, "Tell upstreams about the client by Forwarded (RFC 7239)")
	fs.BoolVar(&o.Forwarding.RequestID, "forward.requestID", true, "Tell upstreams the request's id by X-Request-Id")
	fs.BoolVar(&o.Forwarding.Trace, "forward.trace", true, "Continue or start a trace by traceparent (W3C Trace Context)")
	fs.StringVar(&o.Via, "forward.via", "", "Name of this gateway in Via, by which it also notices loops; must be unique. Empty means weir- and a random number")

	o.Log.RegisterFlags(fs)
	fs.BoolVar(&o.Metrics, "metrics", true, "Count requests for /metrics")
	fs.BoolVar(&o.Watch, "watch", true, "Reload when the document or a file that it names changes")

	fs.DurationVar(&o.DrainDelay, "drain.delay", 0, "Time between /readyz saying no and the listeners closing, for load balancers to notice. 0 means at once")
	fs.DurationVar(&o.DrainTimeout, "drain.timeout", 30*time.Second, "Time that requests have to end after SIGTERM; then they are cut")
	fs.DurationVar(&o.TunnelGrace, "drain.tunnels", 10*time.Second, "Time that upgraded connections have to end after SIGTERM; at most -drain.timeout")
}

// Given notes that -listen was set, so that it wins over the document.
func (o *Options) Given(name string) {
	if name == "listen" {
		o.listenGiven = true
	}
}

// Validate returns everything that is wrong with the flags.
func (o *Options) Validate() error {
	var errs []error
	complain := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	atLeast := func(name string, value, least int64) {
		if value < least {
			complain("-%s is %d; it must be %d or more", name, value, least)
		}
	}
	atLeast("shards", int64(o.Shards), 0)
	if o.Shards > 1024 {
		complain("-shards is %d; it must be 1024 or less", o.Shards)
	}
	atLeast("heapFloor", o.HeapFloor, 0)
	atLeast("listen.maxConnections", int64(o.MaxConnections), 0)
	atLeast("listen.maxConnectionsPerAddress", int64(o.MaxConnectionsPerAddress), 0)
	atLeast("listen.maxBody", o.MaxBody, -1)
	atLeast("limit.keys", int64(o.LimitKeys), 1)
	atLeast("limit.delayed", int64(o.LimitDelayed), 0)
	atLeast("limit.nonces", int64(o.LimitNonces), 1)
	atLeast("cache.size", o.Cache.Size, 0)
	atLeast("cache.maxObject", o.Cache.MaxObject, 1)
	atLeast("listen.maxTarget", int64(o.Listen.MaxTarget), 0)
	atLeast("listen.maxFields", int64(o.Listen.MaxFields), 0)
	if o.Listen.MaxHead < 1<<10 || o.Listen.MaxHead > 1<<20 {
		complain("-listen.maxHead is %d; it must be from 1024 (1 KiB) to 1048576 (1 MiB)", o.Listen.MaxHead)
	}
	atLeast("tls.computing", int64(o.Handshakes.Computing), 0)
	atLeast("tls.pending", int64(o.Handshakes.Pending), 0)
	atLeast("tls.pendingPerAddress", int64(o.Handshakes.PerAddress), 0)
	atLeast("upstream.headerLimit", int64(o.Upstream.HeadLimit), 0)
	atLeast("upstream.readBuffer", int64(o.Upstream.ReadBuffer), 0)
	atLeast("upstream.maxConnections", int64(o.Upstream.MaxConnections), 0)
	atLeast("upstream.maxIdle", int64(o.Upstream.MaxIdle), 0)
	atLeast("upstream.maxStreams", int64(o.Upstream.MaxStreams), 0)
	atLeast("upstream.window", int64(o.Upstream.Window), 0)
	for name, d := range map[string]time.Duration{
		"listen.headTimeout": o.Listen.HeadTimeout, "listen.bodyTimeout": o.Listen.BodyTimeout,
		"listen.idleTimeout": o.Listen.IdleTimeout, "listen.sendTimeout": o.Listen.SendTimeout,
		"upstream.idle": o.Upstream.IdleLifetime, "upstream.connectTimeout": o.Upstream.ConnectTimeout,
		"upstream.ping":             o.Upstream.Ping,
		"upstream.firstByteTimeout": o.Upstream.FirstByteTimeout, "upstream.idleTimeout": o.Upstream.IdleTimeout,
		"tls.handshakeTimeout": o.Handshakes.Timeout, "tunnel.idle": o.TunnelIdle, "tunnel.total": o.TunnelTotal,
		"drain.delay": o.DrainDelay, "drain.timeout": o.DrainTimeout, "drain.tunnels": o.TunnelGrace,
	} {
		if d < 0 {
			complain("-%s is %s; it must be 0s or more", name, d)
		}
	}
	if err := config.CheckListen(o.ListenAddress); err != nil {
		complain("-listen is %q: %w", o.ListenAddress, err)
	}
	if !isPseudonym(o.Via) {
		complain("-forward.via is %q; it must be a name without spaces, such as edge-1, or empty", o.Via)
	}
	if err := checkControl(o.ControlAddress, o.ControlToken); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// isPseudonym tells whether name may stand in Via (RFC 9110 §7.6.3), or is empty.
func isPseudonym(name string) bool {
	for _, c := range []byte(name) {
		letter, digit := c|0x20 >= 'a' && c|0x20 <= 'z', c >= '0' && c <= '9'
		if !letter && !digit && !strings.ContainsRune("!#$%&'*+-.^_`|~:", rune(c)) {
			return false
		}
	}
	return true
}

// checkControl refuses a control listener that strangers could reach.
func checkControl(address, token string) error {
	if address == "off" {
		return nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("-control is %q; write host:port or off", address)
	}
	if token != "" || host == "localhost" {
		return nil
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("-control %q can be reached from other machines; set -control.token, or listen on 127.0.0.1", address)
}

// resolved replaces zeros by what they mean on this machine.
func (o Options) resolved() Options {
	if o.Shards <= 0 {
		o.Shards = runtime.GOMAXPROCS(0)
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = fileLimit() / 2
	}
	if o.Data == "" {
		o.Data = dataDirectory(os.Getenv)
	}
	return o
}

// dataDirectory returns where data is kept when nobody says; "" where no place is known.
func dataDirectory(env func(string) string) string {
	state, _, _ := strings.Cut(env("STATE_DIRECTORY"), ":")
	switch {
	case state != "":
		return state
	case env("XDG_DATA_HOME") != "":
		return filepath.Join(env("XDG_DATA_HOME"), "weir")
	case env("HOME") != "":
		return filepath.Join(env("HOME"), ".local", "share", "weir")
	}
	return ""
}

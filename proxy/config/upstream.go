package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Upstream is a named group of targets.
type Upstream struct {
	_ struct{} `doc:"A named group of targets."`

	Targets        []string     `yaml:"targets" required:"true" pattern:"^(https?://.+|h2c://.+|unix:/.+)$" example:"http://10.0.0.1:8080" doc:"The addresses: http:// or https://host:port with an optional base path, h2c:// for HTTP/2 in clear, or unix:/path of a socket, where :/base may follow."`
	Protocol       string       `yaml:"protocol" enum:"auto|http1|h2" default:"auto" doc:"What the targets are spoken to in. auto is HTTP/1.1, HTTP/2 for h2c:// targets, and for gRPC on https targets that choose it. h2 is HTTP/2 for every request, without TLS with prior knowledge. http1 is HTTP/1.1 alone."`
	Balance        string       `yaml:"balance" enum:"roundRobin|leastLoaded" default:"roundRobin" doc:"How a target is chosen."`
	TLS            *UpstreamTLS `yaml:"tls" doc:"How https targets are verified, and what they are shown."`
	MaxConnections int          `yaml:"maxConnections" min:"0" doc:"Connections open at once to each target. 0 is what the flag says."`
	IdleTimeout    Duration     `yaml:"idleTimeout" min:"0s" doc:"How long an unused connection is kept. 0s is what the flag says."`
	MaxIdle        int          `yaml:"maxIdle" min:"0" doc:"Unused connections kept to each target. 0 is what the flag says."`
	Timeouts       Timeouts     `yaml:"timeouts" doc:"How long to wait, for the routes that do not say it themselves."`
}

// UpstreamTLS says how https targets are verified and what they are shown.
// Its paths are relative to the document's directory until Parse resolves them.
type UpstreamTLS struct {
	_ struct{} `doc:"How https targets are verified, and what they are shown. Paths are relative to the document's directory."`

	CA                 string   `yaml:"ca" doc:"A PEM file with the certificates to trust. Without it, the system's."`
	Cert               string   `yaml:"cert" doc:"A PEM file with the certificate that is shown to the targets."`
	Key                string   `yaml:"key" doc:"A PEM file with the key of cert."`
	ServerName         string   `yaml:"serverName" doc:"The name that is asked for and verified. Without it, the target's host."`
	Pins               []string `yaml:"pins" pattern:"^sha256/[A-Za-z0-9+/]{43}=$" doc:"sha256/BASE64 of public keys (SubjectPublicKeyInfo), one of which a target must have."`
	InsecureSkipVerify bool     `yaml:"insecureSkipVerify" doc:"Accepts any certificate. Pins are still checked."`
}

// Target is one address of an upstream, taken apart.
type Target struct {
	TLS  bool
	Unix bool
	// HTTP2 tells that the target speaks HTTP/2 without being asked.
	HTTP2 bool
	// Address is what is dialled: host:port, or the path of the socket.
	Address string
	// Host is what the target is called in a Host header and in TLS.
	Host string
	// Base goes before every path; empty, or it begins with a slash and ends without.
	Base string
}

// Values of Upstream.Protocol.
const (
	AutoProtocol = "auto"
	HTTP1        = "http1"
	HTTP2        = "h2"
)

// ParseTarget takes apart http://host:port/base, https://…, h2c://…, or unix:/path:/base.
func ParseTarget(text string) (Target, error) {
	t, wrong := parseTarget(text)
	if wrong != nil {
		return Target{}, wrong
	}
	return t, nil
}

func parseTarget(text string) (Target, *complaint) {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		return parseSocketTarget(path)
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return Target{}, complain("a target needs a scheme", didYouMean("http://"+text))
	}
	t := Target{TLS: scheme == "https", HTTP2: scheme == "h2c"}
	if scheme != "http" && scheme != "https" && scheme != "h2c" {
		return Target{}, complain("unknown scheme "+quote(scheme), "write http://, https://, h2c:// or unix:/path")
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		what := "a query"
		if rest[i] == '#' {
			what = "a fragment"
		}
		return Target{}, complain("a target cannot have "+what, didYouMean(scheme+"://"+rest[:i]))
	}
	authority, base := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, base = rest[:i], rest[i:]
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		return Target{}, complain("a target cannot have a user or a password", "set the header Authorization in requestHeaders")
	}
	host, port, wrong := splitHostPort(authority)
	if wrong != nil {
		return Target{}, wrong
	}
	if port == 0 {
		port = 80
		if t.TLS {
			port = 443
		}
	}
	t.Host = authority
	t.Address = net.JoinHostPort(host, strconv.Itoa(port))
	t.Base, wrong = parseBase(base)
	return t, wrong
}

func parseSocketTarget(text string) (Target, *complaint) {
	path, base, _ := strings.Cut(text, ":")
	if wrong := checkSocketPath(path); wrong != nil {
		return Target{}, wrong
	}
	base, wrong := parseBase(base)
	return Target{Unix: true, Address: path, Host: "localhost", Base: base}, wrong
}

// parseBase checks a base path and takes its last slash away.
func parseBase(base string) (string, *complaint) {
	base = strings.TrimSuffix(base, "/")
	if base == "" {
		return "", nil
	}
	return base, checkPathText(base)
}

// maxSocketPathBytes is the smallest sun_path of the systems weir runs on (macOS,
// 104 bytes), without its terminating zero.
const maxSocketPathBytes = 103

func checkSocketPath(path string) *complaint {
	if !strings.HasPrefix(path, "/") {
		return complain("a socket needs an absolute path", "write unix:/run/name.sock")
	}
	if strings.HasSuffix(path, "/") {
		return complain("a socket's path cannot end with a slash", "")
	}
	if strings.IndexByte(path, 0) >= 0 {
		return complain("a socket's path cannot hold a zero byte", "")
	}
	if len(path) > maxSocketPathBytes {
		return complain("a socket's path has at most "+strconv.Itoa(maxSocketPathBytes)+" bytes", "")
	}
	return nil
}

// splitHostPort takes "host", "host:port", "[v6]" or "[v6]:port" apart; port is 0
// where none is written.
func splitHostPort(authority string) (host string, port int, wrong *complaint) {
	if authority == "" {
		return "", 0, complain("the host is missing", "")
	}
	if strings.ContainsAny(authority, "/@") {
		return "", 0, complain(quote(authority)+" is not a host name", "write host or host:port")
	}
	host = authority
	hasPort, portText := false, ""
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && !strings.HasSuffix(authority, "]") {
		host, portText, hasPort = authority[:i], authority[i+1:], true
	}
	if bare, ok := strings.CutPrefix(host, "["); ok {
		bare, ok = strings.CutSuffix(bare, "]")
		address, err := netip.ParseAddr(bare)
		if !ok || err != nil || !address.Is6() || address.Zone() != "" {
			return "", 0, complain(quote(authority)+" is not an IPv6 address", "")
		}
		host = bare
	} else if strings.IndexByte(host, ':') >= 0 {
		return "", 0, complain("an IPv6 address needs brackets", "write [::1]:8080")
	} else if wrong := checkHostName(strings.ToLower(host)); wrong != nil {
		return "", 0, wrong
	}
	if !hasPort {
		return host, 0, nil
	}
	port, wrong = parsePort(portText)
	if wrong == nil && port == 0 {
		wrong = complain("0 is not a port to connect to", "")
	}
	return host, port, wrong
}

func parsePort(text string) (int, *complaint) {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, complain(quote(text)+" is not a port", "a port is a number from 1 to 65535")
	}
	return int(port), nil
}

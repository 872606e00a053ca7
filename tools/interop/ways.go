package main

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// serverName is what clients of TLS ask for.
const serverName = "localhost"

// The network is our own, so that every port is free.
const (
	serverPort    = "10000"
	serverTLSPort = "10001"
)

// way is how a call gets from the client to the server.
type way struct {
	name, address string
	isTLS         bool
}

func ways() []way {
	return []way{
		{name: "direct", address: "127.0.0.1:" + serverPort},
		{name: "direct-tls", address: "127.0.0.1:" + serverTLSPort, isTLS: true},
		{name: "h2c", address: "127.0.0.1:10002"},
		{name: "tls", address: "127.0.0.1:10003", isTLS: true},
	}
}

func (w way) needsWeir() bool { return !strings.HasPrefix(w.name, "direct") }

func (w way) entrance() (host, port string, err error) { return net.SplitHostPort(w.address) }

// url names the server by its certificate's name, where there is one.
func (w way) url() string {
	if !w.isTLS {
		return "http://" + w.address
	}
	return "https://" + strings.Replace(w.address, "127.0.0.1", serverName, 1)
}

func wayNames() []string {
	var names []string
	for _, w := range ways() {
		names = append(names, w.name)
	}
	return names
}

func chooseWays(names string) ([]way, error) {
	if names == "" {
		return ways(), nil
	}
	var chosen []way
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(ways(), func(w way) bool { return w.name == name })
		if i < 0 {
			return nil, fmt.Errorf("cannot find way %q: there are %s", name, strings.Join(wayNames(), ", "))
		}
		chosen = append(chosen, ways()[i])
	}
	return chosen, nil
}

// document has weir speak on both sides as the client does: without TLS to the server without it, with TLS to the one
// with it.
func (w way) document(certificate, key string) string {
	const apis = "apis: { interop: { routes: [ { path: $default, upstream: interop } ] } }\n"
	if !w.isTLS {
		return fmt.Sprintf(`listeners: { h2c: { address: %q, protocols: [h2] } }
%supstreams: { interop: { targets: [ "h2c://127.0.0.1:%s" ] } }
`, w.address, apis, serverPort)
	}
	return fmt.Sprintf(`listeners: { https: { address: %q, tls: true, protocols: [h2] } }
tls: { certificates: [ { cert: %q, key: %q } ], default: %s }
%supstreams: { interop: { targets: [ "https://127.0.0.1:%s" ], protocol: h2, tls: { ca: %[2]q, serverName: %[4]s } } }
`, w.address, certificate, key, serverName, apis, serverTLSPort)
}

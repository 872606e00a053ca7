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
	// isWeb is for browsers: HTTP/1.1 too, and gRPC-Web translated.
	isWeb bool
}

func ways() []way {
	return []way{
		{name: "direct", address: "127.0.0.1:" + serverPort},
		{name: "direct-tls", address: "127.0.0.1:" + serverTLSPort, isTLS: true},
		{name: "h2c", address: "127.0.0.1:10002"},
		{name: "tls", address: "127.0.0.1:10003", isTLS: true},
		{name: "web", address: "127.0.0.1:10004", isWeb: true},
		{name: "web-tls", address: "127.0.0.1:10005", isTLS: true, isWeb: true},
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
// with it. The ways for browsers cross over, and leave the protocol of a target with TLS to weir.
func (w way) document(certificate, key string) string {
	protocols, more := "h2", " }"
	if w.isWeb {
		protocols, more = "h2, http/1.1", webRoutes
		if w.isTLS {
			protocols += ", h3"
		}
	}
	listener := fmt.Sprintf("listeners: { main: { address: %q, tls: %t, protocols: [%s] } }\n", w.address, w.isTLS, protocols)
	if w.isTLS {
		listener += fmt.Sprintf("tls: { certificates: [ { cert: %q, key: %q } ], default: %s }\n", certificate, key, serverName)
	}
	target := fmt.Sprintf(`targets: [ "h2c://127.0.0.1:%s" ]`, serverPort)
	switch secure := fmt.Sprintf(`targets: [ "https://127.0.0.1:%s" ], tls: { ca: %q, serverName: %s }`, serverTLSPort, certificate, serverName); {
	case w.isWeb && !w.isTLS:
		target = secure
	case w.isTLS && !w.isWeb:
		target = secure + ", protocol: h2"
	}
	return listener + "apis: { interop: { routes: [ { path: $default, upstream: interop" + more + " ] } }\n" +
		"upstreams: { interop: { " + target + " } }\n"
}

// webRoutes ends the route of the ways for browsers, which come from pages of another origin, and adds that of their
// preflights.
const webRoutes = `, grpcWeb: true, maxBody: 1MiB, responseHeaders: { set: {
  Access-Control-Allow-Origin: "*", Access-Control-Expose-Headers: "*" } } },
  { path: "/{proxy+}", methods: [OPTIONS], answer: { status: 204, headers: {
  Access-Control-Allow-Origin: "*", Access-Control-Allow-Methods: POST, Access-Control-Allow-Headers: "content-type,
  x-grpc-web, x-user-agent, grpc-timeout, x-grpc-test-echo-initial, x-grpc-test-echo-trailing-bin" } } }`

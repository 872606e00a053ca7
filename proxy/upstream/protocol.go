package upstream

import (
	stdtls "crypto/tls"
	"errors"
	"time"

	"weir/proxy/config"
	"weir/proxy/exchange"
	"weir/proxy/grpc"
	"weir/proxy/wire"
)

// speaks is what protocols a target is spoken to in.
type speaks uint8

const (
	speaksAny speaks = iota // HTTP/1.1, and HTTP/2 for who needs it where ALPN offers it
	speaksH1
	speaksH2
)

func (s speaks) String() string {
	return [...]string{config.AutoProtocol, config.HTTP1, config.HTTP2}[s]
}

func protocolOf(name string, prior bool) (speaks, error) {
	switch {
	case prior && name == config.HTTP1:
		return 0, errors.New("h2c:// is HTTP/2")
	case prior || name == config.HTTP2:
		return speaksH2, nil
	case name == config.HTTP1:
		return speaksH1, nil
	}
	return speaksAny, nil
}

// offering returns settings that offer protocols by ALPN (RFC 7301).
func offering(settings *stdtls.Config, protocols ...string) *stdtls.Config {
	settings = settings.Clone()
	settings.NextProtos = protocols
	return settings
}

// http1Memory is how long a target that chose HTTP/1.1 is not asked again.
const http1Memory = int64(time.Minute)

func (t *Target) isHTTP1Now() bool {
	at := t.http1At.Load()
	return t.protocol == speaksAny && at != 0 && wire.Now()-at < http1Memory
}

// multiplexes tells whether x goes out over HTTP/2. Where the target may choose,
// only gRPC does, which needs it: see docs/adr/0013-http2-upstreams.md.
func (t *Target) multiplexes(x *exchange.Exchange, call *Call) bool {
	switch t.protocol {
	case speaksH2:
		return true
	case speaksAny:
		return t.tlsH2 != nil && len(call.Upgrade) == 0 && grpc.KindOf(x.Request.ContentType()) == grpc.Native && !t.isHTTP1Now()
	}
	return false
}

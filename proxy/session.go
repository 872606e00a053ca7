package proxy

import (
	stdtls "crypto/tls"

	"weir/proxy/exchange"
)

// sessionOf makes of a handshake's result what the way is told of it.
func (g *Gateway) sessionOf(state *stdtls.ConnectionState) *exchange.TLS {
	return &exchange.TLS{Protocol: state.NegotiatedProtocol, ServerName: state.ServerName, Resumed: state.DidResume}
}

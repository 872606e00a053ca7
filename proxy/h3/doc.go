// Package h3 is the HTTP/3 front end (RFC 9114): it turns the request streams
// of QUIC connections into exchanges and sends their answers.
//
// QUIC itself is quic-go's. Frames, QPACK without a dynamic table and the rules
// of requests are read here, because the gateway must see fields as they were
// sent: in their order, with those that come twice (docs/adr/0014-http3.md).
package h3

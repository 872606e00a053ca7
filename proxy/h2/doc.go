// Package h2 is the HTTP/2 front end (RFC 9113): it turns the streams of a
// connection into exchanges, each on a goroutine of its own, and sends their
// answers.
//
// One goroutine reads a connection. It decodes field blocks into an arena,
// writes them down as the head of an HTTP/1.1 request and has the same strict
// pass judge that which judges HTTP/1.1 (package wire): so nothing gets through
// here that would not get through there. Frames to be sent gather in one
// buffer, and one goroutine at a time writes it out (docs/adr/0012).
package h2

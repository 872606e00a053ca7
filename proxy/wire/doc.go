// Package wire is HTTP/1.1 on a socket: waiting with deadlines that cost
// nothing while nothing waits, message heads checked to the letter before any
// other code sees them, and bodies read and written by their framing.
//
// Both sides of the gateway stand on it: the front end for clients
// (proxy/h1) and the transport to upstreams (proxy/upstream). It knows
// messages, not requests: what a message means is theirs.
package wire

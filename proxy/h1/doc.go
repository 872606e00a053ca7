// Package h1 is the HTTP/1.1 front end: it turns what arrives on a connection
// into exchanges, one after the other, and sends their answers.
//
// A fasthttp.Server accepts and keeps the workers; the connection itself is
// driven here, on fasthttp's header codec, because the gateway must decide
// things that fasthttp's own loop has decided before its handler runs: when
// 100 Continue is sent, when a body is read, when bytes leave (docs/adr/0001).
package h1

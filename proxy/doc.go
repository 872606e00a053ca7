// Package proxy is the gateway. serve.go shows the way of a request, and each
// step of it has a file of its own; compile.go turns a document into what the
// steps read; gateway.go holds what lives longer than a document.
package proxy

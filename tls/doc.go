// Package tls makes crypto/tls configurations from what people write in a
// document: certificate files, names, pins. It knows nothing of the gateway.
package tls

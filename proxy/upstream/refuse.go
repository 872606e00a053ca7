package upstream

import (
	"context"
	stdtls "crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"weir/proxy/exchange"
	"weir/proxy/wire"
	weirtls "weir/tls"
)

// refusalOfDial maps why a connection could not be opened.
func refusalOfDial(err error) *exchange.Refusal {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return exchange.NotResolved
	case errors.Is(err, syscall.ECONNREFUSED):
		return exchange.ConnectionRefused
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EADDRNOTAVAIL):
		return exchange.Overloaded // descriptors or ports of this machine are used up
	case isTimeout(err), errors.Is(err, syscall.ETIMEDOUT):
		return exchange.ConnectTimeout
	}
	return exchange.Unreachable
}

// refusalOfHandshake maps why TLS could not be agreed on.
func refusalOfHandshake(err error) *exchange.Refusal {
	var (
		verification *stdtls.CertificateVerificationError
		authority    x509.UnknownAuthorityError
		name         x509.HostnameError
		invalid      x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &verification), errors.As(err, &authority), errors.As(err, &name), errors.As(err, &invalid),
		errors.Is(err, weirtls.ErrPin):
		return exchange.TLSCertificate
	case isTimeout(err):
		return exchange.ConnectTimeout
	case isAlert(err) && strings.HasSuffix(err.Error(), noProtocol):
		return exchange.ProtocolMismatch
	}
	return exchange.TLSFailed
}

// noProtocol ends the alert of a server that speaks none of what ALPN offered
// (RFC 7301 §3.2), whose type crypto/tls keeps to itself.
const noProtocol = "no application protocol"

// refusalOfRead maps why no final answer could be read; begun tells whether
// bytes of one had arrived.
func refusalOfRead(err error, begun bool) *exchange.Refusal {
	var record stdtls.RecordHeaderError
	switch {
	case errors.Is(err, wire.ErrAbandoned):
		return exchange.ClientGone
	case errors.As(err, &record), isAlert(err):
		return exchange.TLSFailed
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		if begun {
			return exchange.TruncatedAnswer
		}
		return exchange.ConnectionClosed
	}
	return exchange.UpstreamReset
}

// refusalOfBody maps why the client's body could not be read.
func refusalOfBody(err error) *exchange.Refusal {
	var fault *wire.Fault
	switch {
	case errors.Is(err, exchange.ErrBodyTooLarge):
		return exchange.BodyTooLarge
	case errors.As(err, &fault):
		return exchange.OfStatus(fault.Status)
	case isTimeout(err):
		return exchange.RequestTimeout
	}
	return exchange.ClientGone
}

// isAlert tells whether an error is an alert of TLS, whose type crypto/tls
// keeps to itself. Under TLS 1.3 a server judges the client's certificate only
// after the handshake, so its alert comes in the answer's place.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error")
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		(errors.As(err, &timeout) && timeout.Timeout())
}

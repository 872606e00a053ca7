package upstream

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

func TestRefusalOfDial(t *testing.T) {
	f := func(inner error, want *exchange.Refusal) {
		t.Helper()
		err := &net.OpError{Op: "dial", Net: "tcp", Err: inner}
		if got := refusalOfDial(err); got != want {
			t.Fatalf("%v: got %s; want %s", err, got.Cause, want.Cause)
		}
	}
	call := func(errno syscall.Errno) error { return os.NewSyscallError("connect", errno) }
	f(call(syscall.ECONNREFUSED), exchange.ConnectionRefused)
	f(call(syscall.EHOSTUNREACH), exchange.Unreachable)
	f(call(syscall.ENETUNREACH), exchange.Unreachable)
	f(call(syscall.ENOENT), exchange.Unreachable)
	f(call(syscall.ETIMEDOUT), exchange.ConnectTimeout)
	f(call(syscall.EMFILE), exchange.Overloaded)
	f(call(syscall.ENFILE), exchange.Overloaded)
	f(call(syscall.EADDRNOTAVAIL), exchange.Overloaded)
	f(context.DeadlineExceeded, exchange.ConnectTimeout)
	f(os.ErrDeadlineExceeded, exchange.ConnectTimeout)
	f(&net.DNSError{Err: "no such host", Name: "a.example", IsNotFound: true}, exchange.NotResolved)
	f(&net.DNSError{Err: "timeout", Name: "a.example", IsTimeout: true}, exchange.NotResolved)
}

func TestRefusalOfRead(t *testing.T) {
	f := func(err error, begun bool, want *exchange.Refusal) {
		t.Helper()
		if got := refusalOfRead(err, begun); got != want {
			t.Fatalf("%v, begun %v: got %s; want %s", err, begun, got.Cause, want.Cause)
		}
	}
	f(io.EOF, false, exchange.ConnectionClosed)
	f(io.EOF, true, exchange.TruncatedAnswer)
	f(os.NewSyscallError("read", syscall.ECONNRESET), false, exchange.UpstreamReset)
	f(os.NewSyscallError("read", syscall.ECONNRESET), true, exchange.UpstreamReset)
	f(wire.ErrAbandoned, true, exchange.ClientGone)
	f(&net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")}, false, exchange.TLSFailed)
}

func TestFlags(t *testing.T) {
	c := Default()
	fs := flag.NewFlagSet("weir", flag.ContinueOnError)
	var help bytes.Buffer
	fs.SetOutput(&help)
	c.RegisterFlags(fs)
	fs.VisitAll(func(f *flag.Flag) {
		if !strings.HasPrefix(f.Name, "upstream.") || !strings.Contains(f.Usage, " 0 ") || !strings.HasSuffix(f.Usage, ".") {
			t.Errorf("-%s: got %q; want the group, a sentence and what 0 means", f.Name, f.Usage)
		}
	})
	if err := fs.Parse(nil); err != nil || c != Default() {
		t.Fatalf("got %+v, %v; want the defaults", c, err)
	}
	if err := fs.Parse([]string{"-upstream.maxConnections=7", "-upstream.idle=5s"}); err != nil || c.MaxConnections != 7 || c.IdleLifetime.Seconds() != 5 {
		t.Fatalf("got %+v, %v; want what was given", c, err)
	}
}

package upstream

import (
	"context"
	stdtls "crypto/tls"
	"net"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// dial opens a connection, TLS included, until the time given; zero is no limit.
func (t *Target) dial(until time.Time) (*conn, *exchange.Refusal, error) {
	ctx := context.Background()
	if !until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	var dialer net.Dialer
	nc, err := dialer.DialContext(ctx, t.network, t.address)
	if err != nil {
		return nil, refusalOfDial(err), err
	}
	c := &conn{target: t, sock: wire.NewSock(nc)}
	c.rw = c.sock
	if t.tls == nil {
		return c, nil, nil
	}
	by := int64(0)
	if !until.IsZero() {
		by = wire.At(until)
	}
	c.sock.ReadLimits(by, 0)
	c.sock.WriteLimits(by, 0)
	c.tls = stdtls.Client(c.sock, t.tls)
	c.rw = c.tls
	if err := c.tls.Handshake(); err != nil {
		_ = c.sock.Close()
		return nil, refusalOfHandshake(err), err
	}
	return c, nil, nil
}

package upstream

import (
	"context"
	stdtls "crypto/tls"
	"net"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// dial opens a connection, with TLS if there are settings for it, until the
// time given; zero is no limit.
func (t *Target) dial(until time.Time, settings *stdtls.Config) (*conn, *exchange.Refusal, error) {
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
	over := wire.NewConn(nc)
	c := &conn{target: t, wire: over, sock: &over.Sock}
	c.rw = c.sock
	if settings == nil {
		return c, nil, nil
	}
	by := int64(0)
	if !until.IsZero() {
		by = wire.At(until)
	}
	c.sock.ReadLimits(by, 0)
	c.sock.WriteLimits(by, 0)
	if err := over.HandshakeClient(settings); err != nil {
		_ = c.sock.Close()
		return nil, refusalOfHandshake(err), err
	}
	c.tls = over.TLS()
	c.rw = c.tls
	return c, nil, nil
}

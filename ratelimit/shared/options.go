package shared

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/redis/rueidis"
)

// dialing is the longest that a connection may take to be made.
const dialing = time.Second

// Options returns how weir connects to Redis, whatever it is for: nothing is tried
// twice and nothing waits long, for whether to ask again is not decided in
// rueidis; no answer that nobody has asked for reaches it; and every connection
// ends with until. Redis knows them by name.
func (c Config) Options(until context.Context, name string) rueidis.ClientOption {
	dialer := net.Dialer{Timeout: dialing, KeepAlive: time.Second}
	return rueidis.ClientOption{
		InitAddress: c.Addresses,
		Username:    c.Username,
		Password:    c.Password,
		TLSConfig:   c.TLS,
		ClientName:  name,
		Dialer:      dialer,
		DialCtxFn: func(ctx context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
			return dial(ctx, until, address, dialer, config)
		},
		ConnWriteTimeout:    dialing,
		DisableRetry:        true,
		DisableCache:        true,
		AlwaysPipelining:    true, // a late answer must not cost the connection
		PipelineMultiplex:   -1,
		ReadBufferEachConn:  64 << 10,
		WriteBufferEachConn: 64 << 10,
		Sentinel: rueidis.SentinelOption{
			MasterSet:               c.Sentinel,
			Username:                c.SentinelUsername,
			Password:                c.SentinelPassword,
			TLSConfig:               c.TLS,
			Dialer:                  dialer,
			TopologyRefreshInterval: time.Second,
		},
	}
}

// dial connects; the end of until cuts whatever it has connected.
func dial(ctx, until context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	if until.Err() != nil {
		return nil, errClosed
	}
	ctx, cancel := context.WithTimeout(ctx, dialing)
	defer cancel()
	defer context.AfterFunc(until, cancel)()
	var conn net.Conn
	var err error
	if config != nil {
		conn, err = (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", address)
	} else {
		conn, err = dialer.DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, err
	}
	return guard(until, conn), nil
}

package tls

import (
	"context"
	stdtls "crypto/tls"
	"fmt"
	"net"
	"testing"
)

// benchManager serves n names, the certificate of the first for all of them.
func benchManager(b testing.TB, n int, o order) *Manager {
	b.Helper()
	m := newManager(b, Config{NoWatch: true})
	for i := range n {
		o.names = append(o.names, fmt.Sprintf("host-%d.example", i))
	}
	c := o.make(b)
	domains := make(map[string]Domain, n)
	for _, name := range o.names {
		domains[name] = Domain{}
	}
	publish(b, m, Settings{Certificates: []Source{{Bundle: place(b, b.TempDir(), "a.pem", c.certPEM()+c.keyPEM(b))}}, Domains: domains})
	return m
}

// pipe returns two connected sockets of this machine.
func pipe(b *testing.B, l net.Listener) (client, server net.Conn) {
	b.Helper()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		b.Fatal(err)
	}
	return client, server
}

// BenchmarkHandshake counts both sides: client and server share the processor.
func BenchmarkHandshake(b *testing.B) {
	run := func(name string, o order, cache stdtls.ClientSessionCache, curves []stdtls.CurveID) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			m := benchManager(b, 1, o)
			config := m.ServerConfig([]string{"http/1.1"})
			c := &stdtls.Config{ServerName: "host-0.example", InsecureSkipVerify: true, ClientSessionCache: cache, CurvePreferences: curves}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			resumed := 0
			for b.Loop() {
				near, far := pipe(b, l)
				ended := make(chan error, 1)
				go func() {
					s := stdtls.Server(far, config)
					ctx := WithHandshake(context.Background())
					err := s.HandshakeContext(ctx)
					if err == nil {
						_ = SessionOf(ctx, s.ConnectionState())
						_, err = s.Write([]byte("!"))
					}
					ended <- err
				}()
				client := stdtls.Client(near, c)
				if _, err := client.Read(make([]byte, 1)); err != nil {
					b.Fatal(err)
				}
				if err := <-ended; err != nil {
					b.Fatal(err)
				}
				if client.ConnectionState().DidResume {
					resumed++
				}
				_, _ = near.Close(), far.Close()
			}
			if cache != nil && resumed < b.N-1 {
				b.Fatalf("got %d of %d resumed", resumed, b.N)
			}
		})
	}
	classic := []stdtls.CurveID{stdtls.X25519}
	run("full-ecdsa", order{}, nil, nil)
	run("full-ecdsa-x25519", order{}, nil, classic)
	run("full-rsa", order{rsa: true}, nil, nil)
	run("resumed", order{}, stdtls.NewLRUClientSessionCache(1), nil)
}

// helloFor returns what crypto/tls tells of a client's hello.
func helloFor(t testing.TB, name string) *stdtls.ClientHelloInfo {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	go func() {
		_ = stdtls.Client(near, &stdtls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}).Handshake()
	}()
	var kept *stdtls.ClientHelloInfo
	_ = stdtls.Server(far, &stdtls.Config{GetConfigForClient: func(hello *stdtls.ClientHelloInfo) (*stdtls.Config, error) {
		kept = hello
		return nil, net.ErrClosed
	}}).HandshakeContext(WithHandshake(t.Context()))
	_ = far.Close()
	if kept == nil {
		t.Fatal("got no hello")
	}
	return kept
}

// BenchmarkHello measures what weir adds to a handshake: choosing the
// configuration and the certificate among 10,000 names.
func BenchmarkHello(b *testing.B) {
	b.ReportAllocs()
	m := benchManager(b, 10_000, order{})
	set := m.protocols.of([]string{"h2", "http/1.1"}, false)
	hello := helloFor(b, "host-7777.example")
	for b.Loop() {
		config := m.answer(hello, set)
		if shown, err := config.GetCertificate(hello); shown == nil || err != nil {
			b.Fatal(err)
		}
	}
}

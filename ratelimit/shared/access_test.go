package shared

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/ratelimit/shared/redistest"
)

func TestPasswordsAndUsers(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--requirepass", "open sesame",
		"--user", "weir", "on", ">secret", "~weir:*", "+@read", "+@write", "+@connection", "+@scripting", "+time")
	allowed := func(user, password string) {
		t.Helper()
		config := patient(server.Address)
		config.Username, config.Password = user, password
		c := client(t, config)
		take(t, c, c.Limit("limit", rate(t, 1000, 1000), Exact, Closed), "one", 0)
		if _, err := c.Quota("quota", Allowance{Limit: 10}, Exact, Closed).Used([]byte("one"), time.Now()); err != nil {
			t.Error(err)
		}
	}
	allowed("", "open sesame")
	allowed("weir", "secret")
}

func TestWhatRedisRefusesIsAway(t *testing.T) {
	t.Parallel()
	f := func(name string, why string, config func(*testing.T) (Config, func())) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, end := config(t)
			var told notices
			config.Notify = told.notify
			c, err := New(config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			exact, fast := c.Limit("exact", rate(t, 1e5, 1e5), Exact, Open), c.Limit("fast", rate(t, 1e5, 1e5), Fast, Open)
			redistest.Await(t, 5*time.Second, why, func() bool {
				exact.Take([]byte("one"), c.Now(), 0)
				fast.Take([]byte("one"), c.Now(), 0)
				_, since, err := c.State()
				return err != nil && strings.Contains(err.Error(), why) && !since.IsZero()
			})
			redistest.Await(t, 5*time.Second, "the owner is told", func() bool { return told.String() == "[true]" })
			if end == nil {
				return
			}
			end()
			redistest.Await(t, 10*time.Second, "back", func() bool { return isBack(c) })
			redistest.Await(t, 10*time.Second, "a decision with Redis", func() bool {
				_, outcome := exact.Take([]byte("one"), c.Now(), 0)
				return outcome == Decided
			})
			redistest.Await(t, 5*time.Second, "the owner is told", func() bool { return strings.HasSuffix(told.String(), "false]") })
		})
	}
	f("wrong password", "WRONGPASS", func(t *testing.T) (Config, func()) {
		server := redistest.Start(t, "--requirepass", "right")
		return Config{Addresses: []string{server.Address}, Password: "wrong"}, nil
	})
	f("no password", "NOAUTH", func(t *testing.T) (Config, func()) {
		server := redistest.Start(t, "--requirepass", "right")
		return Config{Addresses: []string{server.Address}}, nil
	})
	f("no permission", "NOPERM", func(t *testing.T) (Config, func()) {
		server := redistest.Start(t, "--user", "weir", "on", ">secret", "~weir:*", "+@connection", "+cluster")
		return Config{Addresses: []string{server.Address}, Username: "weir", Password: "secret"}, func() {
			// The owner of Redis allows what was missing.
			server.Must("ACL", "SETUSER", "weir", "+@all")
		}
	})
	f("nobody listens", "refused", func(t *testing.T) (Config, func()) {
		server := redistest.Start(t)
		server.Kill()
		return Config{Addresses: []string{server.Address}}, server.Restart
	})
	f("frozen from the beginning", "no answer of Redis in time", func(t *testing.T) (Config, func()) {
		server := redistest.Start(t)
		server.Freeze()
		return Config{Addresses: []string{server.Address}}, server.Thaw
	})
	f("a replica", "READONLY", func(t *testing.T) (Config, func()) {
		master := redistest.Start(t)
		replica := redistest.Start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(master.Port))
		return Config{Addresses: []string{replica.Address}}, func() { replica.Must("REPLICAOF", "NO", "ONE") }
	})
	f("no memory", "OOM", func(t *testing.T) (Config, func()) {
		server := redistest.Start(t, "--maxmemory", "1")
		return Config{Addresses: []string{server.Address}}, func() { server.Must("CONFIG", "SET", "maxmemory", "0") }
	})
	f("many servers without a Cluster", "cluster support disabled", func(t *testing.T) (Config, func()) {
		return Config{Addresses: []string{redistest.Start(t).Address, redistest.Start(t).Address}}, nil
	})
	f("TLS to a server without", "first record does not look like a TLS handshake", func(t *testing.T) (Config, func()) {
		server := answering(t, "-ERR what is this\r\n")
		return Config{Addresses: []string{server}, TLS: &tls.Config{InsecureSkipVerify: true}}, nil
	})
	f("answers that nobody asked for", "nobody has asked", func(t *testing.T) (Config, func()) {
		hello := "%1\r\n$5\r\nproto\r\n:3\r\n"
		return Config{Addresses: []string{answering(t, hello+strings.Repeat("+OK\r\n", 10))}}, nil
	})
	f("a length below nothing", "no number", func(t *testing.T) (Config, func()) {
		return Config{Addresses: []string{answering(t, "$-7\r\n")}}, nil
	})
	f("an HTTP server", "unknown message type", func(t *testing.T) (Config, func()) {
		return Config{Addresses: []string{answering(t, "HTTP/1.1 400 Bad Request\r\n\r\n")}}, nil
	})
}

// answering returns the address of a server that says one thing on each connection.
func answering(t *testing.T, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1))
			_, _ = conn.Write([]byte(text))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	roots := certificate(t, dir)
	cert := filepath.Join(dir, "cert.pem")
	server := redistest.Start(t, "--tls-port", "0", "--tls-cert-file", cert, "--tls-key-file", filepath.Join(dir, "key.pem"),
		"--tls-ca-cert-file", cert, "--tls-auth-clients", "no")
	port := server.OpenTLS()
	config := patient(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	config.TLS = &tls.Config{RootCAs: roots}
	c := client(t, config)
	take(t, c, c.Limit("limit", rate(t, 1000, 1000), Exact, Closed), "one", 0)
}

// certificate writes cert.pem and key.pem for 127.0.0.1 into dir.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return roots
}

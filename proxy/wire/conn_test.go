package wire

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// lentBuffer counts how often its buffer is out.
type lentBuffer struct {
	buf       [2 << 10]byte
	lent      int
	takenBack chan struct{}
}

func (l *lentBuffer) Lend() []byte {
	l.lent++
	return l.buf[:]
}

func (l *lentBuffer) TakeBack() {
	select {
	case l.takenBack <- struct{}{}:
	default:
	}
}

// tlsPair returns a connection over TLS and the client's side of it.
func tlsPair(t *testing.T) (*Conn, *tls.Conn) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := NewConn(near)
	client := tls.Client(far, &tls.Config{InsecureSkipVerify: true})
	done := make(chan error, 1)
	go func() { done <- client.Handshake() }()
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	if err := c.Handshake(t.Context(), config, nil); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		_ = client.Close()
	})
	return c, client
}

func TestConnLendsOnlyWhileBytesAreThere(t *testing.T) {
	c, client := tlsPair(t)
	lender := &lentBuffer{takenBack: make(chan struct{}, 1)}
	sent := make(chan error, 1)
	go func() {
		<-lender.takenBack // nothing was there
		_, err := client.Write([]byte("first"))
		sent <- err
	}()
	n, err := c.ReadLent(lender)
	if err != nil || string(lender.buf[:n]) != "first" {
		t.Fatalf("got %q, %v; want the bytes", lender.buf[:n], err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	// Two records that arrive together are read one after the other, without a wait.
	_, _ = client.Write([]byte("one"))
	_, _ = client.Write([]byte("two"))
	long := strings.Repeat("long", 300) // more than where it waits
	_, _ = client.Write([]byte(long))
	for _, want := range []string{"one", "two", long} {
		if n, err := c.ReadLent(lender); err != nil || string(lender.buf[:n]) != want {
			t.Fatalf("got %q, %v; want %q", lender.buf[:n], err, want)
		}
	}
}

func TestConnEndsWaits(t *testing.T) {
	c, client := tlsPair(t)
	lender := &lentBuffer{takenBack: make(chan struct{}, 1)}
	c.ReadLimits(0, 20*time.Millisecond)
	if _, err := c.ReadLent(lender); !errors.Is(err, ErrTimeout) {
		t.Fatalf("got %v; want a timeout", err)
	}
	c.ReadLimits(0, 0)
	<-lender.takenBack
	go func() {
		<-lender.takenBack
		c.Interrupt()
	}()
	if _, err := c.ReadLent(lender); !errors.Is(err, ErrInterrupted) {
		t.Fatalf("got %v; want an interruption", err)
	}
	// TLS goes on after both.
	c.Resume()
	if _, err := client.Write([]byte("after")); err != nil {
		t.Fatal(err)
	}
	if n, err := c.ReadLent(lender); err != nil || string(lender.buf[:n]) != "after" {
		t.Fatalf("got %q, %v; want the bytes", lender.buf[:n], err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadLent(lender); err != io.EOF {
		t.Fatalf("got %v; want the end", err)
	}
}

func TestConnWritesLargeOverTLS(t *testing.T) {
	c, client := tlsPair(t)
	f := func(before, content, after int) {
		t.Helper()
		a, b, e := bytes.Repeat([]byte("h"), before), bytes.Repeat([]byte("c"), content), bytes.Repeat([]byte("e"), after)
		want := slices.Concat(a, b, e)
		got := make(chan []byte, 1)
		go func() {
			buf := make([]byte, len(want))
			_, _ = io.ReadFull(client, buf)
			got <- buf
		}()
		if n, err := c.WriteParts(a, b, e); err != nil || n != len(want) {
			t.Fatalf("got %d, %v; want %d bytes written", n, err, len(want))
		}
		if !bytes.Equal(<-got, want) {
			t.Fatalf("%d, %d and %d bytes did not arrive as they were sent", before, content, after)
		}
	}
	f(10, 5, 0)
	f(10, 5, 2)
	f(0, 5, 7)
	f(100, 16<<10, 7)
	f(20, 16<<10-20, 2)
	f(20<<10, 3, 0)
	f(300, 200<<10, 7)
}

func TestConnEndTellsClient(t *testing.T) {
	c, client := tlsPair(t)
	c.End()
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("got %v; want the orderly end that TLS tells", err)
	}
}

func TestConnWritesSomeWithoutWaiting(t *testing.T) {
	f := func(name string, c *Conn, far net.Conn) {
		t.Helper()
		piece := bytes.Repeat([]byte("0123456789abcdef"), SomeMost/16)
		var spill, rest []byte
		pieces := 0
		for len(rest) == 0 && pieces < 10_000 {
			var err error
			if rest, err = c.WriteSome(piece, &spill); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			pieces++
		}
		if len(rest) == 0 {
			t.Fatalf("%s: got nothing left of what nobody reads", name)
		}
		done := make(chan error, 1)
		go func() { done <- c.WriteRest(rest) }()
		got := make([]byte, len(piece))
		for range pieces {
			if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, piece) {
				t.Fatalf("%s: got other bytes than were written (%v)", name, err)
			}
		}
		if err := <-done; err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	c, client := tlsPair(t)
	f("TLS", c, client)

	sock, far := pair(t)
	f("clear", NewConn(sock.Conn()), far)
}

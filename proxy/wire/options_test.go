package wire

import (
	"errors"
	"net"
	"testing"
	"time"
)

func TestConnectionOptions(t *testing.T) {
	f := func(fields string, connection, close, keepAlive bool) {
		t.Helper()
		var h Head
		done, fault := h.ScanResponse([]byte("HTTP/1.1 200 OK\r\n"+fields+"\r\n"), &Limits{})
		if !done || fault != nil {
			t.Fatalf("%q: got %v, %v; want a whole head", fields, done, fault)
		}
		if h.Connection != connection || h.Close != close || h.KeepAlive != keepAlive {
			t.Fatalf("%q: got connection %v, close %v, keep-alive %v", fields, h.Connection, h.Close, h.KeepAlive)
		}
	}
	f("", false, false, false)
	f("X-Connection: close\r\n", false, false, false)
	f("Connection: close\r\n", true, true, false)
	f("connection:CLOSE\r\n", true, true, false)
	f("Connection: keep-alive\r\n", true, false, true)
	f("Connection: foo , Keep-Alive,\r\n", true, false, true)
	f("Connection: closed\r\n", true, false, false)
	f("Connection:\r\n", true, false, false)
	f("Connection: x\r\nConnection: y, close\r\n", true, true, false)
	f("Keep-Alive: timeout=5\r\n", true, false, false)
	f("Proxy-Connection: close\r\n", true, false, false)
	f("Upgrade: h2c\r\n", false, false, false)
}

func TestNoWait(t *testing.T) {
	f := func(near, far net.Conn) {
		t.Helper()
		defer near.Close()
		defer far.Close()
		s := NewSock(near)
		s.ReadLimits(0, 10*time.Second)
		buf := make([]byte, 4)
		s.NoWait(true)
		if n, err := s.Read(buf); n != 0 || !errors.Is(err, ErrTimeout) {
			t.Fatalf("got %d, %v; want a timeout at once", n, err)
		}
		s.NoWait(false)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			_, _ = far.Write([]byte("late"))
		}()
		if n, err := s.Read(buf); n != 4 || err != nil {
			t.Fatalf("got %d, %v; want to wait for the bytes again", n, err)
		}
		<-sent
	}
	near, far := net.Pipe()
	f(near, far)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	f(near, far)
}

func TestAt(t *testing.T) {
	now := Now()
	if got := At(Time(now).Add(time.Second)); got != now+int64(time.Second) {
		t.Fatalf("got %d; want %d", got, now+int64(time.Second))
	}
	if got := At(Time(now).Add(-time.Hour)); got <= 0 {
		t.Fatalf("got %d for a time before the process began; want it positive, for 0 is no limit", got)
	}
}

package wire

import (
	"io"
	"net"
	"testing"
	"time"
)

// bridge starts a tunnel between two pairs and returns the far ends and what
// the tunnel returns in the end.
func bridge(t *testing.T, early string, idle, total time.Duration) (a, b *net.TCPConn, ended <-chan [2]int64) {
	t.Helper()
	nearA, a := pair(t)
	nearB, b := pair(t)
	done := make(chan [2]int64, 1)
	go func() {
		fromA, fromB := Tunnel(Side{Sock: nearA, Early: []byte(early)}, Side{Sock: nearB}, idle, total)
		done <- [2]int64{fromA, fromB}
		_ = nearA.Close()
		_ = nearB.Close()
	}()
	return a, b, done
}

func reads(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}

func ends(t *testing.T, ch <-chan [2]int64, want [2]int64) {
	t.Helper()
	select {
	case got := <-ch:
		if got != want {
			t.Fatalf("moved: got %d; want %d", got, want)
		}
	case <-time.After(patient):
		t.Fatal("the tunnel did not end")
	}
}

func TestTunnelMovesBothWaysAndHalfCloses(t *testing.T) {
	a, b, ended := bridge(t, "early ", time.Hour, time.Hour)
	_, _ = a.Write([]byte("late"))
	reads(t, b, "early late")
	_, _ = b.Write([]byte("back"))
	reads(t, a, "back")
	_ = a.CloseWrite()
	if _, err := b.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("behind the end of one side: got %v; want EOF", err)
	}
	_, _ = b.Write([]byte("still"))
	reads(t, a, "still")
	_ = b.Close()
	if _, err := a.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("behind the end of both sides: got %v; want EOF", err)
	}
	ends(t, ended, [2]int64{10, 9})
}

func TestTunnelMovesMuch(t *testing.T) {
	a, b, ended := bridge(t, "", 0, 0)
	const n = 5 << 20
	go func() {
		_, _ = io.CopyN(a, zeros{}, n)
		_ = a.CloseWrite()
	}()
	if got, err := io.Copy(io.Discard, b); got != n || err != nil {
		t.Fatalf("got %d, %v; want %d", got, err, n)
	}
	_ = b.Close()
	ends(t, ended, [2]int64{n, 0})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestTunnelLimits(t *testing.T) {
	f := func(idle, total, least, most time.Duration, busy bool) {
		t.Helper()
		begun := time.Now()
		a, b, ended := bridge(t, "", idle, total)
		talk := time.NewTicker(10 * time.Millisecond)
		defer talk.Stop()
		go func() { _, _ = io.Copy(io.Discard, b) }()
		for {
			select {
			case <-ended:
				took(t, begun, least, most)
				return
			case <-talk.C:
				if busy {
					_, _ = a.Write([]byte("x"))
				}
			}
		}
	}
	const short = 80 * time.Millisecond
	f(short, 0, short, 2*short, false)
	f(0, short, short, short, false)
	f(5*short, 8*short, 8*short, 8*short, true) // bytes hold off one limit, not the other
	f(0, short, short, short, true)
}

func TestTunnelIsCut(t *testing.T) {
	a, b, ended := bridge(t, "", 0, 0)
	_, _ = a.Write([]byte("x"))
	reads(t, b, "x")
	_ = a.SetLinger(0)
	_ = a.Close()
	if _, err := b.Read(make([]byte, 1)); err == nil {
		t.Fatal("after a reset of the other side: got a byte; want an end")
	}
	ends(t, ended, [2]int64{1, 0})
}

package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// patient bounds how long a test waits for what must happen.
const patient = 5 * time.Second

// pair returns a Sock and the other end of its connection.
func pair(t testing.TB) (*Sock, *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	far, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s := NewSock(near)
	t.Cleanup(func() {
		_ = s.Close()
		_ = far.Close()
	})
	_ = far.SetDeadline(time.Now().Add(patient))
	return s, far.(*net.TCPConn)
}

// took fails the test unless the time since begun is in the range; the upper
// end has room for a busy machine.
func took(t *testing.T, begun time.Time, least, most time.Duration) {
	t.Helper()
	if d := time.Since(begun); d < least-10*time.Millisecond || d > most+time.Second {
		t.Fatalf("took %s; want from %s to %s", d, least, most)
	}
}

func readOne(s *Sock) error {
	_, err := s.Read(make([]byte, 8))
	return err
}

func TestReadLimits(t *testing.T) {
	f := func(by, idle, want time.Duration) {
		t.Helper()
		s, _ := pair(t)
		begun := time.Now()
		at := int64(0)
		if by > 0 {
			at = Now() + int64(by)
		}
		s.ReadLimits(at, idle)
		if err := readOne(s); err != ErrTimeout {
			t.Fatalf("by %s, idle %s: got %v; want %v", by, idle, err, ErrTimeout)
		}
		took(t, begun, want, want)
	}
	const short, long = 30 * time.Millisecond, time.Hour
	f(short, 0, short)
	f(0, short, short)
	f(long, short, short)
	f(short, long, short)
	f(tick+short, 0, tick+short) // more than one tick
}

// A limit in the past forbids waiting, not reading.
func TestReadOfWhatIsThereAfterTheLimit(t *testing.T) {
	s, far := pair(t)
	s.ReadLimits(Now()+int64(20*time.Millisecond), 0)
	if err := readOne(s); err != ErrTimeout {
		t.Fatalf("got %v; want %v", err, ErrTimeout)
	}
	s.ReadLimits(0, 0)
	_, _ = far.Write([]byte("x"))
	if err := readOne(s); err != nil {
		t.Fatalf("after the limit was lifted: got %v; want a byte", err)
	}
}

func TestReadKinds(t *testing.T) {
	s, far := pair(t)
	if n, err := s.Read(nil); n != 0 || err != nil {
		t.Fatalf("into nothing: got %d, %v; want 0", n, err)
	}
	_, _ = far.Write([]byte("abc"))
	for begun := time.Now(); s.Pristine(); runtime.Gosched() {
		if time.Since(begun) > patient {
			t.Fatal("with bytes to read: got Pristine; want that it is not")
		}
	}
	if s.Gone() {
		t.Fatal("with bytes to read: got Gone; want neither")
	}
	p := make([]byte, 8)
	if n, err := s.Read(p); string(p[:n]) != "abc" || err != nil {
		t.Fatalf("got %q, %v; want abc", p[:n], err)
	}
	if !s.Pristine() || s.Gone() {
		t.Fatal("with nothing to read: got not Pristine or Gone; want Pristine")
	}
	_ = far.CloseWrite()
	if err := readOne(s); err != io.EOF {
		t.Fatalf("after the end: got %v; want EOF", err)
	}
	if s.Pristine() || !s.Gone() {
		t.Fatal("after the end: got Pristine or not Gone; want Gone")
	}
}

// readLent is a ReadLent of which only the error matters.
func readLent(s *Sock) error {
	_, err := s.ReadLent(&lent{})
	return err
}

func TestReadLentLimitsAndInterrupt(t *testing.T) {
	s, far := pair(t)
	s.ReadLimits(0, 30*time.Millisecond)
	begun := time.Now()
	if err := readLent(s); err != ErrTimeout {
		t.Fatalf("got %v; want %v", err, ErrTimeout)
	}
	took(t, begun, 30*time.Millisecond, 30*time.Millisecond)
	s.ReadLimits(0, 0)
	ended := make(chan error)
	go func() { ended <- readLent(s) }()
	s.Interrupt()
	if err := <-ended; err != ErrInterrupted {
		t.Fatalf("got %v; want %v", err, ErrInterrupted)
	}
	if err := readOne(s); err != ErrInterrupted {
		t.Fatalf("a later read: got %v; want %v", err, ErrInterrupted)
	}
	s.Resume()
	_, _ = far.Write([]byte("x"))
	if err := readOne(s); err != nil {
		t.Fatalf("after Resume: got %v; want a byte", err)
	}
	go func() { ended <- readOne(s) }()
	s.Interrupt()
	if err := <-ended; err != ErrInterrupted {
		t.Fatalf("a read under way: got %v; want %v", err, ErrInterrupted)
	}
}

func TestReadsThatMayNotWait(t *testing.T) {
	s, far := pair(t)
	s.NoWait(true)
	begun := time.Now()
	if err := readOne(s); err != ErrTimeout {
		t.Fatalf("got %v; want %v at once", err, ErrTimeout)
	}
	took(t, begun, 0, 0)
	s.NoWait(false)
	_, _ = far.Write([]byte("x"))
	if err := readOne(s); err != nil {
		t.Fatalf("a read that may wait: got %v; want a byte", err)
	}
	s.NoWait(true)
	_, _ = far.Write([]byte("x"))
	for begun := time.Now(); s.Pristine(); {
		if time.Since(begun) > patient {
			t.Fatal("the byte did not arrive")
		}
	}
	if err := readOne(s); err != nil {
		t.Fatalf("with a byte there: got %v; want it", err)
	}
}

// afterTick brings s to where a deadline that an earlier wait has armed has
// fired while nobody read.
func afterTick(t *testing.T, s *Sock, far *net.TCPConn) {
	t.Helper()
	read := make(chan error)
	go func() { read <- readOne(s) }()
	waiting := time.NewTimer(20 * time.Millisecond) // most likely it waits by then; the test holds in any case
	<-waiting.C
	_, _ = far.Write([]byte("x"))
	if err := <-read; err != nil {
		t.Fatalf("got %v; want a byte", err)
	}
	fired := time.NewTimer(tick + 20*time.Millisecond)
	<-fired.C
}

// lent is a Lender that counts what it lends.
type lent struct {
	buf       [8]byte
	out, most int
}

func (l *lent) Lend() []byte {
	l.out++
	l.most = max(l.most, l.out)
	return l.buf[:]
}
func (l *lent) TakeBack() { l.out-- }

func TestReadsAfterAnOldDeadlineHasFired(t *testing.T) {
	f := func(name string, read func(*Sock) error) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, far := pair(t)
			afterTick(t, s, far)
			ended := make(chan error, 1)
			_, _ = far.Write([]byte("x"))
			go func() { ended <- read(s) }()
			select {
			case err := <-ended:
				if err != nil {
					t.Fatalf("got %v; want the byte that is there", err)
				}
			case <-time.After(patient):
				t.Fatal("got nothing; want the byte that is there")
			}
		})
	}
	f("Read", readOne)
	f("ReadLent", readLent)
	f("NoWait", func(s *Sock) error {
		s.NoWait(true)
		return readOne(s)
	})
}

func TestReadLentHoldsNothingWhileItWaits(t *testing.T) {
	s, far := pair(t)
	l := &lent{}
	ended := make(chan error)
	s.ReadLimits(0, 30*time.Millisecond)
	if _, err := s.ReadLent(l); err != ErrTimeout || l.out != 0 {
		t.Fatalf("got %v with %d lent; want %v with none", err, l.out, ErrTimeout)
	}
	s.ReadLimits(0, 0)
	go func() {
		_, err := s.ReadLent(l)
		ended <- err
	}()
	_, _ = far.Write([]byte("x"))
	if err := <-ended; err != nil || l.out != 1 || l.buf[0] != 'x' {
		t.Fatalf("got %v with %d lent, %q; want the byte in the one lent", err, l.out, l.buf[:1])
	}
	go func() {
		_, err := s.ReadLent(l)
		ended <- err
	}()
	s.Interrupt()
	if err := <-ended; err != ErrInterrupted {
		t.Fatalf("got %v; want %v", err, ErrInterrupted)
	}
}

// peer is a Watcher.
type peer struct{ gone atomic.Bool }

func (p *peer) Gone() bool { return p.gone.Load() }

func TestWatch(t *testing.T) {
	s, _ := pair(t)
	p := &peer{}
	s.Watch(p)
	s.ReadLimits(0, time.Hour)
	ended := make(chan error)
	go func() { ended <- readOne(s) }()
	begun := time.Now()
	p.gone.Store(true)
	if err := <-ended; err != ErrAbandoned {
		t.Fatalf("got %v; want %v", err, ErrAbandoned)
	}
	took(t, begun, 0, time.Second)
	s.Watch(nil)
	s.ReadLimits(0, 20*time.Millisecond)
	if err := readOne(s); err != ErrTimeout {
		t.Fatalf("when nobody is watched: got %v; want %v", err, ErrTimeout)
	}
}

// Gone of a real peer, watched by the read of another socket.
func TestWatchAnotherSock(t *testing.T) {
	client, clientFar := pair(t)
	upstream, _ := pair(t)
	upstream.Watch(client)
	ended := make(chan error)
	go func() { ended <- readOne(upstream) }()
	begun := time.Now()
	_ = clientFar.Close()
	if err := <-ended; err != ErrAbandoned {
		t.Fatalf("got %v; want %v", err, ErrAbandoned)
	}
	took(t, begun, 0, time.Second)
}

// A reader that is slow but reads is waited for: the limit is of one wait, and
// the whole takes longer.
func TestWriteToASlowReader(t *testing.T) {
	t.Parallel()
	s, far := pair(t)
	const idle, pace, step = time.Second, 20 * time.Millisecond, 64 << 10
	_ = far.SetReadBuffer(step)
	_ = s.Conn().(*net.TCPConn).SetWriteBuffer(step)
	_ = far.SetDeadline(time.Now().Add(4 * patient))
	s.WriteLimits(0, idle)
	want := bytes.Repeat([]byte("0123456789abcdef"), 70*step/16)
	written := make(chan error, 1)
	begun := time.Now()
	go func() {
		_, err := s.Write(want)
		_ = s.CloseWrite()
		written <- err
	}()
	var got bytes.Buffer
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for range ticker.C {
		if _, err := io.CopyN(&got, far, step); err != nil {
			break
		}
	}
	if err := <-written; err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Fatalf("got %d bytes, %v; want the %d that were written", got.Len(), err, len(want))
	}
	if d := time.Since(begun); d < idle {
		t.Fatalf("took %s; want longer than the limit of one wait, or nothing is shown", d)
	}
}

func TestWritePartsToAnybody(t *testing.T) {
	f := func(name string, c *Conn, far net.Conn, before, content, after int) {
		t.Helper()
		want := slices.Concat(bytes.Repeat([]byte("b"), before), bytes.Repeat([]byte("c"), content), bytes.Repeat([]byte("a"), after))
		got := make(chan []byte, 1)
		go func() {
			buf := make([]byte, len(want))
			_, _ = io.ReadFull(far, buf)
			got <- buf
		}()
		n, err := c.WriteParts(want[:before], want[before:before+content], want[before+content:])
		if err != nil || n != len(want) {
			t.Fatalf("%s: got %d, %v; want %d bytes written", name, n, err, len(want))
		}
		if !bytes.Equal(<-got, want) {
			t.Fatalf("%s: %d, %d and %d bytes did not arrive as they were sent", name, before, content, after)
		}
	}
	sock, far := pair(t)
	near, other := net.Pipe()
	t.Cleanup(func() { _, _ = near.Close(), other.Close() })
	over := NewConn(sock.Conn())
	for _, sizes := range [][3]int{{1, 1, 0}, {100, 9000, 2}, {0, 5000, 2}, {100, 0, 7}, {0, 0, 3}, {300, 8 << 20, 7}} {
		f("clear", over, far, sizes[0], sizes[1], sizes[2])
		f("in memory", NewConn(near), other, sizes[0], sizes[1], sizes[2])
	}
}

func TestWriteToNobody(t *testing.T) {
	f := func(by, idle time.Duration) {
		t.Helper()
		s, far := pair(t)
		_ = far.SetReadBuffer(4 << 10)
		_ = s.Conn().(*net.TCPConn).SetWriteBuffer(4 << 10)
		at := int64(0)
		if by > 0 {
			at = Now() + int64(by)
		}
		s.WriteLimits(at, idle)
		begun := time.Now()
		n, err := s.Write(make([]byte, 16<<20))
		if err != ErrTimeout || n == 0 || n == 16<<20 {
			t.Fatalf("by %s, idle %s: got %d, %v; want a part and %v", by, idle, n, err, ErrTimeout)
		}
		took(t, begun, 50*time.Millisecond, 50*time.Millisecond)
	}
	f(50*time.Millisecond, 0)
	f(0, 50*time.Millisecond)
	f(50*time.Millisecond, time.Hour)
}

func TestCloseAndAbort(t *testing.T) {
	s, far := pair(t)
	ended := make(chan error)
	go func() { ended <- readOne(s) }()
	_ = s.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Fatalf("a read under way: got %v; want %v", err, net.ErrClosed)
	}
	if _, err := far.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("the other side of Close: got %v; want EOF", err)
	}
	s, far = pair(t)
	_ = s.Abort()
	if _, err := far.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Fatalf("the other side of Abort: got %v; want a reset", err)
	}
}

// Deadlines of net.Conn are limits of the Sock.
func TestNetConnDeadlines(t *testing.T) {
	s, _ := pair(t)
	_ = s.SetDeadline(time.Now().Add(-time.Second))
	if err := readOne(s); err != ErrTimeout {
		t.Fatalf("got %v; want %v", err, ErrTimeout)
	}
	var timeout net.Error
	if !errors.As(error(ErrTimeout), &timeout) || !timeout.Timeout() {
		t.Fatal("ErrTimeout: got no timeout of net; want one, for TLS")
	}
}

// Limits and watching cost no goroutine.
func TestSockStartsNoGoroutine(t *testing.T) {
	s, far := pair(t)
	s.ReadLimits(0, time.Hour)
	s.WriteLimits(0, time.Hour)
	s.Watch(&peer{})
	before := runtime.NumGoroutine()
	for range 100 {
		_, _ = far.Write([]byte("x"))
		if err := readOne(s); err != nil {
			t.Fatal(err)
		}
		_, _ = s.Write([]byte("y"))
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Fatalf("got %d goroutines; want %d as before", after, before)
	}
}

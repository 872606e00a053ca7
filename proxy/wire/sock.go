package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// tick is the longest that a socket waits without looking up: a wait is cut
// into ticks, and after each the limits and the watched peer are checked. So
// one kernel deadline serves many reads, and a client that vanished while its
// upstream keeps silent is noticed within a second.
const tick = 500 * time.Millisecond

var (
	// ErrTimeout says that a limit of the Sock passed.
	ErrTimeout = &timeoutError{}
	// ErrAbandoned says that the watched peer is gone, so nobody needs the bytes.
	ErrAbandoned = errors.New("the other side of the exchange is gone")
	// ErrInterrupted says that Interrupt was called. TLS takes it for passing.
	ErrInterrupted error = &interruption{}
)

type interruption struct{}

func (*interruption) Error() string   { return "interrupted" }
func (*interruption) Timeout() bool   { return false }
func (*interruption) Temporary() bool { return true }

type timeoutError struct{}

func (*timeoutError) Error() string   { return "time limit passed" }
func (*timeoutError) Timeout() bool   { return true }
func (*timeoutError) Temporary() bool { return true }

// Watcher tells whether somebody still wants what a Sock waits for.
type Watcher interface{ Gone() bool }

// Sock is one stream socket with cheap deadlines. It is a net.Conn, so that
// TLS can run over it. One goroutine may read while another writes; Gone,
// Pristine, Interrupt and Close may be called by anybody at any time.
type Sock struct {
	nc  net.Conn
	raw syscall.RawConn // nil: no descriptor (in-memory connections, other systems)

	in, out     wait
	parts       parts // of the WriteParts under way
	watch       Watcher
	noWait      bool // reads
	noWaitOut   bool // writes
	patient     bool // reads do not tick
	interrupted atomic.Bool

	lender  Lender // of the ReadLent under way
	yielded int64  // value of polled when the socket last gave way

	cork []byte // gathers what is written, nil for none

	readFn, writeFn func(fd uintptr) bool
	lentFn, partsFn func(fd uintptr) bool
	pollFn, peekFn  func(fd uintptr)
	polled, peeked  atomic.Int32
}

// wait is one direction of a Sock.
type wait struct {
	by    int64 // absolute limit, 0 = none
	idle  int64 // limit of one wait, 0 = none
	armed int64 // when the socket's own deadline fires, 0 = not armed
	until int64 // limit of the wait under way

	parked bool // an attempt found nothing, and the poller was asked

	buf  []byte
	done int
	err  error
}

// NewSock takes over nc. The zero limits mean that reads and writes wait for ever.
func NewSock(nc net.Conn) *Sock {
	s := &Sock{nc: nc}
	s.openRaw()
	return s
}

// Conn returns the connection below, for what only it can do (splice, addresses).
func (s *Sock) Conn() net.Conn { return s.nc }

// ReadLimits sets until when reads may wait at all (by, on the clock of Now)
// and how long a single wait may last (idle). Zero means no limit.
func (s *Sock) ReadLimits(by int64, idle time.Duration) { s.in.by, s.in.idle = by, int64(idle) }

// WriteLimits is ReadLimits for writes; progress restarts idle.
func (s *Sock) WriteLimits(by int64, idle time.Duration) { s.out.by, s.out.idle = by, int64(idle) }

// Watch makes reads end with ErrAbandoned once w is gone. Nil stops watching.
func (s *Sock) Watch(w Watcher) { s.watch = w }

// NoWait makes reads that would have to wait end with ErrTimeout at once.
func (s *Sock) NoWait(on bool) { s.noWait = on }

// Interrupt makes the read under way, and all later ones, end with ErrInterrupted.
func (s *Sock) Interrupt() {
	s.interrupted.Store(true)
	_ = s.nc.SetReadDeadline(epoch)
}

// Wake makes the read under way look whether its watched peer is gone, without
// waiting for the next tick.
func (s *Sock) Wake() { _ = s.nc.SetReadDeadline(epoch) }

// Resume ends the effect of Interrupt. The reading goroutine must have returned.
func (s *Sock) Resume() {
	s.interrupted.Store(false)
	s.in.armed = 0
	_ = s.nc.SetReadDeadline(time.Time{})
}

// Read implements io.Reader within the limits of the Sock.
func (s *Sock) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.in.until = 0
	for {
		n, err := s.readOnce(p)
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if s.patient {
			err = s.overslept(err)
		} else {
			err = s.lookUp()
		}
		if err != nil {
			return 0, err
		}
	}
}

// lookUp runs when a tick of a read has passed.
func (s *Sock) lookUp() error {
	if s.interrupted.Load() {
		return ErrInterrupted
	}
	if s.noWait {
		s.in.armed = 0
		if s.raw == nil {
			return ErrTimeout
		}
		// A deadline has fired that an earlier wait had armed; it would hide
		// what is there to be read.
		return s.nc.SetReadDeadline(time.Time{})
	}
	now := Now()
	if s.in.until == 0 {
		s.in.begin(now)
	}
	if now >= s.in.until {
		return ErrTimeout
	}
	if s.watch != nil && s.watch.Gone() {
		return ErrAbandoned
	}
	s.in.armed = 0
	s.armRead(now)
	if s.interrupted.Load() {
		return ErrInterrupted
	}
	return nil
}

// Write implements io.Writer within the limits of the Sock: all of p is
// written unless an error is returned.
func (s *Sock) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if s.cork != nil {
		return s.gather(p)
	}
	s.out.until = 0
	total := 0
	for {
		n, err := s.writeOnce(p[total:])
		total += n
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return total, err
		}
		now := Now()
		if n > 0 || s.out.until == 0 {
			s.out.begin(now)
		}
		if now >= s.out.until {
			return total, ErrTimeout
		}
		s.out.armed = 0
		s.armWrite(now)
	}
}

// gather keeps p for a send together with what follows.
func (s *Sock) gather(p []byte) (int, error) {
	s.cork = append(s.cork, p...)
	if len(s.cork) < corkMost {
		return len(p), nil
	}
	return len(p), s.uncork()
}

// uncork sends what was gathered, and leaves the cork in place.
func (s *Sock) uncork() error {
	gathered := s.cork
	s.cork = nil
	_, err := s.Write(gathered)
	s.cork = gathered[:0]
	return err
}

// WriteParts writes content and what stands before and after it, in one call to
// the kernel where it can. Any of them may be empty.
func (s *Sock) WriteParts(before, content, after []byte) (int, error) {
	n, err := s.writePartsOnce(before, content, after)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	for _, p := range [3][]byte{before, content, after} {
		skip := min(n, len(p))
		n -= skip
		if _, err := s.Write(p[skip:]); err != nil {
			return 0, err
		}
	}
	return len(before) + len(content) + len(after), nil
}

const never = int64(1) << 62

// begin fixes the limit of the wait that starts now.
func (w *wait) begin(now int64) {
	w.until = never
	if w.by != 0 {
		w.until = w.by
	}
	if w.idle != 0 && now+w.idle < w.until {
		w.until = now + w.idle
	}
}

// next returns when the deadline must fire, or 0 if the armed one will do.
func (w *wait) next(now int64) int64 {
	if w.until == 0 {
		w.begin(now)
	}
	if w.armed > now && w.armed <= w.until {
		return 0
	}
	w.armed = min(now+int64(tick), w.until)
	return w.armed
}

func (s *Sock) armRead(now int64) {
	if s.patient {
		s.armLong(now)
		return
	}
	if at := s.in.next(now); at != 0 {
		_ = s.nc.SetReadDeadline(Time(at))
	}
}

func (s *Sock) armWrite(now int64) {
	if at := s.out.next(now); at != 0 {
		_ = s.nc.SetWriteDeadline(Time(at))
	}
}

// plainRead and plainWrite serve connections without a descriptor.
func (s *Sock) plainRead(p []byte) (int, error) {
	if s.noWait {
		_ = s.nc.SetReadDeadline(epoch)
	} else {
		s.armRead(Now())
	}
	return s.nc.Read(p)
}

func (s *Sock) plainWrite(p []byte) (int, error) {
	s.armWrite(Now())
	return s.nc.Write(p)
}

// Close closes the socket; blocked reads and writes return.
func (s *Sock) Close() error { return s.nc.Close() }

// Abort closes the socket so that the peer sees a reset, not a proper end:
// the sign of an answer that was cut short (RFC 9112 §8).
func (s *Sock) Abort() error {
	if tc, ok := s.nc.(*net.TCPConn); ok {
		_ = tc.SetLinger(0)
	}
	return s.nc.Close()
}

// CloseWrite ends the sending direction where the transport can.
func (s *Sock) CloseWrite() error {
	if c, ok := s.nc.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

func (s *Sock) LocalAddr() net.Addr  { return s.nc.LocalAddr() }
func (s *Sock) RemoteAddr() net.Addr { return s.nc.RemoteAddr() }

// SetDeadline and its kin exist for net.Conn; they set the absolute limits.
func (s *Sock) SetDeadline(t time.Time) error {
	_ = s.SetReadDeadline(t)
	return s.SetWriteDeadline(t)
}

func (s *Sock) SetReadDeadline(t time.Time) error {
	s.in.by = limitOf(t)
	return nil
}

func (s *Sock) SetWriteDeadline(t time.Time) error {
	s.out.by = limitOf(t)
	return nil
}

func limitOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(int64(t.Sub(epoch)), 1)
}

var _ net.Conn = (*Sock)(nil)
var _ io.ReadWriteCloser = (*Sock)(nil)

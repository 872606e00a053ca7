package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// window is how many bytes one direction of a tunnel moves before it counts
// them: splicing hides what has passed until it returns.
const window = 64 << 10

// Side is one end of a tunnel: the socket, what else reads and writes over it
// (TLS; nil for none), and the bytes that arrived ahead of the tunnel.
type Side struct {
	Sock  *Sock
	Over  net.Conn
	Early []byte
}

func (s Side) conn() net.Conn {
	if s.Over != nil {
		return s.Over
	}
	return s.Sock.Conn()
}

// Tunnel moves bytes both ways between a and b until both directions have
// ended, one fails, nothing moved for idle, or total has passed (0 = no limit).
// Plain TCP is spliced in the kernel. It returns the bytes that came from a
// and from b, and closes neither.
func Tunnel(a, b Side, idle, total time.Duration) (fromA, fromB int64) {
	t := &tunnel{idle: idle}
	t.active.Store(Now())
	if total > 0 {
		t.end = Now() + int64(total)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		fromB = t.flow(a.conn(), b.conn(), b.Early)
	}()
	fromA = t.flow(b.conn(), a.conn(), a.Early)
	<-done
	return fromA, fromB
}

type tunnel struct {
	idle   time.Duration
	end    int64
	active atomic.Int64
	failed atomic.Bool // both connections are to be given up
}

// flow moves bytes from src to dst. An orderly end is passed on as one; after
// a failure both connections are cut, so that the other direction ends too.
func (t *tunnel) flow(dst, src net.Conn, early []byte) (moved int64) {
	_ = src.SetReadDeadline(time.Time{})
	_ = dst.SetWriteDeadline(time.Time{})
	if len(early) > 0 && !t.failed.Load() {
		n, err := dst.Write(early)
		moved = int64(n)
		if err != nil {
			t.cut(dst, src)
			return moved
		}
	}
	limited := &io.LimitedReader{R: src}
	for {
		now := Now()
		if wait := t.wait(now); wait > 0 {
			_ = src.SetReadDeadline(Time(now + wait))
			_ = dst.SetWriteDeadline(Time(now + max(wait, int64(t.idle))))
		}
		if t.failed.Load() { // after the deadlines were set: they may have covered those of cut
			return moved
		}
		limited.N = window
		n, err := t.copy(dst, limited)
		moved += n
		if n > 0 {
			t.active.Store(Now())
		}
		switch {
		case err == nil && n < window:
			if c, ok := dst.(interface{ CloseWrite() error }); ok && c.CloseWrite() == nil {
				return moved
			}
			t.cut(dst, src)
			return moved
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded) && !t.failed.Load() && !t.over():
		default:
			t.cut(dst, src)
			return moved
		}
	}
}

func (t *tunnel) copy(dst net.Conn, src *io.LimitedReader) (int64, error) {
	if rf, ok := dst.(io.ReaderFrom); ok {
		return rf.ReadFrom(src)
	}
	return io.Copy(dst, src)
}

// wait returns how long a read may wait before the limits are looked at.
func (t *tunnel) wait(now int64) int64 {
	wait := int64(t.idle) / 4
	if t.end > 0 && (wait == 0 || t.end-now < wait) {
		wait = max(t.end-now, 1)
	}
	return wait
}

func (t *tunnel) over() bool {
	now := Now()
	return (t.end > 0 && now >= t.end) || (t.idle > 0 && now-t.active.Load() >= int64(t.idle))
}

// cut makes both directions end.
func (t *tunnel) cut(a, b net.Conn) {
	t.failed.Store(true)
	_ = a.SetDeadline(epoch)
	_ = b.SetDeadline(epoch)
}

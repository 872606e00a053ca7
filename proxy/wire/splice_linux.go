package wire

import (
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// pipeSize is what a pipe is asked to hold. Larger ones need a privilege that
// the gateway does not have, or count against a limit of the user's.
const pipeSize = 256 << 10

// pipe is the kernel buffer between two sockets. It is empty while pooled.
type pipe struct{ r, w int }

// pipes keeps a few for reuse; the rest are closed, since each is two
// descriptors.
var pipes = struct {
	sync.Mutex
	free []pipe
}{}

const pipesKept = 32

func takePipe() (pipe, error) {
	pipes.Lock()
	if n := len(pipes.free); n > 0 {
		p := pipes.free[n-1]
		pipes.free = pipes.free[:n-1]
		pipes.Unlock()
		return p, nil
	}
	pipes.Unlock()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return pipe{}, err
	}
	_, _ = unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, pipeSize)
	return pipe{fds[0], fds[1]}, nil
}

func (p pipe) release(empty bool) {
	if empty {
		pipes.Lock()
		if len(pipes.free) < pipesKept {
			pipes.free = append(pipes.free, p)
			pipes.Unlock()
			return
		}
		pipes.Unlock()
	}
	_ = unix.Close(p.r)
	_ = unix.Close(p.w)
}

// splicing is one call of splice.
type splicing struct {
	dst, src *Sock
	pipe     pipe
	most     int64
	in       int64 // moved into the pipe
	out      int64 // and out of it
	err      error
}

// splice moves what is there to be read, up to most bytes, from src to dst.
func splice(dst, src *Sock, most int64) (int64, error) {
	s := &splicing{dst: dst, src: src, most: most}
	var err error
	if s.pipe, err = takePipe(); err != nil {
		return 0, ErrNoSplice
	}
	defer func() { s.pipe.release(s.in == s.out) }()
	if err := src.readBy(s.fill); err != nil {
		return 0, err
	}
	if s.err != nil {
		return 0, s.err
	}
	if err := dst.writeBy(s.drain, &s.out); err != nil {
		return s.out, &SendError{err}
	}
	if s.err != nil {
		return s.out, &SendError{s.err}
	}
	return s.out, nil
}

// fill is one attempt to move bytes into the pipe, which is empty.
func (s *splicing) fill(fd uintptr) bool {
	for {
		n, err := unix.Splice(int(fd), nil, s.pipe.w, nil, int(min(s.most, 1<<20)), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		switch {
		case err == nil && n == 0:
			s.err = io.EOF
			return true
		case err == nil:
			s.in = n
			return true
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			s.src.armRead(Now())
			return false
		case err == unix.EINVAL:
			s.err = ErrNoSplice
			return true
		default:
			s.err = os.NewSyscallError("splice", err)
			return true
		}
	}
}

// drain is one attempt to move all bytes out of the pipe.
func (s *splicing) drain(fd uintptr) bool {
	for s.out < s.in {
		n, err := unix.Splice(s.pipe.r, nil, int(fd), nil, int(s.in-s.out), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		switch err {
		case nil:
			s.out += n
			s.dst.out.until = 0
		case unix.EINTR:
		case unix.EAGAIN:
			s.dst.armWrite(Now())
			return false
		default:
			s.err = os.NewSyscallError("splice", err)
			return true
		}
	}
	return true
}

// readBy runs fn as the attempt of a read, within the limits for reads.
func (s *Sock) readBy(fn func(fd uintptr) bool) error {
	s.in.until = 0
	for {
		err := s.raw.Read(fn)
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if err := s.lookUp(); err != nil {
			return err
		}
	}
}

// writeBy runs fn as the attempt of a write, within the limits for writes;
// whatever moves done restarts the limit of one wait.
func (s *Sock) writeBy(fn func(fd uintptr) bool, done *int64) error {
	s.out.until = 0
	for {
		before := *done
		err := s.raw.Write(fn)
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		now := Now()
		if *done > before || s.out.until == 0 {
			s.out.begin(now)
		}
		if now >= s.out.until {
			return ErrTimeout
		}
		s.out.armed = 0
		s.armWrite(now)
	}
}

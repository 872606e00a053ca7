package wire

import (
	"io"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func (s *Sock) openRaw() {
	sc, ok := s.nc.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	s.raw = raw
	// Method values allocate: made once here, not once a call.
	s.readFn, s.writeFn = s.tryRead, s.tryWrite
	s.lentFn, s.partsFn = s.tryLent, s.tryParts
	s.pollFn, s.peekFn = s.poll, s.peek
}

func (s *Sock) readOnce(p []byte) (int, error) {
	if s.raw == nil {
		return s.plainRead(p)
	}
	s.in.buf = p
	err := s.raw.Read(s.readFn)
	s.in.buf = nil
	if err != nil {
		return 0, err
	}
	return s.in.done, s.in.err
}

// tryRead is one attempt; false means that the socket must become readable first.
func (s *Sock) tryRead(fd uintptr) bool {
	s.in.woken()
	if s.receive(fd, s.in.buf) {
		return true
	}
	if s.noWait {
		s.in.parked = false
		s.in.done, s.in.err = 0, ErrTimeout
		return true
	}
	s.armRead(Now())
	return false
}

// receive reads what is there, or the end, and returns true; false means that
// nothing is there yet.
//
// The socket does not block, so the call needs none of the scheduler's care for
// blocking calls: RawSyscall saves two hand-overs a request and keeps the
// runtime's monitor from taking the processor away in the middle of a send.
func (s *Sock) receive(fd uintptr, p []byte) bool {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
		switch errno {
		case 0:
			s.in.done, s.in.err = int(n), nil
			if n == 0 {
				s.in.err = io.EOF
			}
			return true
		case syscall.EINTR:
		case syscall.EAGAIN:
			s.in.parked = true
			return false
		default:
			s.in.done, s.in.err = 0, os.NewSyscallError("read", errno)
			return true
		}
	}
}

func (s *Sock) writeOnce(p []byte) (int, error) {
	if s.raw == nil {
		return s.plainWrite(p)
	}
	s.out.buf, s.out.done, s.out.err = p, 0, nil
	err := s.raw.Write(s.writeFn)
	s.out.buf = nil
	if err != nil {
		return s.out.done, err
	}
	return s.out.done, s.out.err
}

func (s *Sock) tryWrite(fd uintptr) bool {
	for s.out.done < len(s.out.buf) {
		rest := s.out.buf[s.out.done:]
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&rest[0])), uintptr(len(rest)), syscall.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case 0:
			s.out.done += int(n)
			s.out.until = 0
		case syscall.EINTR:
		case syscall.EAGAIN:
			if s.noWaitOut {
				return true
			}
			s.armWrite(Now())
			return false
		default:
			s.out.err = os.NewSyscallError("write", errno)
			return true
		}
	}
	return true
}

// Gone tells whether the peer has closed its side or reset the connection. It
// does not block and reads nothing.
func (s *Sock) Gone() bool { return s.state()&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0 }

// Pristine tells whether nothing has arrived and nobody has closed: the state
// in which an idle connection may carry a new request (RFC 9112 §9.2).
func (s *Sock) Pristine() bool {
	return s.raw == nil || (s.raw.Control(s.peekFn) == nil && s.peeked.Load() == 1)
}

// peek sets peeked to 1 if a read would have to wait.
func (s *Sock) peek(fd uintptr) {
	if isEmpty(fd) {
		s.peeked.Store(1)
		return
	}
	s.peeked.Store(0)
}

// isEmpty asks by a look at the first byte: cheaper than poll, and done before
// every reuse of a connection.
func isEmpty(fd uintptr) bool {
	var b byte
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b)), 1, syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
	return errno == syscall.EAGAIN
}

func (s *Sock) state() int16 {
	if s.raw == nil {
		return 0
	}
	s.polled.Store(unix.POLLERR)
	if err := s.raw.Control(s.pollFn); err != nil {
		return unix.POLLERR
	}
	return int16(s.polled.Load())
}

func (s *Sock) poll(fd uintptr) { s.polled.Store(int32(events(fd))) }

// events asks the kernel for the state of fd without waiting.
func events(fd uintptr) int16 {
	p := unix.PollFd{Fd: int32(fd), Events: unix.POLLIN | unix.POLLRDHUP}
	zero := unix.Timespec{}
	_, _, errno := syscall.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&zero)), 0, 0, 0)
	if errno != 0 {
		return unix.POLLERR
	}
	return p.Revents
}

func (s *Sock) lentOnce() (int, error) {
	if s.raw == nil {
		return s.lentPlain()
	}
	if err := s.raw.Read(s.lentFn); err != nil {
		return 0, err
	}
	return s.in.done, s.in.err
}

func (s *Sock) tryLent(fd uintptr) bool {
	s.in.woken()
	if s.receive(fd, s.lender.Lend()) {
		return true
	}
	s.lender.TakeBack()
	s.armLong(Now())
	return false
}

// parts is a message of several parts.
type parts struct {
	at   [3]unix.Iovec
	head unix.Msghdr
}

// writePartsOnce writes as much of the parts, of which there are three at most,
// as the socket takes at once.
func (s *Sock) writePartsOnce(list ...[]byte) (int, error) {
	if s.raw == nil {
		return 0, nil
	}
	m := &s.parts
	n := 0
	for _, p := range list {
		if len(p) > 0 {
			m.at[n] = unix.Iovec{Base: &p[0], Len: uint64(len(p))}
			n++
		}
	}
	if n < 2 {
		m.at[0] = unix.Iovec{}
		return 0, nil
	}
	m.head = unix.Msghdr{Iov: &m.at[0], Iovlen: uint64(n)}
	s.out.until, s.out.done, s.out.err = 0, 0, nil
	err := s.raw.Write(s.partsFn)
	*m = parts{}
	if err != nil {
		return s.out.done, err
	}
	return s.out.done, s.out.err
}

func (s *Sock) tryParts(fd uintptr) bool {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&s.parts.head)), syscall.MSG_NOSIGNAL)
		switch errno {
		case 0:
			s.out.done = int(n)
			return true
		case syscall.EINTR:
		case syscall.EAGAIN:
			s.armWrite(Now())
			return false
		default:
			s.out.err = os.NewSyscallError("write", errno)
			return true
		}
	}
}

// woken notes that the poller had its turn, when it ended a wait.
func (w *wait) woken() {
	if w.parked {
		w.parked = false
		polled.Store(Now())
	}
}

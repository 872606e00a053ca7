package wire

import (
	"errors"
	"os"
	"time"
)

// Lender lends the buffer of a read.
type Lender interface {
	// Lend returns a buffer to read into.
	Lend() []byte
	// TakeBack takes it back, unused.
	TakeBack()
}

// ReadLent reads into a buffer that l lends, which is given back whenever the
// read has to wait: an idle connection holds no buffer, and a busy one pays
// nothing for that. It keeps to the limits of the Sock, but does not tick.
func (s *Sock) ReadLent(l Lender) (int, error) {
	s.in.until, s.lender = 0, l
	defer func() { s.lender = nil }()
	for {
		n, err := s.lentOnce()
		if err == nil {
			return n, nil
		}
		if err := s.overslept(err); err != nil {
			return n, err
		}
	}
}

// overslept judges the end of a wait that does not tick; nil means to wait on.
func (s *Sock) overslept(err error) error {
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case s.interrupted.Load():
		return ErrInterrupted
	case s.in.until != 0 && Now() >= s.in.until:
		return ErrTimeout
	}
	// A deadline has fired that an earlier wait had armed: until there is
	// another one, no read even begins.
	s.in.armed = fired
	s.armLong(Now())
	return nil
}

// fired stands for a deadline that has passed.
const fired = -1

// armLong arms the deadline for the whole wait: nobody is watched meanwhile,
// so nothing needs looking up before its end.
func (s *Sock) armLong(now int64) {
	if s.in.until == 0 {
		s.in.begin(now)
	}
	switch {
	case s.in.until == never:
		if s.in.armed != 0 {
			s.in.armed = 0
			_ = s.nc.SetReadDeadline(time.Time{})
		}
	case s.in.armed <= now || s.in.armed > s.in.until:
		s.in.armed = s.in.until
		_ = s.nc.SetReadDeadline(Time(s.in.until))
	}
	if s.interrupted.Load() {
		_ = s.nc.SetReadDeadline(epoch)
	}
}

// lentPlain serves connections without a descriptor.
func (s *Sock) lentPlain() (int, error) {
	s.armLong(Now())
	return s.nc.Read(s.lender.Lend())
}

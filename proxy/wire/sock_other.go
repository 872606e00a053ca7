//go:build !linux

package wire

func (s *Sock) openRaw() {}

func (s *Sock) readOnce(p []byte) (int, error)  { return s.plainRead(p) }
func (s *Sock) writeOnce(p []byte) (int, error) { return s.plainWrite(p) }

// Gone tells whether the peer has closed; unknown on this system, so false.
func (s *Sock) Gone() bool { return false }

// Pristine tells whether nothing arrived on an idle connection; unknown on
// this system, so true: a retry on a fresh connection covers a stale one.
func (s *Sock) Pristine() bool { return true }

func (s *Sock) lentOnce() (int, error) { return s.lentPlain() }

type parts struct{}

func (s *Sock) writePartsOnce(...[]byte) (int, error) { return 0, nil }

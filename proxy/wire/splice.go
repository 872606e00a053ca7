package wire

import "errors"

// SpliceLeast is from how many bytes on moving content within the kernel pays.
const SpliceLeast = 64 << 10

// ErrNoSplice says that the kernel cannot move the content and nothing was moved.
var ErrNoSplice = errors.New("content cannot be spliced")

// SendError is a failure of the socket that content was moved to, as against
// the one that it came from.
type SendError struct{ Err error }

func (e *SendError) Error() string { return e.Err.Error() }
func (e *SendError) Unwrap() error { return e.Err }

// Splice moves some of the content that is still to come, at most most bytes,
// from src, which b reads from, to dst, without passing it through memory. It
// waits for at least one byte, within the limits of both sockets. ErrNoSplice
// means that Read must be used: buffered bytes, chunks, a short rest, another
// system, no pipe to be had. A *SendError is dst's, all others are src's.
func (b *Body) Splice(dst, src *Sock, most int64) (int64, error) {
	if b.state != bodyData || b.chunked || b.left < SpliceLeast || b.r.Buffered() > 0 || dst.raw == nil || src.raw == nil {
		return 0, ErrNoSplice
	}
	n, err := splice(dst, src, min(b.left, most))
	b.left -= n
	b.read += n
	if b.left == 0 {
		b.state = bodyDone
	}
	var sending *SendError
	if err != nil && err != ErrNoSplice && !errors.As(err, &sending) {
		return n, b.fail(err)
	}
	return n, err
}

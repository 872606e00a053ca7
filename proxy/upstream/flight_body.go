package upstream

import (
	"errors"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// Read implements exchange.Body: the answer's content. The connection is free
// for other requests as soon as all of it was read.
func (f *flight) Read(p []byte) (int, error) {
	n, err := f.body.Read(p)
	return n, f.progressed(err)
}

// Take returns content that is there already, without copying it, as
// wire.Body.Take does. It is valid until the next call; so the connection is
// not free before that.
func (f *flight) Take() []byte {
	if f.c == nil {
		return nil
	}
	return f.body.Take()
}

// spliceMost is how much moves between two looks at the limits.
const spliceMost = 1 << 20

// SpliceTo moves some of the content to dst within the kernel, as
// wire.Body.Splice does.
func (f *flight) SpliceTo(dst *wire.Sock) (int64, error) {
	if f.c == nil || f.c.tls != nil {
		return 0, wire.ErrNoSplice
	}
	n, err := f.body.Splice(dst, f.c.sock, spliceMost)
	var sending *wire.SendError
	if err == wire.ErrNoSplice || errors.As(err, &sending) {
		return n, err
	}
	return n, f.progressed(err)
}

// progressed frees the connection when the content has ended, well or not. It
// returns err, or the reason behind it.
func (f *flight) progressed(err error) error {
	switch {
	case f.c == nil:
	case f.body.Done():
		f.end(true)
	case err != nil:
		if f.pump != nil && !f.pump.finish() {
			if _, cause := f.blame(nil, nil); cause != nil {
				err = cause
			}
		}
		f.x.Cause = err
		f.end(false)
	}
	return err
}

func (f *flight) end(whole bool) {
	f.release(whole)
	f.t.inFlight.Add(-1)
}

// Done implements exchange.Body.
func (f *flight) Done() bool { return f.body.Done() }

// Ready implements exchange.Body.
func (f *flight) Ready() bool { return f.body.Ready() }

// Trailers implements exchange.Body.
func (f *flight) Trailers() []byte { return f.body.Trailers() }

// Close implements exchange.Body: unread content costs the connection. It must
// be called once, and the stream not be used after it.
func (f *flight) Close() error {
	if f.t == nil {
		return nil
	}
	if f.c != nil {
		f.end(f.body.Done())
	}
	f.free()
	return nil
}

var _ exchange.Body = (*flight)(nil)

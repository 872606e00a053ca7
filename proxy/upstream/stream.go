package upstream

import "weir/proxy/exchange"

// Read implements exchange.Body: the answer's content. The connection is free
// for other requests as soon as all of it was read.
func (f *flight) Read(p []byte) (int, error) {
	n, err := f.body.Read(p)
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
	return n, err
}

func (f *flight) end(whole bool) {
	f.release(whole)
	f.t.inFlight.Add(-1)
}

// Done implements exchange.Body.
func (f *flight) Done() bool { return f.body.Done() }

// Trailers implements exchange.Body.
func (f *flight) Trailers() []byte { return f.body.Trailers() }

// Close implements exchange.Body: unread content costs the connection. It must
// be called once, and the stream not be used after it.
func (f *flight) Close() error {
	if f.t == nil {
		return nil
	}
	if f.c != nil {
		f.end(false)
	}
	f.free()
	return nil
}

var _ exchange.Body = (*flight)(nil)

package upstream

import (
	"io"
	"net"
	"testing"
	"time"

	"weir/proxy/frame"
	"weir/proxy/hpack"
	"weir/proxy/wire"
)

// FuzzSession lets a target say anything on a connection with a stream that
// waits. Whatever it says, the exchange ends, and what it gets is well-formed.
func FuzzSession(f *testing.F) {
	ok := append(frame.Append(nil, 1, frame.Headers, frame.EndHeaders, 1), 0x88)
	f.Add(append(append(ok, frame.Append(nil, 5, frame.Data, frame.EndStream, 1)...), "hello"...))
	f.Add(append(ok, frame.AppendRSTStream(nil, 1, frame.Cancel)...))
	f.Add(frame.AppendGoAway(nil, 0, frame.NoError, "bye"))
	f.Add(append(frame.AppendPing(nil, 0, [8]byte{}), frame.AppendWindowUpdate(nil, 0, 1)...))
	f.Add(append(frame.Append(nil, 1, frame.Headers, 0, 1), append([]byte{0x88}, frame.Append(nil, 0, frame.Continuation, whole, 1)...)...))
	f.Add(frame.AppendSettings(nil, frame.Setting{ID: frame.InitialWindow, Value: 0}))
	f.Fuzz(func(t *testing.T, said []byte) {
		near, far := net.Pipe()
		r := NewRegistry(Default(), 1)
		defer r.Close()
		target, err := r.Acquire(Address{URL: "h2c://fuzz:1"})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{}, 2)
		go func() {
			_, _ = io.Copy(io.Discard, far)
			ended <- struct{}{}
		}()
		target.pool.reserve()
		over := wire.NewConn(near)
		c := newSession(&conn{target: target, wire: over, sock: &over.Sock}, 0)
		c.open = 1
		go func() {
			_, _ = far.Write(frame.AppendSettings(nil))
			ended <- struct{}{}
		}()
		if r, err := c.greet(time.Time{}); r != nil {
			t.Fatal(err)
		}
		<-ended
		s := newStream()
		x := withBody(request("POST", "/"), "abc")
		x.Front.(*front).interims = nil
		s.begin(target, x, &Call{})
		s.enter(c)
		go func() {
			_, _ = far.Write(said)
			_ = far.Close()
			ended <- struct{}{}
		}()
		if r, _ := s.attempt(); r != nil {
			s.release(false)
			target.inFlight.Add(-1)
		} else if x.Stream != nil {
			if _, err := contentErr(x); err == nil && x.Length >= 0 && s.total != x.Length {
				t.Fatalf("got %d bytes of %d and no error", s.total, x.Length)
			}
		}
		<-ended
		<-ended
		if got := target.InFlight(); got != 0 {
			t.Fatalf("got %d in flight; want none", got)
		}
	})
}

// FuzzHead holds that a head that passes is one that HTTP/1.1 would have let pass.
func FuzzHead(f *testing.F) {
	f.Add([]byte{0x88})
	f.Add([]byte{0x88, 0x0f, 0x0d, 1, '5'})
	f.Add([]byte{0x88, 0, 1, 'a', 3, 'b', '\n', 'c'})
	f.Fuzz(func(t *testing.T, block []byte) {
		dec := hpack.NewDecoder(4096)
		dec.Judge = judge
		var fields hpack.Fields
		fields.Reset(8 << 10)
		if dec.Decode(block, &fields) != nil {
			return
		}
		text, broken := appendText(nil, &fields)
		if broken != nil {
			return
		}
		var head wire.Head
		done, fault := head.ScanResponse(text, &wire.Limits{})
		if fault == nil && (!done || head.Len != len(text) || head.Fields != fields.Len()-1) {
			t.Fatalf("got %q: %d of %d bytes, %d of %d fields", text, head.Len, len(text), head.Fields, fields.Len()-1)
		}
	})
}

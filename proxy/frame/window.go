package frame

const (
	DefaultWindow = 1<<16 - 1 // of a stream or connection that nobody has spoken of
	MaxWindow     = 1<<31 - 1
)

// Window is how much may be sent: on a stream it can be negative for a while,
// after the peer has made it smaller (RFC 9113 §6.9.2). Not safe for
// concurrent use.
type Window int32

// Grow adds n and tells whether the window is still a valid one (RFC 9113 §6.9.1).
func (w *Window) Grow(n int64) bool {
	sum := int64(*w) + n
	if sum > MaxWindow || sum < -MaxWindow {
		return false
	}
	*w = Window(sum)
	return true
}

// Take subtracts n bytes that are sent.
func (w *Window) Take(n int) { *w -= Window(n) }

// Inbound is how much the peer may send. What was read is given back in large
// steps, when it is half of the window. Not safe for concurrent use.
type Inbound struct {
	size int32 // the window when everything was read
	left int32 // what the peer may send now
	read int32 // what was read and not yet given back
}

// NewInbound returns a window of size bytes, as the peer knows it.
func NewInbound(size int32) Inbound { return Inbound{size: size, left: size} }

// Receive notes n bytes from the peer. False means that it may not send them.
func (w *Inbound) Receive(n int) bool {
	if n > int(w.left) {
		return false
	}
	w.left -= int32(n)
	return true
}

// Consume notes that n received bytes were read or dropped, and returns by how
// much to grow the peer's window now: 0, or what a WINDOW_UPDATE has to say.
func (w *Inbound) Consume(n int) uint32 {
	w.read += int32(n)
	if w.read < w.size/2 || w.read == 0 {
		return 0
	}
	n = int(w.read)
	w.left += w.read
	w.read = 0
	return uint32(n)
}

// Resize makes the window size bytes large, if it is smaller, and returns by
// how much to grow the peer's now, as Consume does.
func (w *Inbound) Resize(size int32) uint32 {
	if size <= w.size {
		return 0
	}
	n := size - w.size
	w.size = size
	w.left += n
	return uint32(n)
}

// Shrink makes the window n bytes smaller, as the peer's becomes when it
// acknowledges a smaller initial one. It may be below zero for a while.
func (w *Inbound) Shrink(n int32) {
	w.size -= n
	w.left -= n
}

// Left returns what the peer may send now.
func (w *Inbound) Left() int { return int(w.left) }

// Size returns the whole window.
func (w *Inbound) Size() int { return int(w.size) }

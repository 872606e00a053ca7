// Package frame reads and writes the frames of HTTP/2 (RFC 9113 §4 and §6),
// for both sides of a connection: headers of frames, settings, windows, error
// codes and priorities (RFC 9218). It works on byte slices, keeps no state but
// that of windows, and allocates nothing.
//
//	h := frame.Parse(b)
//	if e := h.Check(maxFrame); e != frame.NoError {
//		return e
//	}
//	payload := b[frame.HeaderLen:][:h.Length]
package frame

// Package hpack compresses and decompresses the field sections of HTTP/2
// (RFC 7541) without allocating: fields are decoded into an arena that the
// caller reuses, names that the protocol knows become small numbers, and both
// dynamic tables live in one buffer each, as large as what they hold.
//
//	var fields hpack.Fields
//	fields.Reset(16 << 10)
//	if err := decoder.Decode(block, &fields); err != nil {
//		return err // the connection cannot go on
//	}
//	for i := range fields.Len() {
//		switch fields.Token(i) {
//		case hpack.Path:
//			path = fields.Value(i)
//		}
//	}
package hpack

package policy

// Normal says how values of a request field are made alike before they are
// compared for Vary.
type Normal struct {
	// Values, where given, are all that tells requests apart: the best of them by
	// the client's weights, as of Accept-Encoding: [br, gzip] or Accept-Language.
	Values []string
}

// AppendSelected appends one request field in its normal form: the lines in
// order, joined, without the whitespace that means nothing (RFC 9111 §4.1). A
// field that is absent differs from an empty one. For lists whose order and case
// mean nothing (Accept-Encoding, without Normal) codings are lowered and sorted.
func AppendSelected(dst []byte, name string, lines [][]byte, how *Normal) []byte {
	panic("not built")
}

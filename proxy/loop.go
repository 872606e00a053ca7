package proxy

import "bytes"

// look notes which fields there are for later steps, so that only those are
// searched for. It tells whether the request has passed this gateway before:
// its own name, unique to the process, is in Via (RFC 9110 §7.6.3).
func (g *Gateway) look(r *request) (looped bool) {
	// Of the two ways through the fields, this one leaves Cookie as it came.
	for name, value := range r.x.Request.AllInOrder() {
		bit := fieldBit(name)
		if bit == 0 {
			bit = disguisedBit(name)
		}
		r.fields |= bit
		looped = looped || bit == hasVia && passedBy(value, g.pseudonym)
	}
	return looped
}

// passedBy tells whether one element of a Via names pseudonym.
func passedBy(via, pseudonym []byte) bool {
	for len(via) > 0 {
		var element []byte
		element, via, _ = bytes.Cut(via, comma)
		_, by, _ := bytes.Cut(bytes.TrimSpace(element), []byte{' '})
		by = bytes.TrimLeft(by, " \t")
		if i := bytes.IndexAny(by, " \t("); i >= 0 {
			by = by[:i]
		}
		if bytes.Equal(by, pseudonym) {
			return true
		}
	}
	return false
}

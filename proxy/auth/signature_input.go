package auth

import "bytes"

// Bounds of what is read before anybody has shown a key.
const (
	maxInput      = 8 << 10 // bytes of Signature-Input, and of Signature
	maxLabels     = 8
	maxComponents = 64
	maxKeyID      = 128
	minNonce      = 16 // 96 bits in base64, 64 in hexadecimal digits
	maxNonce      = 128
)

// algorithm is the one that is served (RFC 9421 §3.3.3).
const algorithm = "hmac-sha256"

// signatureInput is one member of Signature-Input (RFC 9421 §4.1). It points
// into the field's value.
type signatureInput struct {
	label      []byte
	text       []byte // list and parameters as received: the value of @signature-params
	components []component

	created, expires       int64 // Unix seconds
	hasCreated, hasExpires bool
	keyID, nonce, tag      []byte
	algorithm              []byte
	hasAlgorithm, hasTag   bool

	fault *Reason // what speaks against it, though the field could be read
}

func (in *signatureInput) reset() { *in = signatureInput{components: in.components[:0]} }

// parse reads the member under label; s has taken the equals sign.
func (in *signatureInput) parse(s *scanner, label []byte) {
	in.reset()
	in.label = label
	from := s.at
	if !s.take('(') {
		s.fail()
		return
	}
	for n := 0; ; n++ {
		start := s.at
		v, ok := s.element(n)
		if !ok {
			break
		}
		for s.text[start] == ' ' {
			start++
		}
		in.component(s, v, start)
	}
	for {
		key, v, ok := s.parameter()
		if !ok {
			break
		}
		in.parameter(key, v)
	}
	in.text = s.text[from:s.at]
}

// blame notes the first thing that speaks against the signature.
func (in *signatureInput) blame(r *Reason) {
	if in.fault == nil {
		in.fault = r
	}
}

// component reads the parameters of the component whose text begins at start
// and adds it.
func (in *signatureInput) component(s *scanner, v item, start int) {
	c := component{name: v.text}
	known := true
	for {
		key, value, ok := s.parameter()
		if !ok {
			break
		}
		switch string(key) {
		case "bs":
			known = known && !c.wrapped && value.kind == aBoolean && value.truth
			c.wrapped = true
		case "name":
			known = known && c.param == nil && value.kind == aString && !value.escaped
			c.param = value.text
		default:
			known = false
		}
	}
	if s.bad {
		return
	}
	c.text = s.text[start:s.at]
	switch {
	case v.kind != aString:
		in.blame(malformed)
	case len(in.components) == maxComponents:
		in.blame(tooLong)
	case v.escaped || !known || !c.isSupported():
		in.blame(unsupportedComponent.of(c.text))
	case !c.isCanonical() || in.has(c.text):
		in.blame(malformed)
	default:
		in.components = append(in.components, c)
	}
}

func (in *signatureInput) has(text []byte) bool {
	for i := range in.components {
		if bytes.Equal(in.components[i].text, text) {
			return true
		}
	}
	return false
}

// parameter notes a parameter of the signature (RFC 9421 §2.3). One that is not
// known may mean that the signature is not for us.
func (in *signatureInput) parameter(key []byte, v item) {
	switch string(key) {
	case "created":
		in.time(v, &in.created, &in.hasCreated)
	case "expires":
		in.time(v, &in.expires, &in.hasExpires)
	case "keyid":
		in.string(v, &in.keyID, in.keyID != nil)
	case "nonce":
		in.string(v, &in.nonce, in.nonce != nil)
	case "alg":
		in.string(v, &in.algorithm, in.hasAlgorithm)
		in.hasAlgorithm = true
	case "tag":
		in.string(v, &in.tag, in.hasTag)
		in.hasTag = true
	default:
		in.blame(malformed)
	}
}

func (in *signatureInput) time(v item, to *int64, twice *bool) {
	if v.kind != anInteger || *twice {
		in.blame(malformed)
		return
	}
	*to, *twice = v.number, true
}

func (in *signatureInput) string(v item, to *[]byte, twice bool) {
	if v.kind != aString || v.escaped || twice {
		in.blame(malformed)
		return
	}
	*to = v.text
}

// judge tells what speaks against the signature as such, whoever made it.
func (in *signatureInput) judge() *Reason {
	switch {
	case in.fault != nil:
		return in.fault
	case in.hasAlgorithm && string(in.algorithm) != algorithm:
		return wrongAlgorithm
	case len(in.keyID) == 0:
		return noKeyID
	case !in.hasCreated:
		return noCreated
	case len(in.nonce) == 0:
		return noNonce
	case len(in.keyID) > maxKeyID || len(in.nonce) > maxNonce:
		return tooLong
	case len(in.nonce) < minNonce:
		return noNonce
	}
	return nil
}

// isFor tells whether the signature is one that a verifier with tag looks for.
func (in *signatureInput) isFor(tag string) bool {
	if tag != "" {
		return in.hasTag && string(in.tag) == tag
	}
	return len(in.keyID) > 0 && (!in.hasAlgorithm || string(in.algorithm) == algorithm)
}

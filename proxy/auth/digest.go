package auth

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
)

// ContentDigest is what a request says of its body (RFC 9530): each digest that
// it carries must hold. The zero value asks for nothing. It is a plain value.
type ContentDigest struct {
	sha256         [sha256.Size]byte
	sha512         [sha512.Size]byte
	has256, has512 bool
}

// Demands tells whether the body has to be looked at: CheckBody may say no.
func (d *ContentDigest) Demands() bool { return d.has256 || d.has512 }

// CheckBody tells whether body, as it was sent and whole, is what the digest
// was made of. A request without a body has an empty one.
func CheckBody(d *ContentDigest, body []byte) bool {
	ok := true
	if d.has256 {
		sum := sha256.Sum256(body)
		ok = subtle.ConstantTimeCompare(sum[:], d.sha256[:]) == 1
	}
	if d.has512 {
		sum := sha512.Sum512(body)
		ok = ok && subtle.ConstantTimeCompare(sum[:], d.sha512[:]) == 1
	}
	return ok
}

// parseDigest reads the value of Content-Digest. Algorithms other than sha-256
// and sha-512 are passed over (RFC 9530 §5); one of those two must be there.
func parseDigest(text []byte, d *ContentDigest) bool {
	s := scanner{text: text}
	for n := 0; ; n++ {
		key := s.member(n)
		if key == nil {
			break
		}
		v := item{truth: true}
		if s.take('=') {
			v = s.item()
		}
		for {
			if _, _, ok := s.parameter(); !ok {
				break
			}
		}
		if s.bad {
			return false
		}
		switch string(key) {
		case "sha-256":
			if d.has256 || !decodeExactly(d.sha256[:], v) {
				return false
			}
			d.has256 = true
		case "sha-512":
			if d.has512 || !decodeExactly(d.sha512[:], v) {
				return false
			}
			d.has512 = true
		}
	}
	return !s.bad && d.Demands()
}

// decodeExactly fills dst with a byte sequence that has just its length.
func decodeExactly(dst []byte, v item) bool {
	var room [3 + sha512.Size]byte // the decoder may write whole groups
	if v.kind != aBytes || base64.StdEncoding.DecodedLen(len(v.text)) > len(room) {
		return false
	}
	n, err := base64.StdEncoding.Strict().Decode(room[:], v.text)
	return err == nil && n == len(dst) && copy(dst, room[:n]) == n
}

package plans

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math/big"
)

// Lengths of the values of keys, as in AWS.
const (
	MinValue         = 20
	MinImportedValue = 30 // in CSV
	MaxValue         = 128

	newValue = 40
	idLength = 10
)

const (
	lower        = "abcdefghijklmnopqrstuvwxyz0123456789"
	alphanumeric = lower + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// digest is all that is kept of a value.
type digest [sha256.Size]byte

// secret is that of the installation.
type secret [32]byte

func newSecret() (s secret) {
	rand.Read(s[:]) // which never fails
	return s
}

// digest hashes a value, which must be wellFormed. SHA-256 whose first block is
// the secret, over messages of which none begins another (their length comes
// first), is the cascade of Bellare, Canetti and Krawczyk (1996): a
// pseudorandom function as HMAC is, but one call without state to be pooled.
func (s *secret) digest(value []byte) digest {
	var block [sha256.BlockSize + 1 + MaxValue]byte
	copy(block[:], s[:])
	block[sha256.BlockSize] = byte(len(value))
	n := copy(block[sha256.BlockSize+1:], value)
	return sha256.Sum256(block[:sha256.BlockSize+1+n])
}

// derive makes a secret for one purpose, which is no other purpose's.
func (s *secret) derive(purpose string, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, s[:])
	for _, part := range append([][]byte{[]byte(purpose)}, parts...) {
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(part)))
		h.Write(length[:])
		h.Write(part)
	}
	return h.Sum(nil)
}

// signing returns the secret that signs requests by one value of a key.
func (s *secret) signing(key string, version uint64) []byte {
	return s.derive("weir signature", []byte(key), binary.BigEndian.AppendUint64(nil, version))
}

// staticID returns the id of a key that the document has: the same for the
// same value, whatever else is changed, and at every start.
func (s *secret) staticID(d digest) string {
	number := new(big.Int).SetBytes(s.derive("weir key id", d[:]))
	id := make([]byte, idLength)
	for i := range id {
		var rest big.Int
		number.DivMod(number, big.NewInt(int64(len(lower))), &rest)
		id[i] = lower[rest.Int64()]
	}
	return string(id)
}

func showSecret(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// wellFormed tells whether value can be one.
func wellFormed(value []byte) bool {
	if len(value) < MinValue || len(value) > MaxValue {
		return false
	}
	for _, c := range value {
		if !valueByte(c) {
			return false
		}
	}
	return true
}

func valueByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// checkValue says what is wrong with a value, without showing it.
func checkValue(value string, least int) error {
	if len(value) < least || len(value) > MaxValue {
		return invalid("value", "it has %d characters; %d to %d are allowed", len(value), least, MaxValue)
	}
	for i := range len(value) {
		if !valueByte(value[i]) {
			return invalid("value", "its character %d is none of letters, digits, - and _", i+1)
		}
	}
	return nil
}

// random returns n random characters of letters.
func random(letters string, n int) string {
	out := make([]byte, 0, n)
	limit := byte(256 - 256%len(letters)) // beyond it the first letters would come more often
	for pool := make([]byte, 64); len(out) < n; {
		rand.Read(pool)
		for _, b := range pool {
			if b < limit && len(out) < n {
				out = append(out, letters[int(b)%len(letters)])
			}
		}
	}
	return string(out)
}

package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/proxy/exchange"
)

// SignatureRules is what signed requests have to fulfil. The zero value asks
// for method, path, query, authority and body, made in the last five minutes.
type SignatureRules struct {
	// Required lists the components that must be covered; "@query" only where
	// there is a query, "content-digest" only where there is a body. A component
	// that another one holds is covered with it. Empty: all of the above.
	Required []string
	Headers  []string      // further fields that must be there and be covered
	MaxAge   time.Duration // for how long after its creation a signature is good; 0 is 5m
	Skew     time.Duration // how far the client's clock may be off, either way; 0 is 30s
	Tag      string        // which signature counts; empty: the first that could
}

// Bounds of the rules, and their defaults.
const (
	defaultMaxAge = 5 * time.Minute
	defaultSkew   = 30 * time.Second
	mostMaxAge    = 24 * time.Hour
	mostSkew      = time.Hour
)

// minSecret is the shortest secret that anything is verified with.
const minSecret = 16

// Secrets knows the secrets of the keys that requests are signed with.
type Secrets interface {
	// SigningSecrets returns the secrets of a key: several while it is rotated,
	// none of an unknown one. They are only read, until Verify returns.
	SigningSecrets(keyID string) [][]byte
}

// Verifier verifies signed requests (RFC 9421, hmac-sha256) by one set of
// rules. It is immutable and may be used by many goroutines at once.
type Verifier struct {
	rules   SignatureRules
	secrets Secrets
	nonces  *Nonces
	dummy   []byte // secret in place of those that there are not
	works   sync.Pool
}

// work is the memory of one verification. It is pooled.
type work struct {
	inputs, signatures []byte // values of the fields
	chosen, other      signatureInput
	labels             [maxLabels][]byte
	base               []byte
	value              []byte // scratch
	sum                [sha256.Size]byte
}

// maxBase is the largest signature base that is built.
const maxBase = 64 << 10

// NewVerifier returns a verifier by rules. Verifiers may share nonces, and
// should where one key signs for several of them.
func NewVerifier(rules SignatureRules, secrets Secrets, nonces *Nonces) (*Verifier, error) {
	if secrets == nil || nonces == nil {
		return nil, errors.New("cannot verify signatures without secrets and nonces")
	}
	if rules.MaxAge < 0 || rules.MaxAge > mostMaxAge {
		return nil, fmt.Errorf("cannot verify signatures of age %s: it is at least 0 and at most %s", rules.MaxAge, mostMaxAge)
	}
	if rules.Skew < 0 || rules.Skew > mostSkew {
		return nil, fmt.Errorf("cannot allow a skew of %s: it is at least 0 and at most %s", rules.Skew, mostSkew)
	}
	rules.setDefaults()
	rules.Required = slices.Clone(rules.Required)
	for i, name := range rules.Required {
		if !strings.HasPrefix(name, "@") {
			name = strings.ToLower(name)
		}
		if !isDerived(name) && !isFieldName(name) {
			return nil, fmt.Errorf("cannot require component %q: there is none of this name", name)
		}
		rules.Required[i] = name
	}
	rules.Headers = slices.Clone(rules.Headers)
	for i, name := range rules.Headers {
		rules.Headers[i] = strings.ToLower(name)
		if !isFieldName(rules.Headers[i]) {
			return nil, fmt.Errorf("cannot require field %q: it is no field name", name)
		}
	}
	v := &Verifier{rules: rules, secrets: secrets, nonces: nonces, dummy: make([]byte, 32)}
	_, _ = rand.Read(v.dummy) // which cannot fail
	v.works.New = func() any { return new(work) }
	return v, nil
}

// Window returns for how long a nonce has to be remembered under the rules.
func (r SignatureRules) Window() time.Duration {
	r.setDefaults()
	return r.MaxAge + 2*r.Skew
}

func (r *SignatureRules) setDefaults() {
	if r.MaxAge == 0 {
		r.MaxAge = defaultMaxAge
	}
	if r.Skew == 0 {
		r.Skew = defaultSkew
	}
	if len(r.Required) == 0 {
		r.Required = []string{"@method", "@path", "@query", "@authority", "content-digest"}
	}
}

// Verify verifies the head of x, and tells which key has signed it, or else why
// it does not count. Now is time.Now(), for x.Start follows no correction of the
// system's clock. If the digest demands so, the body must pass CheckBody before
// anything is done with it.
func (v *Verifier) Verify(x *exchange.Exchange, now time.Time) (keyID string, digest ContentDigest, reason *Reason) {
	w := v.works.Get().(*work)
	defer v.put(w)
	in, reason := v.choose(w, x)
	if reason == nil {
		reason = in.judge()
	}
	if reason == nil {
		reason = v.checkTime(in, now)
	}
	if reason == nil {
		reason = v.checkCover(in, x)
	}
	if reason == nil {
		reason = w.demand(in, x, &digest)
	}
	if reason == nil {
		reason = w.build(in, x)
	}
	var signature [sha256.Size]byte
	if reason == nil {
		reason = w.find(in.label, &signature)
	}
	if reason != nil {
		return "", ContentDigest{}, reason
	}
	keyID = string(in.keyID)
	if reason = v.compare(keyID, w, &signature); reason != nil {
		return "", ContentDigest{}, reason
	}
	// Last, so that only who has a key can use up nonces or the room for them.
	w.value = appendIdentity(w.value[:0], in.keyID, in.nonce)
	if reason = v.nonces.use(w.value, in.created, now); reason != nil {
		return "", ContentDigest{}, reason
	}
	return keyID, digest, nil
}

// put gives w back, unless somebody has made it large.
func (v *Verifier) put(w *work) {
	if cap(w.inputs) > maxBase || cap(w.signatures) > maxBase || cap(w.base) > 2*maxBase || cap(w.value) > maxBase {
		return
	}
	v.works.Put(w)
}

// choose reads Signature-Input and returns the signature that counts.
func (v *Verifier) choose(w *work, x *exchange.Exchange) (*signatureInput, *Reason) {
	var ok bool
	if w.inputs, ok = joinLines(w.inputs[:0], x.Request.PeekAll("Signature-Input")); !ok {
		return nil, malformed
	}
	if w.signatures, ok = joinLines(w.signatures[:0], x.Request.PeekAll("Signature")); !ok {
		return nil, malformed
	}
	if len(w.inputs) == 0 || len(w.signatures) == 0 {
		return nil, missing
	}
	if len(w.inputs) > maxInput || len(w.signatures) > maxInput {
		return nil, tooLong
	}
	found, strange := false, false
	s := scanner{text: w.inputs}
	for n := 0; ; n++ {
		label := s.member(n)
		if label == nil {
			break
		}
		if n == maxLabels {
			return nil, tooLong
		}
		for _, before := range w.labels[:n] {
			if string(before) == string(label) {
				return nil, malformed
			}
		}
		w.labels[n] = label
		if !s.take('=') {
			return nil, malformed // true, and no list (RFC 9421 §4.1)
		}
		w.other.parse(&s, label)
		if s.bad {
			return nil, malformed
		}
		strange = strange || (w.other.hasAlgorithm && string(w.other.algorithm) != algorithm)
		if !found && w.other.isFor(v.rules.Tag) {
			found = true
			w.chosen, w.other = w.other, w.chosen
		}
	}
	switch {
	case s.bad:
		return nil, malformed
	case found:
		return &w.chosen, nil
	case strange:
		return nil, wrongAlgorithm
	case v.rules.Tag != "":
		return nil, missing
	}
	return nil, noKeyID
}

// checkTime holds a signature to its own times and to the rules' window.
func (v *Verifier) checkTime(in *signatureInput, now time.Time) *Reason {
	at, age, skew := now.UnixMilli(), v.rules.MaxAge.Milliseconds(), v.rules.Skew.Milliseconds()
	created := in.created * 1000 // 15 digits and three
	switch {
	case created > at+skew:
		return fromTheFuture
	case created+age+skew < at:
		return expired
	case in.hasExpires && in.expires*1000+skew < at:
		return expired
	case in.hasExpires && in.expires < in.created:
		return malformed
	}
	return nil
}

// checkCover tells which component is not covered and has to be.
func (v *Verifier) checkCover(in *signatureInput, x *exchange.Exchange) *Reason {
	for _, name := range v.rules.Required {
		switch name {
		case "@query":
			if !asks(x) {
				continue
			}
		case "content-digest":
			if x.RequestLength == 0 {
				continue
			}
		}
		if !in.covers(name) {
			return &Reason{uncoveredComponent.Name, name}
		}
	}
	for _, name := range v.rules.Headers {
		if !in.covers(name) {
			return &Reason{uncoveredComponent.Name, name}
		}
	}
	return nil
}

// asks tells whether the target has a query, which may be an empty one.
func asks(x *exchange.Exchange) bool { return slices.Contains(x.Target, '?') }

// covers tells whether name is covered as a whole, by itself or within another
// component. What holds it in part, such as @query-param, does not count.
func (in *signatureInput) covers(name string) bool {
	for i := range in.components {
		switch string(in.components[i].name) {
		case name:
			return true
		case "@target-uri":
			if name == "@path" || name == "@query" || name == "@request-target" || name == "@authority" || name == "@scheme" {
				return true
			}
		case "@request-target":
			if name == "@path" || name == "@query" {
				return true
			}
		}
	}
	return false
}

// demand reads the digest of the body, where it is covered.
func (w *work) demand(in *signatureInput, x *exchange.Exchange, digest *ContentDigest) *Reason {
	if !in.covers("content-digest") {
		return nil
	}
	lines := x.Request.PeekAll("Content-Digest")
	if len(lines) == 0 {
		return &Reason{absentComponent.Name, "content-digest"}
	}
	var ok bool
	if w.value, ok = joinLines(w.value[:0], lines); !ok || len(w.value) > maxInput || !parseDigest(w.value, digest) {
		return badDigest
	}
	return nil
}

// build builds the signature base (RFC 9421 §2.5).
func (w *work) build(in *signatureInput, x *exchange.Exchange) *Reason {
	w.base = w.base[:0]
	for i := range in.components {
		c := &in.components[i]
		w.base = append(append(w.base, c.text...), ": "...)
		var reason *Reason
		if w.base, reason = c.appendValue(w.base, x); reason != nil {
			return reason
		}
		if w.base = append(w.base, '\n'); len(w.base) > maxBase {
			return tooLong
		}
	}
	w.base = append(append(w.base, `"@signature-params": `...), in.text...)
	return nil
}

// find reads the signature under label from Signature (RFC 9421 §4.2).
func (w *work) find(label []byte, signature *[sha256.Size]byte) *Reason {
	var found item
	n, times := 0, 0
	s := scanner{text: w.signatures}
	for ; n <= maxLabels; n++ {
		key := s.member(n)
		if key == nil {
			break
		}
		if !s.take('=') {
			return malformed
		}
		value := s.item()
		for {
			if _, _, ok := s.parameter(); !ok {
				break
			}
		}
		if s.bad || value.kind != aBytes {
			return malformed
		}
		if string(key) == string(label) {
			found = value
			times++
		}
	}
	switch {
	case n > maxLabels:
		return tooLong
	case s.bad || times > 1:
		return malformed
	case times == 0:
		return missing
	case !decodeExactly(signature[:], found):
		return mismatch // hmac-sha256 makes 32 bytes
	}
	return nil
}

// compare makes the signature with each secret of the key and compares. The
// work for an unknown key, and for one that is rotated, is the same.
func (v *Verifier) compare(keyID string, w *work, signature *[sha256.Size]byte) *Reason {
	const usual = 2 // secrets of a key that is rotated
	secrets := v.secrets.SigningSecrets(keyID)
	known, holds := false, false
	for i := range max(usual, len(secrets)) {
		secret, real := v.dummy, false
		if i < len(secrets) && len(secrets[i]) >= minSecret {
			secret, real = secrets[i], true
		}
		h := hmac.New(sha256.New, secret)
		h.Write(w.base)
		if hmac.Equal(h.Sum(w.sum[:0]), signature[:]) && real {
			holds = true
		}
		known = known || real
	}
	switch {
	case holds:
		return nil
	case known:
		return mismatch
	}
	return unknownKey
}

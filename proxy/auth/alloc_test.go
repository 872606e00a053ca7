//go:build !race

package auth

import (
	"encoding/binary"
	"testing"
	"time"
)

// TestAllocVerify holds the allocations of a verified request: the key's id,
// its secrets as the tests keep them (2), and two HMAC (5 each, by crypto/hmac).
// A replay costs the same, for the nonce comes last.
func TestAllocVerify(t *testing.T) {
	v := newTestVerifier(t, SignatureRules{})
	x := mustExchange(t, signedPost(t))
	if _, _, reason := v.Verify(x, testTime); reason != nil {
		t.Fatal(reason)
	}
	f := func(what string, now time.Time, want string, most float64) {
		t.Helper()
		var got *Reason
		n := testing.AllocsPerRun(100, func() { _, _, got = v.Verify(x, now) })
		if got.Error() != want || n > most {
			t.Fatalf("%s: got %s and %g allocations; want %s and at most %g", what, got, n, want, most)
		}
	}
	f("a replay", testTime, "replayed", 13)
	f("an old one", testTime.Add(time.Hour), "expired", 0)
	v.secrets = keys{}
	f("an unknown key", testTime, "unknown_key", 11)
}

func TestAllocNonces(t *testing.T) {
	n, _ := NewNonces(1<<12, time.Hour)
	nonce, scratch, i := make([]byte, 24), make([]byte, 0, 64), uint64(0)
	for i = range 1 << 11 { // room for the maps
		binary.BigEndian.PutUint64(nonce, i)
		_ = n.use(appendIdentity(scratch, []byte("key"), nonce), 1, testTime)
	}
	if got := testing.AllocsPerRun(100, func() { _ = n.use(appendIdentity(scratch, []byte("key"), nonce), 1, testTime) }); got != 0 {
		t.Fatalf("got %g allocations; want 0", got)
	}
}

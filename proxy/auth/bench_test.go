package auth

import (
	"encoding/binary"
	"testing"
	"time"

	"weir/proxy/exchange"
)

func BenchmarkVerify(b *testing.B) {
	f := func(name, head string, change func(*Verifier), want string) {
		b.Run(name, func(b *testing.B) {
			v := newTestVerifier(b, SignatureRules{})
			change(v)
			x := mustExchange(b, head)
			b.ReportAllocs()
			for b.Loop() {
				if want == "" {
					v.nonces.forget()
				}
				verifyOne(b, v, x, want)
			}
		})
	}
	get := signHead(b, "GET /pets HTTP/1.1\r\nHost: api.example.org\r\n\r\n", testSecret,
		inputOf(testTime, "key-1", testNonce, "@method", "@path", "@authority"))
	f("get", get, func(*Verifier) {}, "")
	f("post", signedPost(b), func(*Verifier) {}, "")
	f("unknown", get, func(v *Verifier) { v.secrets = keys{} }, "unknown_key")
	f("mismatch", get, func(v *Verifier) { v.secrets = keys{"key-1": {"another secret of 32 characters."}} }, "mismatch")
}

func verifyOne(b *testing.B, v *Verifier, x *exchange.Exchange, want string) {
	_, _, reason := v.Verify(x, testTime)
	if (reason == nil) != (want == "") || (reason != nil && reason.Name != want) {
		b.Fatalf("got %v; want %q", reason, want)
	}
}

// forget makes every nonce good again.
func (n *Nonces) forget() {
	for i := range n.shards {
		clear(n.shards[i].fresh.used)
	}
}

func BenchmarkNonces(b *testing.B) {
	n, _ := NewNonces(1<<20, time.Hour)
	nonce, scratch, i := make([]byte, 24), make([]byte, 0, 64), uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		i++
		binary.BigEndian.PutUint64(nonce, i)
		_ = n.use(appendIdentity(scratch, []byte("key"), nonce), 1, testTime)
	}
}

package plans

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"weir/ratelimit"
)

// many makes a store with n keys in one plan.
func many(b *testing.B, n int, o Options) (*Store, [][]byte) {
	s := openAt(b, o)
	plan := must[Plan](b)(s.CreatePlan(Plan{Name: "p", Stages: stages("pets/prod"), Quota: &Quota{Limit: MaxQuota, Period: ratelimit.Month}}))
	var text strings.Builder
	text.WriteString("name,key,usageplanids\n")
	values := make([][]byte, n)
	for i := range values {
		values[i] = []byte(valueOf(i))
		fmt.Fprintf(&text, "n,%s,%s\n", values[i], plan.ID)
	}
	must[Imported](b)(s.ImportCSV(strings.NewReader(text.String()), true))
	return s, values
}

// asRead returns values in another order than that of the keys in memory, side
// by side: that of a request was just read, and is in the cache.
func asRead(values [][]byte) [][]byte {
	var flat []byte
	for _, n := range rand.Perm(len(values)) {
		flat = append(flat, values[n]...)
	}
	out := make([][]byte, len(values))
	for n := range out {
		out[n] = flat[n*newValue : (n+1)*newValue]
	}
	return out
}

func BenchmarkDigest(b *testing.B) {
	s, value := newSecret(), []byte(valueOf(1))
	b.Run("cascade", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.digest(value)
		}
	})
	b.Run("hmac", func(b *testing.B) {
		b.ReportAllocs()
		h, sum := hmac.New(sha256.New, s[:]), make([]byte, 0, sha256.Size)
		for b.Loop() {
			h.Reset()
			h.Write(value)
			h.Sum(sum)
		}
	})
}

func BenchmarkIdentify(b *testing.B) {
	for _, n := range []int{1, 100_000} {
		s, values := many(b, n, Options{})
		values = asRead(values)
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if id, _ := s.Identify(values[i%n]); id == nil {
					b.Fatal("unknown")
				}
			}
		})
	}
}

func BenchmarkMemberAndTake(b *testing.B) {
	for _, n := range []int{1, 100_000} {
		s, values := many(b, n, Options{})
		identities := make([]*Identity, n)
		for i, value := range values {
			identities[i], _ = s.Identify(value)
		}
		now := time.Now()
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				m, _ := identities[i*7919%n].Member("pets/prod")
				m.Take(now)
			}
		})
		b.Run(fmt.Sprintf("keys=%d/parallel", n), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					m, _ := identities[i*7919%n].Member("pets/prod")
					m.Take(now)
				}
			})
		})
	}
}

func BenchmarkFlush(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		s, values := many(b, n, Options{Directory: b.TempDir(), Flush: time.Hour})
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			for b.Loop() {
				for _, value := range values {
					i, _ := s.Identify(value)
					m, _ := i.Member("pets/prod")
					m.Take(time.Now())
				}
				if err := s.writeUses(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

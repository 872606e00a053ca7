package shared

import (
	"strconv"
	"testing"

	"weir/ratelimit/shared/redistest"
)

func BenchmarkTake(b *testing.B) {
	server := redistest.Start(b)
	c := client(b, patient(server.Address))
	many := make([][]byte, 50_000)
	for i := range many {
		many[i] = []byte("192.0.2." + strconv.Itoa(i))
	}
	for _, mode := range []Mode{Fast, Exact} {
		l := c.Limit(mode.String(), rate(b, 1e6, 1e6), mode, Closed)
		run := func(name string, identity func(i int) []byte) {
			b.Run(mode.String()+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for i := range b.N {
					l.Take(identity(i), c.Now(), 0)
				}
			})
		}
		run("one", func(int) []byte { return many[0] })
		run("many", func(i int) []byte { return many[i%len(many)] })
		b.Run(mode.String()+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					l.Take(many[1], c.Now(), 0)
				}
			})
		})
	}
}

package bench

import (
	"fmt"
	"strconv"
	"testing"
)

// BenchmarkServeMiss is what a fetch for everybody costs beside a plain one: each
// request is for an answer that nobody has asked for before.
func BenchmarkServeMiss(b *testing.B) {
	g := startGateway(b, fmt.Sprintf(`
apis:
  bench:
    routes:
      - { path: /kept, upstream: fresh, cache: { ttl: 1h } }
      - { path: /plain, upstream: fresh }
upstreams: { fresh: { targets: [ "http://%s" ] } }
`, startFresh(b, 1<<10)), metrics)
	asked := 0
	for _, path := range []string{"/plain", "/kept"} {
		b.Run(path[1:], func(b *testing.B) {
			client := dial(b, g.address)
			status := []byte("HTTP/1.1 200 ")
			var request []byte
			b.ReportAllocs()
			begun := cpuTime()
			for range b.N {
				asked++
				request = strconv.AppendInt(append(append(append(request[:0], "GET "...), path...), '?'), int64(asked), 10)
				request = append(append(append(request, " HTTP/1.1\r\n"...), usual...), "\r\n"...)
				if _, err := client.do(request, 1, status); err != nil {
					b.Fatal(err)
				}
			}
			reportCPU(b, begun)
		})
	}
}

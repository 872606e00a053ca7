package bench

import (
	"fmt"
	"testing"

	"weir/proxy/front"
	"weir/proxy/h1"
	"weir/proxy/wire"
)

// warmUp opens the connections and fills the pools before anything is counted.
const warmUp = 32

func overLoopback(b *testing.B, g *gateway, c *wayCase) {
	client := dial(b, g.address)
	bytes := exchangeAll(b, client, c, warmUp)
	b.SetBytes(int64(bytes))
	b.ReportAllocs()
	begun := cpuTime()
	b.ResetTimer()
	exchangeAll(b, client, c, b.N)
	b.StopTimer()
	reportCPU(b, begun)
}

// exchangeAll has requests answered, at least so many, and returns the bytes
// of the last one and its answer's body.
func exchangeAll(b *testing.B, client *client, c *wayCase, requests int) int {
	body := 0
	for i := 0; i < requests; i += c.answers {
		var err error
		if body, err = client.do(c.request, c.answers, c.status); err != nil {
			b.Fatal(err)
		}
	}
	return len(c.request)/c.answers + body
}

// connectionsEach is how many connections each processor has in the parallel
// benchmarks, so that some requests always wait: what a busy gateway sees.
const connectionsEach = 16

func overLoopbackParallel(b *testing.B, g *gateway, c *wayCase) {
	b.SetParallelism(connectionsEach)
	b.ReportAllocs()
	begun := cpuTime()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		client := dial(b, g.address)
		for asked := 0; pb.Next(); asked++ {
			if asked%c.answers != 0 {
				continue // was asked for with the one before
			}
			if _, err := client.do(c.request, c.answers, c.status); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	reportCPU(b, begun)
}

func inMemory(b *testing.B, server *h1.Server, c *wayCase) {
	b.ReportAllocs()
	begun := cpuTime()
	if got := serveMemory(b, server, c, times(b.N)); got != b.N {
		b.Fatalf("%s: got %d answers; want %d", c.name, got, b.N)
	}
	reportCPU(b, begun)
}

// times returns a function that says true so many times.
func times(n int) func() bool {
	return func() bool {
		n--
		return n >= 0
	}
}

// spread asks for another route each time, in an order that no cache foresees.
func spread(b *testing.B, server *h1.Server, routes int) {
	requests := make([][]byte, routes)
	for i := range requests {
		requests[i] = fmt.Appendf(nil, "GET /area-%d/service-%d/17 HTTP/1.1\r\n%s\r\n", i%97, i, usual)
	}
	status := []byte("HTTP/1.1 200 ")
	at, more := uint32(1), times(b.N)
	nc := &memoryConn{status: status}
	nc.next = func() bool {
		at = at*1664525 + 1013904223 // Numerical Recipes' generator
		nc.request = requests[int(at>>8)%routes]
		return more()
	}
	b.ReportAllocs()
	b.ResetTimer()
	begun := cpuTime()
	server.Serve(wire.NewConn(nc), front.Origin{Listener: "main"}, nil)
	reportCPU(b, begun)
	if nc.wrong != nil {
		b.Fatalf("got %q; want %q", nc.wrong, status)
	}
}

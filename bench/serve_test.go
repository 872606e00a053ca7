package bench

import (
	"fmt"
	"testing"
)

// BenchmarkServe is one client on one connection over the loopback, metrics
// on: the processor time of it all. One operation is one request.
func BenchmarkServe(b *testing.B) {
	g := startGateway(b, documentOf(startUpstreams(b), fewRoutes), metrics)
	for _, c := range cases() {
		b.Run(c.name, func(b *testing.B) { overLoopback(b, g, &c) })
	}
}

// BenchmarkServeParallel is many connections at once, on as many shards as
// there are processors.
func BenchmarkServeParallel(b *testing.B) {
	g := startGateway(b, documentOf(startUpstreams(b), fewRoutes), metrics+" -shards=0")
	for _, c := range cases() {
		b.Run(c.name, func(b *testing.B) { overLoopbackParallel(b, g, &c) })
	}
}

// BenchmarkServeMemory leaves the sockets out: what weir itself spends on a
// request that it answers, measured far below the noise of the kernel.
func BenchmarkServeMemory(b *testing.B) {
	g := startGateway(b, documentOf(startUpstreams(b), fewRoutes), metrics)
	front := g.front()
	for _, c := range cases() {
		if c.local && c.answers == 1 {
			b.Run(c.name, func(b *testing.B) { inMemory(b, front, &c) })
		}
	}
}

// BenchmarkServeObserved is the price of metrics and access log.
func BenchmarkServeObserved(b *testing.B) {
	up := startUpstreams(b)
	for _, s := range []struct{ name, flags string }{{"none", bare}, {"metrics", metrics}, {"log", logged}, {"both", full}} {
		g := startGateway(b, documentOf(up, fewRoutes), s.flags)
		front := g.front()
		answer, proxied := caseNamed(b, "answer"), caseNamed(b, "proxied-1k")
		b.Run(s.name+"/answer", func(b *testing.B) { inMemory(b, front, &answer) })
		b.Run(s.name+"/proxied-1k", func(b *testing.B) { overLoopback(b, g, &proxied) })
	}
}

// BenchmarkServeRoutes is the price of many routes: the same requests among
// a few and among ten thousand, and requests spread over all of them.
func BenchmarkServeRoutes(b *testing.B) {
	up := startUpstreams(b)
	for _, routes := range []int{fewRoutes, manyRoutes} {
		front := startGateway(b, documentOf(up, routes), metrics).front()
		for _, name := range []string{"answer", "param", "notfound"} {
			c := caseNamed(b, name)
			b.Run(fmt.Sprintf("%d/%s", routes, name), func(b *testing.B) { inMemory(b, front, &c) })
		}
	}
	front := startGateway(b, documentOf(up, manyRoutes), metrics).front()
	b.Run(fmt.Sprintf("%d/spread", manyRoutes), func(b *testing.B) { spread(b, front, manyRoutes-caseRoutes) })
}

package route

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchTree has n routes of the shape that an API with many resources has. The paths hit them in random order but lie
// in memory in the order of their use, and they are as many and as long for every n: only the tree differs.
func benchTree(tb testing.TB, n int, pattern, path string) (tree *Tree[int], paths [][]byte) {
	tb.Helper()
	var b Builder[int]
	for i := range n {
		if err := b.Add("GET", fmt.Sprintf(pattern, i), i); err != nil {
			tb.Fatal(err)
		}
	}
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(10000) {
		paths = append(paths, fmt.Appendf(nil, path, i%n))
	}
	return b.Build(), paths
}

func BenchmarkFind(b *testing.B) {
	f := func(name string, n int, pattern, path string, want Outcome) {
		b.Run(name, func(b *testing.B) {
			tree, paths := benchTree(b, n, pattern, path)
			method := []byte("GET")
			var p Params
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, outcome := tree.Find(method, paths[i], &p, nil); outcome != want {
					b.Fatalf("got %s; want %s", outcome, want)
				}
				if i++; i == len(paths) {
					i = 0
				}
			}
		})
	}
	const static, staticPath = "/api/v1/resource-%04d/items", "/api/v1/resource-%04d/items"
	const param, paramPath = "/api/v1/resource-%04d/{id}/items/{item}", "/api/v1/resource-%04d/1234567/items/42"
	f("static-10", 10, static, staticPath, Found)
	f("static-10000", 10000, static, staticPath, Found)
	f("param-10", 10, param, paramPath, Found)
	f("param-10000", 10000, param, paramPath, Found)
	f("greedy", 10, "/api/v1/resource-%04d/{path+}", "/api/v1/resource-%04d/a/b/c/d", Found)
	f("miss", 10000, param, "/api/v1/resource-%04d/1234567/items", NoPath)
}

func BenchmarkBuild(b *testing.B) {
	const n = 10000
	var patterns []string
	for i := range n {
		patterns = append(patterns, fmt.Sprintf("/api/v1/resource-%04d/{id}/items/{item}", i))
	}
	b.Run(fmt.Sprint(n), func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var builder Builder[int]
			for i, pattern := range patterns {
				if err := builder.Add("GET", pattern, i); err != nil {
					b.Fatal(err)
				}
			}
			builder.Build()
		}
	})
}

func BenchmarkDomains(b *testing.B) {
	f := func(name, host, path string) {
		b.Run(name, func(b *testing.B) {
			var builder DomainsBuilder[int]
			for i := range 200 {
				for _, domain := range []string{"api%d.example.org", "*.t%d.example.org"} {
					if err := builder.Add(fmt.Sprintf(domain, i), "v1", i); err != nil {
						b.Fatal(err)
					}
				}
			}
			domains, host, path := builder.Build(), []byte(host), []byte(path)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, outcome := domains.Find(host, path); outcome != Found {
					b.Fatalf("got %s; want found", outcome)
				}
			}
		})
	}
	f("exact", "api7.example.org:8080", "/v1/pets/7")
	f("wildcard", "a.b.T7.Example.org", "/v1/pets/7")
}

func BenchmarkCanonical(b *testing.B) {
	f := func(name, raw string) {
		b.Run(name, func(b *testing.B) {
			raw, dst := []byte(raw), make([]byte, 0, 256)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := AppendCanonical(dst, raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	f("clean", "/api/v1/resource-42/1234567/items/a%2Fb")
	f("dirty", "/api//v1/./resource%2D42/x/../1234567/items/a%2fb")
}

package route

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchShape is how the routes of a tree look, by their numbers, and a path that each of them matches.
type benchShape struct {
	name          string
	pattern, path func(i int) string
}

var benchShapes = []benchShape{
	{"static", format("/api/v1/resource-%04d/items"), format("/api/v1/resource-%04d/items")},
	{"param", format("/api/v1/resource-%04d/{id}/items/{item}"), format("/api/v1/resource-%04d/1234567/items/42")},
	// Four routes a resource, so that the ways of patterns part and end in many places.
	{"resource", func(i int) string {
		return fmt.Sprintf("/api/v1/resource-%04d", i/4) + []string{"", "/{id}", "/{id}/items", "/{id}/items/{item}"}[i%4]
	}, func(i int) string {
		return fmt.Sprintf("/api/v1/resource-%04d", i/4) + []string{"", "/1234567", "/1234567/items", "/1234567/items/42"}[i%4]
	}},
	// A hundred services of a hundred resources each: with many routes there is one level more to choose on.
	{"service", func(i int) string { return fmt.Sprintf("/service-%02d/resource-%02d/{id}/items", i%100, i/100) },
		func(i int) string { return fmt.Sprintf("/service-%02d/resource-%02d/1234567/items", i%100, i/100) }},
}

func format(text string) func(i int) string {
	return func(i int) string { return fmt.Sprintf(text, i) }
}

// benchTree has n routes. The paths hit them in random order but lie in memory in the order of their use, and they are
// as many and as long for every n: only the tree differs.
func benchTree(tb testing.TB, n int, shape benchShape) (tree *Tree[int], paths [][]byte) {
	tb.Helper()
	var b Builder[int]
	for i := range n {
		if err := b.Add("GET", shape.pattern(i), i); err != nil {
			tb.Fatal(err)
		}
	}
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(10000) {
		paths = append(paths, []byte(shape.path(i%n)))
	}
	return b.Build(), paths
}

func BenchmarkFind(b *testing.B) {
	f := func(shape benchShape, n int, want Outcome) {
		b.Run(fmt.Sprintf("%s-%d", shape.name, n), func(b *testing.B) {
			tree, paths := benchTree(b, n, shape)
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
	for _, shape := range benchShapes {
		f(shape, 10, Found)
		f(shape, 10000, Found)
	}
	f(benchShape{"greedy", format("/api/v1/resource-%04d/{path+}"), format("/api/v1/resource-%04d/a/b/c/d")}, 10, Found)
	f(benchShape{"miss", benchShapes[1].pattern, format("/api/v1/resource-%04d/1234567/items")}, 10000, NoPath)
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

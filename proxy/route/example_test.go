package route_test

import (
	"fmt"

	"weir/proxy/route"
)

func Example() {
	b := route.Builder[string]{MethodFallback: true}
	_ = b.Add("GET", "/pets/{id}", "one pet")
	_ = b.Add("ANY", "/pets/{proxy+}", "the rest")
	tree := b.Build()

	path, _ := route.AppendCanonical(nil, []byte("/shop/%2e%2e/pets//7"))
	var p route.Params
	value, outcome := tree.Find([]byte("GET"), path, &p, nil)
	fmt.Printf("%s: %s, %s, %s=%s\n", path, outcome, value, p.Name(0), p.Value(path, 0))
	// Output: /pets/7: found, one pet, id=7
}

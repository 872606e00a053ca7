package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// DefaultPattern is the pattern of the last resort, which matches every path.
const DefaultPattern = "$default"

// maxMethods is far above what HTTP has (RFC 9110 and WebDAV: some forty); unusual ones are searched one by one.
const maxMethods = 256

// Builder makes a Tree. The zero value is ready for use. It serves one goroutine.
type Builder[T any] struct {
	// MethodFallback goes on to less specific patterns, and at last to "$default", where the most specific one that
	// matches the path lacks the method, as HTTP APIs do. Without it that one decides: NoMethod, as in REST APIs.
	MethodFallback bool

	root        *sprout
	leaves      [][]added[T]
	defaultLeaf int32
	methods     []string
}

type added[T any] struct {
	method methodNumber
	entry  entry[T]
}

// Add adds a value for a method ("" or "ANY": any) and a pattern: "/a/{id}/b", "/a/{path+}" or "$default".
// Values may share both; those added first are tried first.
func (b *Builder[T]) Add(method, pattern string, value T) error {
	if err := b.add(method, pattern, value); err != nil {
		return fmt.Errorf("cannot add route %q: %w", strings.TrimSpace(method+" "+pattern), err)
	}
	return nil
}

func (b *Builder[T]) add(method, pattern string, value T) error {
	if b.root == nil {
		b.root, b.defaultLeaf = newSprout(), none
	}
	number, err := b.number(method)
	if err != nil {
		return err
	}
	if pattern == DefaultPattern {
		if number != anyMethod {
			return errors.New("the default route has no method of its own")
		}
		b.put(&b.defaultLeaf, added[T]{entry: entry[T]{value: value}})
		return nil
	}
	segments, names, err := parsePattern(pattern)
	if err != nil {
		return err
	}
	b.put(b.root.grow(segments), added[T]{method: number, entry: entry[T]{value: value, names: names}})
	return nil
}

func (b *Builder[T]) number(method string) (methodNumber, error) {
	if method == "" || method == "ANY" {
		return anyMethod, nil
	}
	if !isMethod(method) {
		return 0, fmt.Errorf("%q is not a method in upper case", method)
	}
	if n := usualMethod([]byte(method)); n != unknownMethod {
		return n, nil
	}
	if n := otherMethod(b.methods, []byte(method)); n != unknownMethod {
		return n, nil
	}
	if len(b.methods) == maxMethods {
		return 0, fmt.Errorf("more than %d unusual methods", maxMethods)
	}
	b.methods = append(b.methods, strings.Clone(method))
	return otherMethod(b.methods, []byte(method)), nil
}

func (b *Builder[T]) put(leaf *int32, a added[T]) {
	if *leaf == none {
		*leaf = int32(len(b.leaves))
		b.leaves = append(b.leaves, nil)
	}
	b.leaves[*leaf] = append(b.leaves[*leaf], a)
}

// Build returns a tree of what was added so far. The builder may be used further; the tree does not change by it.
func (b *Builder[T]) Build() *Tree[T] {
	t := &Tree[T]{defaultLeaf: none, fallback: b.MethodFallback, methods: slices.Clone(b.methods)}
	if b.root == nil {
		t.shape = newSprout().pack(nil)
		return t
	}
	places := make([]int32, len(b.leaves))
	for i, leaf := range b.leaves {
		places[i] = t.appendLeaf(leaf)
	}
	t.shape = b.root.pack(places)
	if b.defaultLeaf != none {
		t.defaultLeaf = places[b.defaultLeaf]
	}
	return t
}

// appendLeaf groups a leaf's values by method, in the order of their first, those for any method last.
func (t *Tree[T]) appendLeaf(leaf []added[T]) int32 {
	var methods []methodNumber
	hasAny := false
	for _, a := range leaf {
		switch {
		case a.method == anyMethod:
			hasAny = true
		case !slices.Contains(methods, a.method):
			methods = append(methods, a.method)
		}
	}
	if hasAny {
		methods = append(methods, anyMethod)
	}
	first := int32(len(t.groups))
	for i, m := range methods {
		g := group{method: m, isLast: i == len(methods)-1, from: uint32(len(t.entries))}
		for _, a := range leaf {
			if a.method == m {
				t.entries = append(t.entries, a.entry)
			}
		}
		g.to = uint32(len(t.entries))
		t.groups = append(t.groups, g)
	}
	return first
}

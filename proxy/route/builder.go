package route

import (
	"cmp"
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
	leaves      [][]entry[T]
	defaultLeaf int32
	methods     []string
	names       [][]string
	namesNumber map[string]uint32 // by the names, joined by slashes
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
		b.names, b.namesNumber = [][]string{nil}, map[string]uint32{"": 0}
	}
	number, err := b.methodNumber(method)
	if err != nil {
		return err
	}
	if pattern == DefaultPattern {
		if number != anyMethod {
			return errors.New("the default route has no method of its own")
		}
		b.put(&b.defaultLeaf, entry[T]{value: value})
		return nil
	}
	segments, names, err := parsePattern(pattern)
	if err != nil {
		return err
	}
	b.put(b.root.grow(segments), entry[T]{value: value, names: b.numberOf(names), method: number})
	return nil
}

func (b *Builder[T]) methodNumber(method string) (methodNumber, error) {
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

func (b *Builder[T]) numberOf(names []string) uint32 {
	key := strings.Join(names, "/")
	n, ok := b.namesNumber[key]
	if !ok {
		n = uint32(len(b.names))
		b.namesNumber[key] = n
		b.names = append(b.names, names)
	}
	return n
}

func (b *Builder[T]) put(leaf *int32, e entry[T]) {
	if *leaf == none {
		*leaf = int32(len(b.leaves))
		b.leaves = append(b.leaves, nil)
	}
	b.leaves[*leaf] = append(b.leaves[*leaf], e)
}

// Build returns a tree of what was added so far. The builder may be used further; the tree does not change by it.
func (b *Builder[T]) Build() *Tree[T] {
	t := &Tree[T]{defaultLeaf: none, fallback: b.MethodFallback, methods: slices.Clone(b.methods), names: slices.Clone(b.names)}
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

// appendLeaf appends a leaf's entries by method, those for any method last, and else in the order of their adding.
func (t *Tree[T]) appendLeaf(leaf []entry[T]) int32 {
	first := len(t.entries)
	t.entries = append(t.entries, leaf...)
	slices.SortStableFunc(t.entries[first:], func(a, b entry[T]) int {
		if a.method == anyMethod || b.method == anyMethod {
			return cmp.Compare(b.method, a.method)
		}
		return cmp.Compare(a.method, b.method)
	})
	t.entries[len(t.entries)-1].isLast = true
	return int32(first)
}

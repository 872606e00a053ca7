package route

import "slices"

// Outcome is what a search came to. The zero value is none of them.
type Outcome uint8

const (
	Found    Outcome = iota + 1
	NoMethod         // patterns match the path, but none of them has the method
	NoPath           // no pattern or base path matches the path, or conditions refuse all that do
	NoDomain         // the host is none of the domains
)

func (o Outcome) String() string {
	switch o {
	case Found:
		return "found"
	case NoMethod:
		return "no method"
	case NoPath:
		return "no path"
	case NoDomain:
		return "no domain"
	}
	return "unknown"
}

// Accepter decides about conditions beyond method and path: headers, query, address.
// Accept is called from most to least specific value until it accepts one; a value without conditions is accepted.
type Accepter[T any] interface {
	Accept(value T) bool
}

// Tree finds the value for a method and a path. It is made by a Builder, immutable, and safe for concurrent use.
type Tree[T any] struct {
	shape       shape
	entries     []entry[T] // a leaf is the index of its first
	names       [][]string // of parameters, each list once
	methods     []string   // those other than the usual, in the order of their numbers
	defaultLeaf int32
	fallback    bool
}

// entry is one value of a leaf. A leaf's entries of one method lie together, those for any method last.
type entry[T any] struct {
	value  T
	names  uint32 // which list
	method methodNumber
	isLast bool // of its leaf
}

// Find returns the value of the most specific pattern that matches the path, has the method, and is accepted.
// path is canonical. p is set if the outcome is Found. A nil accept accepts everything; to allocate nothing, another
// one points into what the caller has anyway, for its value moves to the heap.
func (t *Tree[T]) Find(method, path []byte, p *Params, accept Accepter[T]) (value T, outcome Outcome) {
	p.names = nil
	number := t.methodNumber(method)
	outcome = NoPath
	if len(path) > 0 && path[0] == '/' {
		w := newWalk(path, p)
		wasRefused := false
		for leaf := t.shape.first(&w); leaf != none; leaf = t.shape.next(&w) {
			e, hasMethod := t.choose(leaf, number, accept)
			if e != nil {
				p.names = t.names[e.names]
				return e.value, Found
			}
			// A method that only conditions refuse is not missing: to answer 405 with it under Allow would be a lie.
			wasRefused = wasRefused || hasMethod
			if outcome = NoMethod; wasRefused {
				outcome = NoPath
			}
			if !hasMethod && !t.fallback {
				return value, outcome
			}
		}
	}
	if t.defaultLeaf != none {
		if e, _ := t.choose(t.defaultLeaf, number, accept); e != nil {
			return e.value, Found
		}
	}
	return value, outcome
}

// choose returns the first entry of a leaf that has the method and is accepted, and whether any has the method.
func (t *Tree[T]) choose(leaf int32, number methodNumber, accept Accepter[T]) (chosen *entry[T], hasMethod bool) {
	for i := leaf; ; i++ {
		e := &t.entries[i]
		if e.method == number || e.method == anyMethod {
			hasMethod = true
			if accept == nil || accept.Accept(e.value) {
				return e, true
			}
		}
		if e.isLast {
			return nil, hasMethod
		}
	}
}

// Allow returns the methods that a path has, sorted, for the Allow header of a 405; nil if there are none.
// Conditions do not count. A pattern for any method stands for the seven that AWS means by ANY.
func (t *Tree[T]) Allow(path []byte) []string { return t.AppendAllow(nil, path) }

// AppendAllow puts what Allow returns into dst, whose elements are given up.
func (t *Tree[T]) AppendAllow(dst []string, path []byte) []string {
	methods := dst[:0]
	if len(path) > 0 && path[0] == '/' {
		w := newWalk(path, new(Params))
		for leaf := t.shape.first(&w); leaf != none; leaf = t.shape.next(&w) {
			methods = t.appendMethods(methods, leaf)
			if !t.fallback {
				break
			}
		}
	}
	if t.defaultLeaf != none && (len(methods) == 0 || t.fallback) {
		methods = t.appendMethods(methods, t.defaultLeaf)
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}

func (t *Tree[T]) appendMethods(methods []string, leaf int32) []string {
	for i := leaf; ; i++ {
		e := &t.entries[i]
		if e.method == anyMethod {
			methods = append(methods, "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
		} else {
			methods = append(methods, t.methodName(e.method))
		}
		if e.isLast {
			return methods
		}
	}
}

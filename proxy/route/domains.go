package route

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// DefaultDomain is the domain of the last resort, which every well-formed host matches, also an empty one.
const DefaultDomain = "*"

// Domains finds the value for a host and a path. It is made by a DomainsBuilder, immutable, and safe for concurrent
// use.
type Domains[T any] struct {
	exact           map[string]*domain[T]
	wildcard        map[string]*domain[T] // by what follows "*."
	longestWildcard int                   // bytes of the longest key
	fallback        *domain[T]
}

// domain is a host's base paths: a shape without parameters, whose leaves are the indexes of values.
type domain[T any] struct {
	bases  shape
	values []T
}

// Find returns the value of the longest base path of the most specific domain: exact, then the longest wildcard, then
// the default. Only the chosen domain's base paths count. host may have a port, a trailing dot and any case.
// rest is what is left of the canonical path; it begins with a slash and is part of path.
func (d *Domains[T]) Find(host, path []byte) (value T, rest []byte, outcome Outcome) {
	found := d.domain(host)
	if found == nil {
		return value, nil, NoDomain
	}
	leaf, end := found.bases.longestBase(path)
	if leaf == none {
		return value, nil, NoPath
	}
	if end == len(path) {
		return found.values[leaf], path[:1:1], Found // the slash that every path begins with serves as the rest
	}
	return found.values[leaf], path[end:], Found
}

func (d *Domains[T]) domain(host []byte) *domain[T] {
	var buffer [maxHostBytes]byte
	name, ok := appendHostName(buffer[:0], host)
	if !ok {
		return nil
	}
	if found := d.exact[string(name)]; found != nil {
		return found
	}
	if len(d.wildcard) == 0 || len(name) == 0 || name[0] == '[' {
		return d.fallback
	}
	for at := 1; at < len(name); at++ {
		i := bytes.IndexByte(name[at:], '.')
		if i < 0 {
			break
		}
		at += i
		suffix := name[at+1:]
		if len(suffix) > d.longestWildcard {
			continue
		}
		if found := d.wildcard[string(suffix)]; found != nil {
			return found
		}
	}
	return d.fallback
}

// longestBase returns the leaf of the longest static pattern that path begins with, by whole segments, and where in
// path it ends.
func (s *shape) longestBase(path []byte) (leaf int32, end int) {
	leaf = none
	if len(path) == 0 || path[0] != '/' {
		return leaf, 0
	}
	w := walk{path: path, end: len(path)}
	at, pos := uint32(0), 0
	for {
		n := &s.nodes[at]
		if n.leaf != none {
			leaf, end = n.leaf, pos
		}
		if pos == len(path) {
			return leaf, end
		}
		next := len(path)
		if i := bytes.IndexByte(path[pos+1:], '/'); i >= 0 {
			next = pos + 1 + i
		}
		if at = s.static(at, path[pos+1:next]); at == 0 {
			return leaf, end
		}
		if pos = s.follow(&w, at, next, 0); pos < 0 {
			return leaf, end
		}
	}
}

// DomainsBuilder makes a Domains. The zero value is ready for use. It serves one goroutine.
type DomainsBuilder[T any] struct {
	domains map[string]*growingDomain[T]
}

type growingDomain[T any] struct {
	bases  *sprout
	values []T
}

// Add adds a value for a domain ("api.example.org", "*.example.org" for one or more labels in front, "*" for every
// other host) and a base path ("", "/" or "(none)" for all paths; "v1"; "/shop/v2").
func (b *DomainsBuilder[T]) Add(domain, basePath string, value T) error {
	if err := b.add(domain, basePath, value); err != nil {
		return fmt.Errorf("cannot map base path %q of domain %q: %w", basePath, domain, err)
	}
	return nil
}

func (b *DomainsBuilder[T]) add(domain, basePath string, value T) error {
	name, err := parseDomain(domain)
	if err != nil {
		return err
	}
	if basePath == "(none)" {
		basePath = ""
	}
	if !strings.HasPrefix(basePath, "/") {
		basePath = "/" + basePath
	}
	segments, names, err := parsePattern(basePath)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		return errors.New("a base path has no parameters")
	}
	if b.domains == nil {
		b.domains = make(map[string]*growingDomain[T])
	}
	d := b.domains[name]
	if d == nil {
		d = &growingDomain[T]{bases: newSprout()}
		b.domains[name] = d
	}
	leaf := d.bases.grow(segments)
	if *leaf != none {
		return errors.New("it is mapped already")
	}
	*leaf = int32(len(d.values))
	d.values = append(d.values, value)
	return nil
}

// Build returns what was added so far. The builder may be used further; the result does not change by it.
func (b *DomainsBuilder[T]) Build() *Domains[T] {
	d := &Domains[T]{exact: make(map[string]*domain[T]), wildcard: make(map[string]*domain[T])}
	for name, growing := range b.domains {
		packed := &domain[T]{bases: growing.bases.pack(nil), values: append([]T(nil), growing.values...)}
		suffix, isWildcard := strings.CutPrefix(name, "*.")
		switch {
		case name == DefaultDomain:
			d.fallback = packed
		case isWildcard:
			d.wildcard[suffix] = packed
			d.longestWildcard = max(d.longestWildcard, len(suffix))
		default:
			d.exact[name] = packed
		}
	}
	return d
}

package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"
)

// maxAliasedNodes bounds what aliases repeat: without it a few kilobytes of them
// would unfold into gigabytes.
const maxAliasedNodes = 200_000

// decoder fills a document from YAML nodes. It goes on after a mistake, and it
// records the place of all that it reads.
type decoder struct {
	found   *findings
	shapes  shapes
	aliased int  // nodes read through aliases
	within  int  // aliases we are inside of
	bombed  bool // aliased went over its bound
	merging map[*yaml.Node]bool
}

// value reads a node into v. A mistake leaves v as it was and spoils the place.
func (d *decoder) value(n *yaml.Node, v reflect.Value, f *field, at *place) {
	if n.Kind == yaml.AliasNode {
		d.within++
		defer func() { d.within-- }()
		n = n.Alias
	}
	if d.within > 0 && !d.affordable(at) {
		return
	}
	switch {
	case v.Kind() == reflect.Pointer:
		made := reflect.New(v.Type().Elem())
		d.value(n, made.Elem(), f, at)
		if !at.spoiled {
			v.Set(made)
		}
	case isStruct(v.Type()):
		d.structure(n, v, f, at)
	case v.Kind() == reflect.Map:
		d.mapping(n, v, f, at)
	case v.Kind() == reflect.Slice:
		d.list(n, v, f, at)
	default:
		d.scalar(n, v, f, at)
	}
}

// affordable counts a node that an alias repeats.
func (d *decoder) affordable(at *place) bool {
	d.aliased++
	if d.aliased <= maxAliasedNodes {
		return true
	}
	if !d.bombed {
		d.bombed = true
		d.mistake(at, fmt.Sprintf("aliases repeat more than %d values", maxAliasedNodes), "write fewer aliases of smaller anchors")
	}
	at.spoiled = true
	return false
}

func (d *decoder) mistake(at *place, problem, suggestion string) {
	at.spoiled = true
	d.found.add(at.line, at.column, at.path(), problem, suggestion)
}

func (d *decoder) expected(at *place, what string, n *yaml.Node, suggestion string) {
	d.mistake(at, "expected "+what+", found "+describe(n), suggestion)
}

// pair is one key of a mapping and its value.
type pair struct {
	key   *yaml.Node
	value *yaml.Node
}

// pairs returns what a mapping holds, merged mappings included, and reports keys
// that are no text or written twice.
func (d *decoder) pairs(n *yaml.Node, at *place) []pair {
	list := make([]pair, 0, len(n.Content)/2)
	var merges []*yaml.Node
	lines := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = &yaml.Node{Kind: key.Alias.Kind, Tag: key.Alias.Tag, Value: key.Alias.Value, Line: key.Line, Column: key.Column}
		}
		if key.Kind == yaml.ScalarNode && key.Tag == "!!merge" {
			merges = append(merges, value)
			continue
		}
		if key.Kind != yaml.ScalarNode || key.Tag == "!!null" {
			d.found.add(int32(key.Line), int32(key.Column), at.path(), "expected text as a key, found "+describe(key), "")
			at.incomplete = true
			continue
		}
		if line, twice := lines[key.Value]; twice {
			kid := newKid(at, key, value)
			d.found.add(kid.keyLine, kid.keyColumn, kid.path(), "the key is written twice", fmt.Sprintf("it is also on line %d", line))
			continue
		}
		lines[key.Value] = key.Line
		list = append(list, pair{key, value})
	}
	for _, merge := range merges {
		list = d.merge(merge, list, lines, at)
	}
	return list
}

// merge adds the pairs of a "<<" that are not written beside it.
func (d *decoder) merge(n *yaml.Node, list []pair, lines map[string]int, at *place) []pair {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if d.merging[n] {
		return list
	}
	d.merging[n] = true
	defer delete(d.merging, n)
	switch n.Kind {
	case yaml.SequenceNode:
		for _, item := range n.Content {
			list = d.merge(item, list, lines, at)
		}
	case yaml.MappingNode:
		for _, p := range d.pairs(n, at) {
			if !d.affordable(at) {
				return list
			}
			if _, written := lines[p.key.Value]; !written {
				lines[p.key.Value] = p.key.Line
				list = append(list, p)
			}
		}
	default:
		d.found.add(int32(n.Line), int32(n.Column), at.path(), "expected a mapping after <<, found "+describe(n), "")
	}
	return list
}

func newKid(parent *place, key, value *yaml.Node) *place {
	kid := &place{
		parent: parent, key: key.Value, index: -1,
		line: int32(value.Line), column: int32(value.Column),
		keyLine: int32(key.Line), keyColumn: int32(key.Column),
	}
	if value.Kind != yaml.ScalarNode {
		kid.line, kid.column = kid.keyLine, kid.keyColumn
	}
	return kid
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, f *field, at *place) {
	if isNull(n) && v.CanSet() {
		return
	}
	s := d.shapes.of(v.Type())
	if short := s.shortField(f); short != nil && n.Kind == yaml.ScalarNode {
		d.value(n, v.Field(short.index), short, at)
		return
	}
	if n.Kind != yaml.MappingNode {
		d.expected(at, "a mapping", n, "")
		return
	}
	for _, p := range d.pairs(n, at) {
		i, known := s.byName[p.key.Value]
		kid := newKid(at, p.key, p.value)
		if !known {
			d.unknownKey(s, kid)
			continue
		}
		at.add(kid)
		f := &s.fields[i]
		d.value(p.value, v.Field(f.index), f, kid)
	}
}

func (d *decoder) unknownKey(s *shape, kid *place) {
	kid.parent.incomplete = true
	suggestion := ""
	if !d.found.full() {
		suggestion = suggestName(kid.key, maps.Keys(s.byName))
	}
	if suggestion == "" && len(s.fields) <= 12 {
		suggestion = "the keys are " + listed(slices.Sorted(maps.Keys(s.byName)))
	}
	d.found.add(kid.keyLine, kid.keyColumn, kid.path(), "unknown key", suggestion)
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, f *field, at *place) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.expected(at, "a mapping", n, "")
		return
	}
	pairs := d.pairs(n, at)
	made := reflect.MakeMapWithSize(v.Type(), len(pairs))
	item := reflect.New(v.Type().Elem()).Elem()
	for _, p := range pairs {
		kid := newKid(at, p.key, p.value)
		at.add(kid)
		item.SetZero()
		d.value(p.value, item, f, kid)
		made.SetMapIndex(reflect.ValueOf(p.key.Value), item)
	}
	v.Set(made)
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, f *field, at *place) {
	if n.Kind != yaml.SequenceNode {
		suggestion := ""
		if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
			suggestion = "write [" + n.Value + "]"
		}
		d.expected(at, "a list", n, suggestion)
		return
	}
	made := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		kid := &place{parent: at, index: int32(i), line: int32(item.Line), column: int32(item.Column)}
		kid.keyLine, kid.keyColumn = kid.line, kid.column
		at.add(kid)
		d.value(item, made.Index(i), f, kid)
	}
	v.Set(made)
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// describe says what stands in the document where something else was expected.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return describe(n.Alias)
	}
	switch n.Tag {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + clip(n.Value)
	case "!!bool":
		return clip(n.Value)
	case "!!timestamp":
		return "the date " + clip(n.Value)
	}
	return "the text " + quote(n.Value)
}

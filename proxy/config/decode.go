package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strconv"

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
		d.structure(n, v, at)
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

func (d *decoder) structure(n *yaml.Node, v reflect.Value, at *place) {
	if isNull(n) && v.CanSet() {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.expected(at, "a mapping", n, "")
		return
	}
	s := d.shapes.of(v.Type())
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
	if suggestion == "" && len(s.fields) <= 8 {
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

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, f *field, at *place) {
	if n.Kind == yaml.ScalarNode && !isPlainTag(n.Tag) {
		d.mistake(at, "the tag "+quote(n.Tag)+" means nothing here", "write the value without a tag")
		return
	}
	var wrong *complaint
	switch {
	case v.Type() == durationType():
		wrong = d.duration(n, v, f)
	case v.Type() == byteSizeType():
		wrong = d.byteSize(n, v)
	case v.Type() == prefixType():
		wrong = d.prefix(n, v)
	case v.Kind() == reflect.String:
		wrong = d.text(n, v, f)
	case v.Kind() == reflect.Int:
		wrong = d.number(n, v, f)
	case v.Kind() == reflect.Bool:
		wrong = d.truth(n, v)
	default:
		panic("BUG: a document cannot hold a " + v.Type().String())
	}
	if wrong != nil {
		d.mistake(at, wrong.problem, wrong.suggestion)
	}
}

func (d *decoder) text(n *yaml.Node, v reflect.Value, f *field) *complaint {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return complain("expected text, found "+describe(n), "")
	}
	if n.Tag != "!!str" {
		return complain("expected text, found "+describe(n), "put it in quotes: "+quote(n.Value))
	}
	if f.enum != nil && !slices.Contains(f.enum, n.Value) {
		suggestion := suggestName(n.Value, slices.Values(f.enum))
		return complain(quote(n.Value)+" is not one of "+listed(f.enum), suggestion)
	}
	v.SetString(n.Value)
	return nil
}

func (d *decoder) number(n *yaml.Node, v reflect.Value, f *field) *complaint {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" {
		suggestion := ""
		if n.Kind == yaml.ScalarNode && n.Tag == "!!str" && isDecimal(n.Value) {
			suggestion = "write " + n.Value + " without quotes"
		}
		return complain("expected a whole number, found "+describe(n), suggestion)
	}
	i, err := strconv.ParseInt(n.Value, 10, 64)
	if !isDecimal(n.Value) || err != nil {
		return complain("expected a plain decimal number, found "+n.Value, "")
	}
	if f.enum != nil && !slices.Contains(f.enum, n.Value) {
		return complain(n.Value+" is not one of "+listed(f.enum), "")
	}
	if below(i, f.min) || above(i, f.max) {
		return complain(n.Value+" is out of range", f.bounds())
	}
	v.SetInt(i)
	return nil
}

func below(i int64, bound string) bool {
	least, err := strconv.ParseInt(bound, 10, 64)
	return err == nil && i < least
}

func above(i int64, bound string) bool {
	most, err := strconv.ParseInt(bound, 10, 64)
	return err == nil && i > most
}

// bounds says in words what the tags min and max say.
func (f *field) bounds() string {
	if f.max == "" {
		return "the least is " + f.min
	}
	return "it goes from " + f.min + " to " + f.max
}

func (d *decoder) truth(n *yaml.Node, v reflect.Value) *complaint {
	// YAML 1.1 had yes and on; taking them for text would be a trap.
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
		switch n.Value {
		case "yes", "Yes", "YES", "on", "On", "ON", "y", "Y":
			return complain("expected true or false, found "+describe(n), "write true")
		case "no", "No", "NO", "off", "Off", "OFF", "n", "N":
			return complain("expected true or false, found "+describe(n), "write false")
		}
	}
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		return complain("expected true or false, found "+describe(n), "")
	}
	v.SetBool(n.Value[0] == 't' || n.Value[0] == 'T')
	return nil
}

func (d *decoder) duration(n *yaml.Node, v reflect.Value, f *field) *complaint {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Tag == "!!bool" {
		return complain("expected a duration, found "+describe(n), durationExamples)
	}
	got, wrong := parseDuration(n.Value)
	if wrong != nil {
		return wrong
	}
	if least, _ := parseDuration(cmp.Or(f.min, "0s")); got < least {
		return complain(n.Value+" is out of range", f.bounds())
	}
	v.SetInt(int64(got))
	return nil
}

func (d *decoder) byteSize(n *yaml.Node, v reflect.Value) *complaint {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" && n.Tag != "!!int" {
		return complain("expected a size in bytes, found "+describe(n), byteSizeExamples)
	}
	got, wrong := parseByteSize(n.Value)
	if wrong != nil {
		return wrong
	}
	v.SetInt(int64(got))
	return nil
}

func (d *decoder) prefix(n *yaml.Node, v reflect.Value) *complaint {
	var text string
	if wrong := d.text(n, reflect.ValueOf(&text).Elem(), &field{}); wrong != nil {
		return wrong
	}
	prefix, wrong := parsePrefix(text)
	if wrong != nil {
		return wrong
	}
	v.Set(reflect.ValueOf(netip.Prefix(prefix)))
	return nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func isPlainTag(tag string) bool {
	switch tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!merge":
		return true
	}
	return false
}

// isDecimal reports whether a number is written as JSON would write it.
func isDecimal(text string) bool {
	if len(text) > 1 && text[0] == '-' {
		text = text[1:]
	}
	if len(text) > 1 && text[0] == '0' {
		return false
	}
	for i := 0; i < len(text); i++ {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}

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

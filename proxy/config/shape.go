package config

import (
	"net/netip"
	"reflect"
	"strings"
)

// shape is what the tags of a struct say about the mapping it is written as.
type shape struct {
	doc string
	// inherits: what is not set comes from elsewhere, and the defaults after that.
	inherits bool
	fields   []field
	byName   map[string]int
}

// field is one key of a mapping, as its tags describe it.
type field struct {
	index    int
	name     string
	doc      string
	kind     reflect.Type
	fallback string // what holds where nothing is written
	enum     []string
	min, max string
	pattern  string // of the text, or of each text of a list or mapping
	keys     string // the pattern of a mapping's keys
	key      string // what a mapping's keys are called
	example  string
	oneOf    string // the group of which exactly one is written
	needs    string // the key without which this one has no effect
	short    string // the key of a structure that a scalar in its place is for
	required bool
	secrets  bool // text that is one, or a mapping whose keys may name them
}

// shapes remembers the shape of each type; it belongs to one goroutine.
type shapes map[reflect.Type]*shape

func (s shapes) of(t reflect.Type) *shape {
	if known := s[t]; known != nil {
		return known
	}
	made := &shape{byName: make(map[string]int, t.NumField())}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "_" {
			made.doc, made.inherits = f.Tag.Get("doc"), f.Tag.Get("inherits") == "true"
			continue
		}
		if !f.IsExported() {
			continue
		}
		described := describeField(i, f)
		made.byName[described.name] = len(made.fields)
		made.fields = append(made.fields, described)
	}
	s[t] = made
	return made
}

func describeField(index int, f reflect.StructField) field {
	described := field{
		index:    index,
		name:     f.Tag.Get("yaml"),
		doc:      f.Tag.Get("doc"),
		kind:     f.Type,
		fallback: f.Tag.Get("default"),
		min:      f.Tag.Get("min"),
		max:      f.Tag.Get("max"),
		pattern:  f.Tag.Get("pattern"),
		keys:     f.Tag.Get("keys"),
		key:      f.Tag.Get("key"),
		example:  f.Tag.Get("example"),
		oneOf:    f.Tag.Get("oneOf"),
		needs:    f.Tag.Get("needs"),
		short:    f.Tag.Get("short"),
		required: f.Tag.Get("required") == "true",
		secrets:  f.Tag.Get("secrets") == "true",
	}
	if enum := f.Tag.Get("enum"); enum != "" {
		described.enum = strings.Split(enum, "|")
	}
	return described
}

// shortField returns the field of a structure that a scalar in place of the
// structure is for, where f allows one; or nil.
func (s *shape) shortField(f *field) *field {
	if f == nil || f.short == "" {
		return nil
	}
	return &s.fields[s.byName[f.short]]
}

// The types that are written as one word though Go keeps them as something else.
func durationType() reflect.Type { return reflect.TypeFor[Duration]() }
func byteSizeType() reflect.Type { return reflect.TypeFor[ByteSize]() }
func rateType() reflect.Type     { return reflect.TypeFor[Rate]() }
func prefixType() reflect.Type   { return reflect.TypeFor[netip.Prefix]() }

// isStruct reports whether a type is written as a mapping with fixed keys.
func isStruct(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != prefixType()
}

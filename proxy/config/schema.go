package config

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
)

const (
	durationPattern = `^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h|d))+$`
	byteSizePattern = `^([0-9]+ ?(B|KB|MB|GB|KiB|MiB|GiB|TiB)?|none|-1)$`
)

// Schema returns the JSON Schema (2020-12) of the document, for editors. It takes
// every document that Parse takes; Parse also refuses what a schema cannot say.
func Schema() []byte {
	w := schemaWriter{shapes: shapes{}, defs: map[string]any{}}
	top := w.mapping(reflect.TypeFor[Document]())
	top["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	top["title"] = "weir document"
	top["$defs"] = w.defs
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(top); err != nil {
		panic("BUG: the schema is not JSON: " + err.Error())
	}
	return out.Bytes()
}

// schemaWriter collects the definitions that the schema refers to.
type schemaWriter struct {
	shapes shapes
	defs   map[string]any
}

// mapping describes a struct. Null is allowed where it stands for an empty mapping.
func (w schemaWriter) mapping(t reflect.Type) map[string]any {
	s := w.shapes.of(t)
	properties := make(map[string]any, len(s.fields))
	var required []string
	var choices []any
	for i := range s.fields {
		f := &s.fields[i]
		property := w.value(f.kind, f)
		property["description"] = f.doc
		if f.fallback != "" {
			property["default"] = f.defaultValue()
		}
		properties[f.name] = property
		if f.required {
			required = append(required, f.name)
		}
		if f.oneOf != "" {
			choices = append(choices, map[string]any{"required": []string{f.name}})
		}
	}
	out := map[string]any{
		"type": []string{"object", "null"}, "description": s.doc,
		"properties": properties, "additionalProperties": false,
	}
	if required != nil {
		out["required"] = required
	}
	if choices != nil {
		out["oneOf"] = choices
	}
	return out
}

func (w schemaWriter) value(t reflect.Type, f *field) map[string]any {
	switch {
	case t.Kind() == reflect.Pointer:
		return w.value(t.Elem(), f)
	case isStruct(t):
		if _, known := w.defs[t.Name()]; !known {
			w.defs[t.Name()] = nil // the types do not contain themselves, but a stop costs nothing
			w.defs[t.Name()] = w.mapping(t)
		}
		ref := map[string]any{"$ref": "#/$defs/" + t.Name()}
		if short := w.shapes.of(t).shortField(f); short != nil {
			return map[string]any{"anyOf": []any{ref, w.value(short.kind, short)}}
		}
		return ref
	case t.Kind() == reflect.Map:
		return map[string]any{
			"type":                 []string{"object", "null"},
			"propertyNames":        map[string]any{"pattern": f.keys},
			"additionalProperties": w.value(t.Elem(), f),
		}
	case t.Kind() == reflect.Slice:
		return map[string]any{"type": "array", "items": w.value(t.Elem(), f)}
	}
	return scalarSchema(t, f)
}

func scalarSchema(t reflect.Type, f *field) map[string]any {
	out := map[string]any{"type": "string"}
	switch {
	case t == durationType():
		out["pattern"] = durationPattern
	case t == byteSizeType():
		out["type"] = []string{"string", "integer"}
		out["pattern"] = byteSizePattern
		out["minimum"] = -1
	case t == rateType():
		out["type"] = []string{"string", "number"}
		out["pattern"] = ratePattern
		out["exclusiveMinimum"] = 0
	case t.Kind() == reflect.Bool:
		out["type"] = "boolean"
	case t.Kind() == reflect.Float64:
		out["type"] = "number"
		addBound(out, "minimum", f.min)
		addBound(out, "maximum", f.max)
	case t.Kind() == reflect.Int:
		out["type"] = "integer"
		addBound(out, "minimum", f.min)
		addBound(out, "maximum", f.max)
	case t.Kind() == reflect.String && f.pattern != "":
		out["pattern"] = f.pattern
	}
	if f.enum != nil {
		values := make([]any, len(f.enum))
		for i, text := range f.enum {
			values[i] = f.typed(text)
		}
		out["enum"] = values
	}
	if f.example != "" {
		out["examples"] = []string{f.example}
	}
	return out
}

func addBound(out map[string]any, name, bound string) {
	if n, err := strconv.Atoi(bound); err == nil {
		out[name] = n
	}
}

// defaultValue returns the default as JSON has it.
func (f *field) defaultValue() any {
	if f.kind.Kind() == reflect.Slice {
		return []string{f.fallback}
	}
	return f.typed(f.fallback)
}

// typed returns a word of a tag as the type of the field has it.
func (f *field) typed(text string) any {
	t := f.kind
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Bool {
		return text == "true"
	}
	if n, err := strconv.Atoi(text); err == nil && t.Kind() == reflect.Int {
		return n
	}
	return text
}

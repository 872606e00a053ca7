package config

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
)

const referenceIntroduction = `# The document

What weir serves is one document in YAML or JSON. Every key is listed here, with
what holds where it is not written. A document with a mistake is refused as a
whole, with every mistake, its line and its column; unknown keys are mistakes.

A **duration** has a unit: ` + "`500ms`, `10s`, `1m30s`, `2h`, `30d`" + `. A **size** is a
number of bytes, ` + "`4096`, or has a unit: `64KiB`, `10MB`" + `. YAML anchors and
merge keys may be used.
`

// Reference returns the pages about the document, in Markdown.
func Reference() []byte {
	w := referenceWriter{shapes: shapes{}, seen: map[reflect.Type]bool{}}
	w.out.WriteString(referenceIntroduction)
	w.section(reflect.TypeFor[Document](), "Top level")
	return w.out.Bytes()
}

type referenceWriter struct {
	out    bytes.Buffer
	shapes shapes
	seen   map[reflect.Type]bool
}

// section writes a table for a struct and then those of the structs it names.
func (w *referenceWriter) section(t reflect.Type, title string) {
	w.seen[t] = true
	s := w.shapes.of(t)
	fmt.Fprintf(&w.out, "\n## %s\n\n%s\n\n| Key | Value | Default | Meaning |\n| --- | --- | --- | --- |\n", title, s.doc)
	for i := range s.fields {
		f := &s.fields[i]
		fallback := ""
		switch {
		case f.required:
			fallback = "required"
		case f.fallback != "":
			fallback = code(f.fallback)
		}
		meaning := f.doc
		if f.needs != "" {
			meaning += " Needs " + code(f.needs) + "."
		}
		if f.example != "" {
			meaning += " Example: " + code(f.example) + "."
		}
		fmt.Fprintf(&w.out, "| %s | %s | %s | %s |\n", code(f.name), w.valueWords(f.kind, f), fallback, strings.ReplaceAll(meaning, "|", `\|`))
	}
	for i := range s.fields {
		if inner := innerStruct(s.fields[i].kind); inner != nil && !w.seen[inner] {
			w.section(inner, inner.Name())
		}
	}
}

// innerStruct returns the struct that a field holds, in a list or mapping or
// alone, or nil.
func innerStruct(t reflect.Type) reflect.Type {
	if isStruct(t) {
		return t
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return innerStruct(t.Elem())
	}
	return nil
}

// valueWords says in words what a key's value is.
func (w *referenceWriter) valueWords(t reflect.Type, f *field) string {
	switch {
	case t.Kind() == reflect.Pointer:
		return w.valueWords(t.Elem(), f)
	case isStruct(t):
		link := fmt.Sprintf("[%s](#%s)", t.Name(), strings.ToLower(t.Name()))
		if short := w.shapes.of(t).shortField(f); short != nil {
			return w.valueWords(short.kind, short) + ", or " + link + " with that as " + code(short.name)
		}
		return link
	case t.Kind() == reflect.Map:
		return "mapping of " + f.key + " to " + w.valueWords(t.Elem(), f)
	case t.Kind() == reflect.Slice:
		return "list of " + w.valueWords(t.Elem(), f)
	case t == durationType():
		return "duration" + leastWords(f, "0s")
	case t == byteSizeType():
		return "size"
	case t == rateType():
		return "rate"
	case t == prefixType():
		return "network"
	case f.enum != nil:
		words := make([]string, len(f.enum))
		for i, word := range f.enum {
			words[i] = code(word)
		}
		return listed(words)
	case t.Kind() == reflect.Bool:
		return "`true` or `false`"
	case (t.Kind() == reflect.Int || t.Kind() == reflect.Float64) && f.max != "":
		return "number from " + f.min + " to " + f.max
	case t.Kind() == reflect.Int:
		return "number" + leastWords(f, "")
	}
	return "text"
}

func leastWords(f *field, usual string) string {
	if f.min == "" || f.min == usual {
		return ""
	}
	return ", " + f.min + " or more"
}

func code(text string) string { return "`" + strings.ReplaceAll(text, "|", `\|`) + "`" }

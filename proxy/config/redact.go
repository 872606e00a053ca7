package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

// redacted stands in place of a secret.
const redacted = "REDACTED"

// Redacted returns the document as plain maps, lists and values for JSON or YAML,
// without what nobody should read: users in URLs, and values under names that
// smell of secrets. Without secrets it parses to the same document again.
func (d *Document) Redacted() any {
	r := redactor{shapes: shapes{}, userinfo: regexp.MustCompile(`://[^/?#@\s]*@`)}
	return r.mapping(reflect.ValueOf(d).Elem())
}

// MarshalJSON writes the document redacted, so that no secret leaks by accident.
func (d *Document) MarshalJSON() ([]byte, error) { return json.Marshal(d.Redacted()) }

// MarshalYAML gives the document redacted, as MarshalJSON does.
func (d *Document) MarshalYAML() (any, error) { return d.Redacted(), nil }

type redactor struct {
	shapes   shapes
	userinfo *regexp.Regexp
}

func (r redactor) mapping(v reflect.Value) map[string]any {
	s := r.shapes.of(v.Type())
	out := make(map[string]any, len(s.fields))
	for i := range s.fields {
		f := &s.fields[i]
		value := v.Field(f.index)
		if value.IsZero() || isStruct(value.Type()) && value.IsZero() {
			continue
		}
		out[f.name] = r.value(value, f.secrets)
	}
	return out
}

func (r redactor) value(v reflect.Value, secrets bool) any {
	if written, ok := v.Interface().(fmt.Stringer); ok {
		return written.String()
	}
	switch v.Kind() {
	case reflect.Pointer:
		return r.value(v.Elem(), secrets)
	case reflect.Struct:
		return r.mapping(v)
	case reflect.String:
		if secrets {
			return redacted
		}
		return r.userinfo.ReplaceAllString(v.String(), "://"+redacted+"@")
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = r.value(v.Index(i), false)
		}
		return out
	case reflect.Map:
		out := make(map[string]any, v.Len())
		for entries := v.MapRange(); entries.Next(); {
			key := entries.Key().String()
			if secrets && isSecretName(key) {
				out[key] = redacted
				continue
			}
			out[key] = r.value(entries.Value(), false)
		}
		return out
	default:
		return v.Interface()
	}
}

// isSecretName reports whether a header, parameter or variable of this name may
// hold a secret. Hiding too much costs little.
func isSecretName(name string) bool {
	name = strings.ToLower(name)
	for _, smell := range []string{"auth", "cookie", "token", "key", "secret", "password", "passwd", "credential", "session", "signature"} {
		if strings.Contains(name, smell) {
			return true
		}
	}
	return false
}

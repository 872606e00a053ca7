package config

import (
	"reflect"
	"strconv"
)

// fillDefaults writes what the tags say into what is not set. An API without
// stages gets the one that is called $default.
func (d *Document) fillDefaults() {
	filler{shapes: shapes{}}.structure(reflect.ValueOf(d).Elem())
	for name, api := range d.APIs {
		if len(api.Stages) == 0 {
			api.Stages = map[string]Stage{DefaultName: {}}
			d.APIs[name] = api
		}
	}
}

// filler writes defaults. Those of what is inherited only once that was done.
type filler struct {
	shapes    shapes
	inherited bool
}

func (w filler) structure(v reflect.Value) {
	s := w.shapes.of(v.Type())
	for i := range s.fields {
		f := &s.fields[i]
		value := v.Field(f.index)
		if f.fallback != "" && value.IsZero() {
			if s.inherits == w.inherited && !s.lacks(f, v) {
				setDefault(value, f.fallback)
			}
			continue
		}
		w.nested(value)
	}
}

// lacks reports whether the key is not written without which f has no effect.
func (s *shape) lacks(f *field, v reflect.Value) bool {
	return f.needs != "" && v.Field(s.fields[s.byName[f.needs]].index).IsZero()
}

func (w filler) nested(v reflect.Value) {
	switch t := v.Type(); {
	case isStruct(t):
		w.structure(v)
	case t.Kind() == reflect.Pointer && isStruct(t.Elem()) && !v.IsNil():
		w.structure(v.Elem())
	case t.Kind() == reflect.Slice && isStruct(t.Elem()):
		for i := range v.Len() {
			w.structure(v.Index(i))
		}
	case t.Kind() == reflect.Map && isStruct(t.Elem()):
		for entries := v.MapRange(); entries.Next(); {
			// A map's values cannot be changed in place.
			changed := reflect.New(t.Elem()).Elem()
			changed.Set(entries.Value())
			w.structure(changed)
			v.SetMapIndex(entries.Key(), changed)
		}
	}
}

func setDefault(v reflect.Value, text string) {
	switch {
	case v.Type() == durationType():
		d, wrong := parseDuration(text)
		if wrong != nil {
			panic("BUG: default " + text + ": " + wrong.Error())
		}
		v.SetInt(int64(d))
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Int:
		i, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			panic("BUG: default " + text + ": " + err.Error())
		}
		v.SetInt(i)
	case v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.Bool:
		isTrue := text == "true"
		v.Set(reflect.ValueOf(&isTrue))
	case v.Kind() == reflect.Slice:
		v.Set(reflect.ValueOf([]string{text}))
	default:
		panic("BUG: a " + v.Type().String() + " cannot have a default")
	}
}

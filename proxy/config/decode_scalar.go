package config

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

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
	case v.Type() == rateType():
		wrong = d.rate(n, v)
	case v.Type() == prefixType():
		wrong = d.prefix(n, v)
	case v.Kind() == reflect.String:
		wrong = d.text(n, v, f)
	case v.Kind() == reflect.Int:
		wrong = d.number(n, v, f)
	case v.Kind() == reflect.Float64:
		wrong = d.fraction(n, v, f)
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
	if n.Tag != "!!str" && f.enum != nil {
		return complain("expected text, found "+describe(n), "it is one of "+listed(f.enum))
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

// fraction reads a number between the tags min and max.
func (d *decoder) fraction(n *yaml.Node, v reflect.Value, f *field) *complaint {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" && n.Tag != "!!float" {
		return complain("expected a number, found "+describe(n), f.bounds())
	}
	got, err := strconv.ParseFloat(n.Value, 64)
	if err != nil {
		return complain("expected a plain decimal number, found "+n.Value, f.bounds())
	}
	least, _ := strconv.ParseFloat(f.min, 64)
	most, _ := strconv.ParseFloat(f.max, 64)
	if !(got >= least && got <= most) { // so that NaN is none
		return complain(n.Value+" is out of range", f.bounds())
	}
	v.SetFloat(got)
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

func (d *decoder) rate(n *yaml.Node, v reflect.Value) *complaint {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" && n.Tag != "!!int" && n.Tag != "!!float" {
		return complain("expected a rate, found "+describe(n), rateExamples)
	}
	got, wrong := parseRate(n.Value)
	if wrong != nil {
		return wrong
	}
	v.SetFloat(float64(got))
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
	v.Set(reflect.ValueOf(prefix))
	return nil
}

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

package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"weir/proxy/config"
	"weir/proxy/plans"
)

// read decodes the body into a struct. AWS ignores members that it does not
// know; here a misspelt one is refused, with the one that is meant.
func (c *call) read(into any) error {
	body := c.PostBody()
	if len(bytes.TrimSpace(body)) == 0 {
		return badRequest("the body is empty; it must be a JSON object")
	}
	return decode(body, into)
}

// decode reads a JSON object, without unknown members.
func decode(text []byte, into any) error {
	if !utf8.Valid(text) {
		return badRequest("the body is not UTF-8")
	}
	var whole any
	if err := json.Unmarshal(text, &whole); err != nil {
		return badRequest("the body is not JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, ok := whole.(map[string]any); !ok {
		return badRequest("the body is JSON, but not an object")
	}
	if err := checkMembers(whole, reflect.TypeOf(into).Elem(), ""); err != nil {
		return err
	}
	err := json.Unmarshal(text, into)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		return badRequest("member %q is a %s; it must be %s", wrong.Field, wrong.Value, kindName(wrong.Type))
	case err != nil:
		return badRequest("the body is not JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// kindName says what a member must be, in JSON's words.
func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "an array"
	}
	return "an object"
}

// checkMembers refuses members that the type does not have, in their exact
// letters, as clients of AWS send them.
func checkMembers(value any, t reflect.Type, at string) error {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			var of reflect.Type
			switch t.Kind() {
			case reflect.Struct:
				known := membersOf(t)
				if of = known[name]; of == nil {
					return unknownMember(at+name, name, known)
				}
			case reflect.Map:
				of = t.Elem()
			default:
				return nil // of the wrong type, which decoding tells better
			}
			if err := checkMembers(v[name], of, at+name+"."); err != nil {
				return err
			}
		}
	case []any:
		if t.Kind() != reflect.Slice {
			return nil
		}
		for i, item := range v {
			if err := checkMembers(item, t.Elem(), at+strconv.Itoa(i)+"."); err != nil {
				return err
			}
		}
	}
	return nil
}

func membersOf(t reflect.Type) map[string]reflect.Type {
	known := make(map[string]reflect.Type, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		known[name] = t.Field(i).Type
	}
	return known
}

func unknownMember(path, name string, known map[string]reflect.Type) error {
	if near := config.Nearest(name, maps.Keys(known)); near != "" {
		return badRequest("there is no member %q: did you mean %q?", path, near)
	}
	return badRequest("there is no member %q; there are %s", path, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
}

// flag returns a parameter of the query that is true or false.
func (c *call) flag(name string) (bool, error) {
	switch text := c.query(name); text {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, badRequest("%s is %q; it must be true or false", name, text)
	}
}

func (c *call) query(name string) string { return string(c.QueryArgs().Peek(name)) }

// page returns which part of a list is asked for.
func (c *call) page() (plans.Page, error) {
	page := plans.Page{Position: c.query("position")}
	if !c.QueryArgs().Has("limit") {
		return page, nil
	}
	limit, err := strconv.Atoi(c.query("limit"))
	if err != nil || limit < 1 || limit > plans.MaxPage {
		return page, badRequest("limit is %q; it must be from 1 to %d", c.query("limit"), plans.MaxPage)
	}
	page.Limit = limit
	return page, nil
}

package config

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCacheOf(t *testing.T) {
	doc, err := Load("testdata/good/cache.yaml")
	if err != nil {
		t.Fatal(err)
	}
	before, _ := json.Marshal(doc)
	f := func(api, stage string, route int, method, want string) {
		t.Helper()
		c := doc.CacheOf(api, stage, route, method)
		if c == nil {
			if want != "" {
				t.Errorf("CacheOf(%s, %s, %d, %s): got none; want %s", api, stage, route, method, want)
			}
			return
		}
		written, _ := json.Marshal(redactor{shapes{}, regexp.MustCompile("^$")}.mapping(reflect.ValueOf(c).Elem()))
		for _, part := range strings.Fields(want) {
			if !strings.Contains(string(written), part) {
				t.Errorf("CacheOf(%s, %s, %d, %s): got %s; want %s in it", api, stage, route, method, written, part)
			}
		}
		if want == "" {
			t.Errorf("CacheOf(%s, %s, %d, %s): got %s; want none", api, stage, route, method, written)
		}
	}
	// Of the route, of the method, of */*, of the stage, of the API, and what is usual.
	f("site", "prod", 0, "GET", `"heuristic":0, "ttl":"5s" "staleIfError":"0s" "callers":"separate" "lang" "mode":"standard" "enabled":true "enabled":false,"wait":"2s" "methods":["GET"] "maxTTL":"0s" "purgeFrom":[]`)
	f("site", "prod", 0, "POST", `"ttl":"2m0s" "staleIfError":"0s" "methods":["GET"]`)
	f("site", "$default", 0, "GET", `"ttl":"30s" "staleIfError":"1h0m0s" "callers":"shared" "setCookie":true "clientDirectives":false "deny":["utm_*","fbclid"]`)
	f("site", "prod", 1, "QUERY", `"allow":["q","page"] "sort":true "methods":["GET","QUERY"] "cookies":[]`)
	if c := doc.CacheOf("site", "prod", 1, "GET"); c.Key.Query.Deny != nil {
		t.Errorf("got deny %q beside allow; want none", c.Key.Query.Deny)
	}
	// Off, and nothing that an upstream answers.
	f("site", "prod", 2, "GET", "")
	f("site", "prod", 3, "GET", "")
	// AWS: 300s without a ttl, none with 0s, and the methods that are named.
	f("legacy", "prod", 0, "GET", `"mode":"aws" "ttl":"5m0s" "methods":["GET"] "namespace":"pets" "unauthorized":"FAIL_WITH_403"`)
	f("legacy", "prod", 0, "POST", `"ttl":"1m0s" "methods":["POST"] "requireAuthorization":true "unauthorized":"SUCCEED_WITH_RESPONSE_HEADER"`)
	f("legacy", "prod", 1, "GET", "")
	f("legacy", "prod", 2, "GET", `"mode":"standard" "ttl":"2h0m0s" "methods":["GET","HEAD"]`)
	if after, _ := json.Marshal(doc); string(before) != string(after) {
		t.Errorf("got document %s afterwards; want it as it was: %s", after, before)
	}
}

// TestCacheOr sets each field on one side: it must come through, and win.
func TestCacheOr(t *testing.T) {
	var visit func(typ reflect.Type, path []int)
	visit = func(typ reflect.Type, path []int) {
		for i := range typ.NumField() {
			field, at := typ.Field(i), append(slices.Clone(path), i)
			if !field.IsExported() {
				continue
			}
			if inner := field.Type; inner.Kind() == reflect.Pointer && inner.Elem().Kind() == reflect.Struct {
				visit(inner.Elem(), at)
				continue
			}
			a, b := &Cache{}, &Cache{}
			left, right := reach(a, at), reach(b, at)
			left.Set(valueFor(left.Type(), 1))
			right.Set(valueFor(right.Type(), 2))
			for _, got := range []*Cache{a.Or(b), a.Or(&Cache{}), (&Cache{}).Or(a), a.Or(nil), (*Cache)(nil).Or(a), a.Or(sparse())} {
				if !reflect.DeepEqual(reach(got, at).Interface(), left.Interface()) {
					t.Errorf("%s: got %v; want %v", field.Name, reach(got, at), left)
				}
			}
		}
	}
	visit(reflect.TypeFor[Cache](), nil)
	if got := (*Cache)(nil).Or(nil); got != nil {
		t.Errorf("got %+v of nothing; want nil", got)
	}
}

// sparse has every part and nothing in them.
func sparse() *Cache {
	return &Cache{Key: &CacheKey{Query: &CacheQuery{}}, Collapse: &CacheCollapse{}, Invalidation: &CacheInvalidation{}}
}

// reach returns the field of c at a path, making what lies on the way.
func reach(c *Cache, path []int) reflect.Value {
	v := reflect.ValueOf(c).Elem()
	for _, i := range path {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v
}

// valueFor returns one of two values of a type that are not its zero.
func valueFor(typ reflect.Type, n int) reflect.Value {
	v := reflect.New(typ).Elem()
	switch typ.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(typ.Elem()))
		v.Elem().Set(valueFor(typ.Elem(), n))
	case reflect.Bool:
		v.SetBool(n == 1)
	case reflect.String:
		v.SetString(strings.Repeat("x", n))
	case reflect.Int64:
		v.SetInt(int64(n) * int64(time.Second))
	case reflect.Float64:
		v.SetFloat(float64(n) / 4)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(typ, n, n))
	case reflect.Map:
		v.Set(reflect.MakeMap(typ))
		v.SetMapIndex(valueFor(typ.Key(), n), reflect.New(typ.Elem()).Elem())
	default:
		panic("BUG: no value for " + typ.String())
	}
	return v
}

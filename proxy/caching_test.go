package proxy

import (
	"reflect"
	"testing"

	"weir/cache"
	"weir/cache/policy"
	"weir/proxy/observe"
)

func TestCachingForgetsTheRequest(t *testing.T) {
	c := caching{
		rule: new(cachePolicy), asks: policy.Request{Authorization: true}, found: new(cache.Entry), fill: new(cache.Fill), fetch: new(fetching),
		fetched: true, refreshing: true, handed: true, wanted: true, lines: [][]byte{{1}}, head: []byte{1},
		hand: handedStream{body: new(storedBody)}, result: observe.CacheHit, age: 1, forward: "miss", detail: "x", kept: true, lifetime: 1, warning: true,
	}
	c.body.patience = new(patience)
	of := reflect.ValueOf(&c).Elem()
	for i := range of.NumField() {
		if of.Type().Field(i).Name != "key" && of.Field(i).IsZero() {
			t.Fatalf("%s is not tested", of.Type().Field(i).Name)
		}
	}
	c.reset()
	for i := range of.NumField() {
		field := of.Field(i)
		if kind := field.Kind(); !field.IsZero() && (kind != reflect.Slice || field.Len() > 0) {
			t.Errorf("%s is kept", of.Type().Field(i).Name)
		}
	}
}

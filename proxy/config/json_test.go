package config

import "testing"

func TestParseJSON(t *testing.T) {
	doc, err := Parse("weir.json", []byte(`{"apis": {"a": {"routes": [{"path": "\/\u0061", "answer": {"body": "\ud83d\ude00\t\"é\""}}]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	route := doc.APIs["a"].Routes[0]
	if route.Path != "/a" || route.Answer.Body != "😀\t\"é\"" {
		t.Fatalf("got path %q, body %q; want /a and an emoji", route.Path, route.Answer.Body)
	}
}

// TestJSONPlaces shows that mistakes in JSON stand where those in YAML would.
func TestJSONPlaces(t *testing.T) {
	_, err := Parse("weir.json", []byte(`{
	"apis": {"é": {"routes": [],
		"stages": [1, {"a": null}],
		"stages": {}}},
	"listeners": {"a": {"address": ":80", "maxConnections": 1.5e1},
	 "b" : { "address" : null } },
	"trustedProxies": [true, {"a": []}, "::1"],
	"domains": null
}
`))
	want := `weir.json:2:11: apis["é"]: "é" is not a name; names have letters, digits, _ and -, at most 128, and do not begin with -
weir.json:3:3: apis["é"].stages: expected a mapping, found a list
weir.json:4:3: apis["é"].stages: the key is written twice; it is also on line 3
weir.json:5:58: listeners.a.maxConnections: expected a whole number, found the number 1.5e1
weir.json:6:23: listeners.b.address: expected text, found nothing
weir.json:7:21: trustedProxies[0]: expected text, found true; put it in quotes: "true"
weir.json:7:27: trustedProxies[1]: expected text, found a mapping`
	if err == nil || err.Error() != want {
		t.Fatalf("got mistakes\n%v\nwant\n%s", err, want)
	}
}

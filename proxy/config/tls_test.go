package config

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"weir/tls"
)

// TestProfileNames holds the words of the document against those that are served.
func TestProfileNames(t *testing.T) {
	known := shapes{}
	for _, typ := range []reflect.Type{reflect.TypeFor[TLS](), reflect.TypeFor[DomainTLS]()} {
		s := known.of(typ)
		got := slices.Sorted(slices.Values(s.fields[s.byName["profile"]].enum))
		if !slices.Equal(got, tls.ProfileNames()) {
			t.Errorf("%s: got profiles %q; want %q", typ, got, tls.ProfileNames())
		}
	}
}

func TestShortTLS(t *testing.T) {
	const tail = `, mappings: { "": site } } }
apis: { site: { routes: [{ path: /, answer: { body: hello } }] } }
`
	f := func(written, source string) {
		t.Helper()
		doc, err := Parse("weir.yaml", []byte("domains: { a.example: { tls: "+written+tail))
		if err != nil {
			t.Fatalf("%s: got %v; want a document", written, err)
		}
		if got := doc.Domains["a.example"].TLS; got == nil || got.Source != source {
			t.Errorf("%s: got %+v; want source %s", written, got, source)
		}
		if got := doc.EffectiveDomains()["a.example"].TLS; got == nil || got.Source != source {
			t.Errorf("%s: got %+v as it is served; want source %s", written, got, source)
		}
	}
	f("auto", "auto")
	f("off", "off") // which YAML 1.1 would take for false
	f("dev", "dev")
	f("{ source: dev }", "dev")
}

func TestTLSSecretsAreRedacted(t *testing.T) {
	doc, err := Parse("weir.yaml", []byte(`tls:
  acme:
    externalAccount: { id: name, key: c2VjcmV0 }
    dns: { server: "10.0.0.53:53", keyName: weir, key: c2VjcmV0 }
apis: { site: { routes: [{ path: /, answer: { body: hello } }] } }
`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(doc)
	if err != nil || strings.Contains(string(text), "c2VjcmV0") {
		t.Fatalf("got %s, %v; want no secret", text, err)
	}
}

package config

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// golden compares with a file, or renews it where WEIR_GOLDEN is set.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if os.Getenv("WEIR_GOLDEN") != "" {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%s is not what is generated (%v); renew it with WEIR_GOLDEN=1", file, err)
	}
}

func TestSchemaGolden(t *testing.T)    { golden(t, "testdata/schema.json", Schema()) }
func TestReferenceGolden(t *testing.T) { golden(t, "testdata/reference.md", Reference()) }

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	if err := compiler.AddResource("weir.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("weir.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// plainYAML reads a document as an editor does, with no types of ours.
func plainYAML(t *testing.T, text []byte) any {
	t.Helper()
	var plain any
	if err := yaml.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestSchemaTakesGood(t *testing.T) {
	schema := compileSchema(t)
	for _, file := range goodFiles(t) {
		doc, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc.Redacted()); err != nil {
			t.Errorf("%s as loaded: got %v; want it valid", file, err)
		}
		if strings.HasSuffix(file, ".json") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(plainYAML(t, text)); err != nil {
			t.Errorf("%s: got %v; want it valid", file, err)
		}
	}
}

// TestSchemaRefusesBad names the bad documents whose mistakes a schema can see.
func TestSchemaRefusesBad(t *testing.T) {
	schema := compileSchema(t)
	for _, name := range []string{
		"unknown-keys", "wrong-types", "not-a-mapping", "no-action", "two-actions", "missing-parts", "answers",
		"streams", "durations", "byte-sizes", "listeners", "upstream-settings", "pins", "stages", "match",
		"header-names", "redirects", "rewrites", "targets", "mappings", "domains", "hosts-and-upgrades", "methods", "tls", "tls-dns", "tls-listeners",
	} {
		text, err := os.ReadFile(filepath.Join("testdata/bad", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(plainYAML(t, text)); err == nil {
			t.Errorf("%s: got it valid; want it refused", name)
		}
	}
}

// TestTags shows that the description of the document is whole: every key and
// every mapping says what it is, and a default is no value that could be meant
// to be written as nothing.
func TestTags(t *testing.T) {
	known := shapes{}
	var visit func(reflect.Type)
	visit = func(typ reflect.Type) {
		if known[typ] != nil {
			return
		}
		s := known.of(typ)
		if s.doc == "" {
			t.Errorf("%s: got no doc; want one", typ)
		}
		for i := range s.fields {
			f := &s.fields[i]
			if f.name == "" || !strings.HasSuffix(f.doc, ".") {
				t.Errorf("%s: got key %q with doc %q; want a name and a sentence", typ, f.name, f.doc)
			}
			if f.kind.Kind() == reflect.Map && (f.keys == "" || f.key == "") {
				t.Errorf("%s.%s: got no tags keys and key; want both on a mapping", typ, f.name)
			}
			if f.fallback != "" && f.kind.Kind() == reflect.Int && !below(0, f.min) && f.enum == nil {
				t.Errorf("%s.%s: got default %s though 0 may be written", typ, f.name, f.fallback)
			}
			if _, found := s.byName[f.needs]; f.needs != "" && !found {
				t.Errorf("%s.%s: got needs %q; want a key beside it", typ, f.name, f.needs)
			}
			if inner := innerStruct(f.kind); inner != nil {
				visit(inner)
			}
		}
	}
	visit(reflect.TypeFor[Document]())
}

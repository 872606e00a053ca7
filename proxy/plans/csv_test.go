package plans

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"weir/ratelimit"
)

func TestReadKeys(t *testing.T) {
	a, b := strings.Repeat("a", 30), strings.Repeat("b", 128)
	f := func(text string, want []string, warnings ...string) {
		t.Helper()
		keys, got, err := ReadKeys(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, k := range keys {
			names = append(names, k.Name)
		}
		if !slices.Equal(names, want) || len(got) != len(warnings) {
			t.Fatalf("%q: got %q and %v; want %q and %q", text, names, got, want, warnings)
		}
		for n, w := range got {
			if !strings.Contains(w.String(), warnings[n]) {
				t.Fatalf("%q: got %q; want %q", text, w, warnings[n])
			}
		}
	}
	f("Name,Key\n", nil)
	f("Name,Key\none,"+a+"\n", []string{"one"})
	f("\ufeffKEY , name,other\r\n"+a+", one ,x\r\n", []string{"one"})
	f("name,key,enabled\none,"+a+",TRUE\ntwo,"+b+",False\n", []string{"one", "two"})
	f("name,key\none,"+a[:29]+"\ntwo,"+b+"\n", []string{"two"}, "line 2: value: it has 29 characters")
	f("name,key\none,"+b+"b\n", nil, "line 2: value: it has 129 characters")
	f("name,key\none,"+a+"\n\ntwo,"+a+"\nthree,"+b, []string{"one", "three"}, "line 4: line 2 has the same key")
	f("name,key\n,"+a+"\n", nil, "line 2: it has no name")
	f("name,key\none,"+a+",more\n", nil, "line 2: it has 3 fields and the header 2")
	f("name,key\none\n", nil, "line 2: it has 1 fields")
	f("name,key,enabled\none,"+a+",yes\n", nil, `line 2: "yes" in the column Enabled`)
	f("name,key\non\"e,"+a+"\ntwo,"+b+"\n", []string{"two"}, "line 2: bare")
	f("name,key\n"+strings.Repeat("n", 1025)+","+a+"\n", nil, "line 2: the name has 1025")
	f("name,key\n\xff,"+a+"\n", nil, "line 2: it is no UTF-8")
	f("name,key\none,"+a[:29]+"!\n", nil, "line 2: value: its character 30")

	keys, _, _ := ReadKeys(strings.NewReader("name,key,usageplanids,description\none," + a + ",\"p1,p2\",\"a, b\"\n"))
	if len(keys) != 1 || !slices.Equal(keys[0].Plans, []string{"p1", "p2"}) || keys[0].Description != "a, b" {
		t.Fatalf("got %+v; want two plans and a description", keys)
	}
	for _, header := range []string{"", "name\n", "key\n", "name,key,Name\n", "\"name\n"} {
		if _, _, err := ReadKeys(strings.NewReader(header)); !errors.Is(err, ErrInvalid) {
			t.Fatalf("header %q: got %v; want %v", header, err, ErrInvalid)
		}
	}
}

func TestImport(t *testing.T) {
	s := open(t)
	plan, k := gold(t, s, 5, ratelimit.Day)
	second := must[Plan](t)(s.CreatePlan(Plan{Name: "second", Stages: stages("pets/prod")}))
	must[Issued](t)(s.CreateKey(NewKey{Name: "old", Value: valueOf(0)}))
	text := "name,key,enabled,usageplanids\n" +
		"one," + valueOf(1) + ",true," + plan.ID + "\n" +
		"old," + valueOf(0) + ",true,\n" +
		"two," + valueOf(2) + ",false,none\n" +
		"three," + valueOf(3) + ",true,\"" + plan.ID + "," + second.ID + "\"\n" +
		"bad,short,true,\n"
	out, err := s.ImportCSV(strings.NewReader(text), true)
	if !errors.Is(err, ErrInvalid) || len(out.IDs) != 0 || s.Stats().Keys != 2 {
		t.Fatalf("got %v, %v, %d keys; want nothing imported", out, err, s.Stats().Keys)
	}
	out = must[Imported](t)(s.ImportCSV(strings.NewReader(text), false))
	var lines []int
	for _, w := range out.Warnings {
		lines = append(lines, w.Line)
	}
	slices.Sort(lines)
	if len(out.IDs) != 3 || !slices.Equal(lines, []int{3, 4, 5, 6}) {
		t.Fatalf("got %d keys and %v; want 3, and warnings of lines 3 to 6", len(out.IDs), out.Warnings)
	}
	member(t, s, valueOf(1), "pets/prod")
	if m := member(t, s, valueOf(3), "pets/prod"); m.Plan() != plan.ID {
		t.Fatalf("got plan %q; want the first of two for one stage, %q", m.Plan(), plan.ID)
	}
	if _, reason := s.Identify([]byte(valueOf(2))); reason != Disabled {
		t.Fatalf("got %s; want disabled", reason)
	}
	keys, _, _ := s.PlanKeys(plan.ID, "", Page{})
	if len(keys) != 3 {
		t.Fatalf("got %d keys in the plan; want 3 with %s", len(keys), k.Key.ID)
	}
}

func FuzzReadKeys(f *testing.F) {
	f.Add([]byte("Name,Key,Description,Enabled,UsagePlanIds\none," + valueOf(1) + ",text,true,\"a,b\"\n"))
	f.Add([]byte("key,name\n\"a\nb\",x\n,\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, warnings, err := ReadKeys(bytes.NewReader(text))
		if err != nil && len(keys)+len(warnings) > 0 {
			t.Fatalf("got %d keys beside the error %v", len(keys), err)
		}
		seen := make(map[string]bool)
		for _, k := range keys {
			if !wellFormed([]byte(k.Value)) || len(k.Value) < MinImportedValue || k.Name == "" || seen[k.Value] {
				t.Fatalf("got the key %+v", k)
			}
			seen[k.Value] = true
		}
		last := bytes.Count(text, []byte("\n")) + 1
		for _, w := range warnings {
			if w.Line < 2 || w.Line > last || w.Text == "" {
				t.Fatalf("got the warning %+v of %d lines", w, last)
			}
		}
	})
}

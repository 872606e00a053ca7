package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse: any text gives a document or mistakes that know their lines, and a
// document survives being written and read again.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.[yj]*", "testdata/bad/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		doc, err := Parse("weir.yaml", text)
		var mistakes *Mistakes
		if err != nil {
			if !errors.As(err, &mistakes) || len(mistakes.List) == 0 {
				t.Fatalf("got %v; want mistakes", err)
			}
			lines := 1 + bytes.Count(text, []byte("\n")) + bytes.Count(text, []byte("\r")) +
				bytes.Count(text, []byte("\u2028")) + bytes.Count(text, []byte("\u2029")) + bytes.Count(text, []byte("\u0085"))
			for _, m := range mistakes.List {
				if m.Line < 1 || m.Line > lines+1 || strings.Contains(m.String(), "\n") {
					t.Fatalf("got mistake %+v in %d lines; want it on one of them, in one line", m, lines)
				}
			}
			return
		}
		written, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(written, []byte(redacted)) {
			return
		}
		again, err := Parse("weir.json", written)
		if err != nil {
			t.Fatalf("got mistakes\n%v\nin %s; want none", err, written)
		}
		// Empty mappings are not written, hence the comparison of what is.
		if twice, _ := json.Marshal(again); !bytes.Equal(written, twice) {
			t.Fatalf("got %s; want %s", twice, written)
		}
	})
}

func FuzzParsePattern(f *testing.F) {
	for _, pattern := range []string{"/", "/a/{b}/{c+}", "//", "/%41", "/é", "/{a}{b}", "$default"} {
		f.Add(pattern)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		segments, err := ParsePattern(pattern)
		if err != nil {
			return
		}
		// What is taken is exactly what its segments write, but for a last slash.
		var b strings.Builder
		for i, segment := range segments {
			switch segment.Kind {
			case Static:
				if canonicalSegment(segment.Text) != segment.Text {
					t.Fatalf("got segment %q; want it canonical", segment.Text)
				}
				b.WriteString("/" + segment.Text)
			case Param:
				b.WriteString("/{" + segment.Text + "}")
			case Greedy:
				if i != len(segments)-1 {
					t.Fatalf("got %v; want the greedy parameter last", segments)
				}
				b.WriteString("/{" + segment.Text + "+}")
			}
		}
		if got := b.String(); got != strings.TrimSuffix(pattern, "/") {
			t.Fatalf("got %q from %q; want them the same", got, pattern)
		}
	})
}

func FuzzParseTarget(f *testing.F) {
	for _, text := range []string{"http://a", "https://[::1]:443/b", "unix:/run/a:/b", "http://u@a", "http://a:0"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		target, err := ParseTarget(text)
		if err != nil {
			return
		}
		if target.Address == "" || target.Host == "" || strings.ContainsAny(target.Host+target.Base, " \r\n@?#") || strings.HasSuffix(target.Base, "/") {
			t.Fatalf("ParseTarget(%q): got %+v", text, target)
		}
	})
}

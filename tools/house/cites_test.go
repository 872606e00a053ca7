package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestDocumentsCite(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	targets := MakeTargets(string(makefile))
	var documents []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "tools/*.md", "loadtest/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, found...)
	}
	if len(documents) < 15 {
		t.Fatalf("got %d documents; want the whole house", len(documents))
	}
	for _, document := range documents {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		at, err := filepath.Rel(root, document)
		if err != nil {
			t.Fatal(err)
		}
		for _, missing := range CheckCites(os.DirFS(root), filepath.ToSlash(at), string(text), targets) {
			t.Error(missing)
		}
	}
}

func TestDocumentsCiteFindsGaps(t *testing.T) {
	t.Parallel()
	tree := fstest.MapFS{
		"README.md":   {},
		"docs/a.md":   {},
		"code/way.go": {Data: []byte("package code\n\ntype Way struct{}\n\nfunc (w *Way) go2() {}\n")},
	}
	f := func(at, text string, want ...string) {
		t.Helper()
		got := CheckCites(tree, at, text, map[string]bool{"test": true})
		if !slices.Equal(got, want) {
			t.Fatalf("CheckCites(%q): got %q; want %q", text, got, want)
		}
	}
	f("README.md", "[a](docs/a.md#top) [b](https://example.org/x) [c](#here) `code/way.go` `a/b` `make test`")
	f("docs/a.md", "[up](../README.md)")
	f("docs/a.md", "[up](README.md)", "docs/a.md: there is no file for the link README.md")
	f("README.md", "see `code/gone.go`", "README.md: there is no file code/gone.go")
	f("README.md", "`make tea`", "README.md: there is no make target tea")
	f("README.md", "`go2` in `code/way.go`, `Way` in `code/way.go`")
	f("README.md", "`gone` in\n  `code/way.go`", "README.md: there is no gone in code/way.go")
}

// TestModulesHaveReasons compares the table of dependencies with go.mod. A
// module counts as required directly when a package or test of weir imports it.
func TestModulesHaveReasons(t *testing.T) {
	t.Parallel()
	record, err := os.ReadFile(filepath.Join(root, "docs/adr/0008-dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	var reasons []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(string(record), -1) {
		reasons = append(reasons, m[1])
	}
	cmd := exec.Command("go", "list", "-m", "-f", "{{if not (or .Main .Indirect)}}{{.Path}}{{end}}", "all")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cannot list the modules: %v", err)
	}
	required := strings.Fields(string(out))
	slices.Sort(reasons)
	slices.Sort(required)
	if !slices.Equal(reasons, required) {
		t.Fatalf("docs/adr/0008-dependencies.md has rows for\n%q; go.mod requires\n%q", reasons, required)
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFill(t *testing.T) {
	t.Parallel()
	parts := map[string]string{"a": "\nnew\n"}
	f := func(text, want string) {
		t.Helper()
		got, err := fill([]byte(text), parts)
		if err != nil || string(got) != want {
			t.Fatalf("fill(%q): got %q, %v; want %q", text, got, err, want)
		}
		again, err := fill(got, parts)
		if err != nil || string(again) != want {
			t.Fatalf("fill twice: got %q, %v; want %q", again, err, want)
		}
	}
	f("plain", "plain")
	f("x\n<!-- generated: a -->\nold\n<!-- end -->\ny", "x\n<!-- generated: a -->\n\nnew\n<!-- end -->\ny")
	f("<!-- generated: a -->\n<!-- end --><!-- generated: a -->\n<!-- end -->",
		"<!-- generated: a -->\n\nnew\n<!-- end --><!-- generated: a -->\n\nnew\n<!-- end -->")

	bad := func(text, want string) {
		t.Helper()
		if _, err := fill([]byte(text), parts); err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("fill(%q): got %v; want an error with %q", text, err, want)
		}
	}
	bad("<!-- generated: b -->\n<!-- end -->", "no generated part")
	bad("<!-- generated: a -->\nold", "no <!-- end -->")
}

func TestSummary(t *testing.T) {
	t.Parallel()
	f := func(page, want string) {
		t.Helper()
		if got := summary(page); got != want {
			t.Fatalf("summary(%q): got %q; want %q", page, got, want)
		}
	}
	f("# Benchmarks\n", "\nNot measured yet on this version: `make compare` measures and fills this in.\n\n")
	f("m\n\n### 1kb: small answers\n\n| a |\n\nnoise\n\n### 16kb: x\n\n| b |\n", "\nSmall answers (weir-default is weir as it comes, weir does the rivals' work):\n\n| a |\n\nnoise\n\n[All of it as a picture](docs/benchmarks.svg).\n\n")
}

// TestCheckFindsWhatIsStale writes the documents of a copy, spoils one, and
// wants that one named.
func TestCheckFindsWhatIsStale(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		at := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("README.md", "<!-- generated: benchmarks -->\n<!-- end -->\n")
	write("docs/operations.md", "<!-- generated: refusals -->\n<!-- end -->\n")
	write("docs/benchmarks.md", "# Benchmarks\n")
	var said strings.Builder
	if err := run([]string{"-root", root, "-check"}, &said); err == nil {
		t.Fatal("got no error before the documents were written")
	}
	if err := run([]string{"-root", root}, &said); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"-root", root, "-check"}, &said); err != nil {
		t.Fatalf("after writing: got %v; want none stale", err)
	}
	for path, want := range map[string]string{
		"docs/reference/flags.md":   "`-listen.headTimeout`",
		"docs/reference/metrics.md": "`weir_upstream_connections` | gauge | `state`",
		"docs/reference/log.md":     "$context.requestId",
		"docs/operations.md":        "| 404 | `no_route` |",
	} {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil || !strings.Contains(string(text), want) {
			t.Fatalf("%s: got %.300q, %v; want it to have %q", path, text, err, want)
		}
	}
	write("docs/reference/flags.md", "old")
	err := run([]string{"-root", root, "-check"}, &said)
	if err == nil || err.Error() != "docs/reference/flags.md is stale; run make docs" {
		t.Fatalf("got %v; want flags.md to be stale", err)
	}

	write("measured.md", "machine\n\n### 1kb: one\n\n| weir |\n")
	if err := run([]string{"-root", root, "-benchmarks", filepath.Join(root, "measured.md")}, &said); err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil || !strings.Contains(string(readme), "| weir |") {
		t.Fatalf("README.md: got %q, %v; want the measured table", readme, err)
	}
}

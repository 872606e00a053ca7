package house

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// root is the top of the checkout, seen from this package.
const root = "../.."

func TestImports(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "list", "-pgo=off", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cannot list the packages: %v\n%s", err, stderr.Bytes())
	}
	packages, err := ReadPackages(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	for _, breach := range CheckImports(packages, Allowed(), TestsMayImport()) {
		t.Error(breach)
	}
}

func TestImportsFindsBreaches(t *testing.T) {
	t.Parallel()
	allowed := map[string][]string{
		"weir/a": {"weir/b", "example.org/m"},
		"weir/b": {},
	}
	f := func(list string, want ...string) {
		t.Helper()
		packages, err := ReadPackages(strings.NewReader(list))
		if err != nil {
			t.Fatal(err)
		}
		if got := CheckImports(packages, allowed, []string{"example.org/test"}); !slices.Equal(got, want) {
			t.Fatalf("CheckImports(%s): got %q; want %q", list, got, want)
		}
	}
	const b = `{"ImportPath":"weir/b"}`
	f(`{"ImportPath":"weir/a","Imports":["fmt","weir/b","example.org/m","example.org/m/sub"]}` + b)
	f(`{"ImportPath":"weir/a","TestImports":["example.org/test/x","weir/z"]}` + b)
	f(`{"ImportPath":"weir/a"}{"ImportPath":"weir/b","Imports":["weir/a"]}`, "weir/b imports weir/a")
	f(`{"ImportPath":"weir/a","Imports":["weir/b/inner"]}`+b, "weir/a imports weir/b/inner")
	f(`{"ImportPath":"weir/a","Imports":["example.org/mm"]}`+b, "weir/a imports example.org/mm")
	f(`{"ImportPath":"weir/a","XTestImports":["example.org/other"]}`+b, "the tests of weir/a import example.org/other")
	f(`{"ImportPath":"weir/a"}`+b+`{"ImportPath":"weir/c"}`, "weir/c is in no row of the table")
	f(`{"ImportPath":"weir/a"}`, "weir/b is in the table and not in the tree")

	if _, err := ReadPackages(strings.NewReader(`{"ImportPath":1}`)); err == nil {
		t.Fatal("ReadPackages: got no error for what is no list")
	}
}

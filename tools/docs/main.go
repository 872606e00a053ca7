// Docs writes the generated documents: docs/reference, and the parts of other
// documents between <!-- generated: NAME --> and <!-- end -->. With -check it
// writes nothing and fails when one of them is stale.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("docs", flag.ContinueOnError)
	root := flags.String("root", ".", "Top of the checkout.")
	isCheck := flags.Bool("check", false, "Write nothing; fail when a document is stale.")
	benchmarks := flags.String("benchmarks", "", "Tables that tools/compare has written, to become docs/benchmarks.md.")
	if err := flags.Parse(args); err != nil {
		return err
	}
	pages, err := generate(*root, *benchmarks)
	if err != nil {
		return err
	}
	if *isCheck {
		return check(*root, pages)
	}
	return write(*root, pages, stdout)
}

// generate returns the wanted content of each document, by its path below root.
func generate(root, benchmarks string) (map[string][]byte, error) {
	pages := references()
	var err error
	const measured = "docs/benchmarks.md"
	var tables []byte
	if benchmarks != "" {

		if tables, err = os.ReadFile(benchmarks); err != nil {
			return nil, fmt.Errorf("cannot read the measurements: %w", err)
		}
		pages[measured] = append([]byte(benchmarksIntroduction), tables...)
	} else if tables, err = os.ReadFile(filepath.Join(root, measured)); err != nil {
		return nil, fmt.Errorf("cannot read the benchmarks: %w", err)
	}
	parts := map[string]string{
		"refusals":   refusals(),
		"benchmarks": summary(string(tables)),
	}
	for _, path := range []string{"README.md", "docs/operations.md"} {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return nil, fmt.Errorf("cannot read a document: %w", err)
		}
		if pages[path], err = fill(text, parts); err != nil {
			return nil, fmt.Errorf("cannot fill %q: %w", path, err)
		}
	}
	return pages, nil
}

// fill puts parts between their markers. A marker without an end, or with an
// unknown name, is an error: it would go stale in silence.
func fill(text []byte, parts map[string]string) ([]byte, error) {
	const begin, closing, end = "<!-- generated: ", " -->\n", "<!-- end -->"
	var out bytes.Buffer
	for {
		before, rest, found := bytes.Cut(text, []byte(begin))
		out.Write(before)
		if !found {
			return out.Bytes(), nil
		}
		name, rest, found := bytes.Cut(rest, []byte(closing))
		part, known := parts[string(name)]
		if !found || !known {
			return nil, fmt.Errorf("there is no generated part %.40q", name)
		}
		_, rest, found = bytes.Cut(rest, []byte(end))
		if !found {
			return nil, fmt.Errorf("the generated part %q has no %s", name, end)
		}
		fmt.Fprintf(&out, "%s%s%s%s%s", begin, name, closing, part, end)
		text = rest
	}
}

func check(root string, pages map[string][]byte) error {
	var errs []error
	for _, path := range sorted(pages) {
		is, err := os.ReadFile(filepath.Join(root, path))
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("cannot read a generated document: %w", err))
		case !bytes.Equal(is, pages[path]):
			errs = append(errs, fmt.Errorf("%s is stale; run make docs", path))
		}
	}
	return errors.Join(errs...)
}

func write(root string, pages map[string][]byte, stdout io.Writer) error {
	for _, path := range sorted(pages) {
		at := filepath.Join(root, path)
		if is, err := os.ReadFile(at); err == nil && bytes.Equal(is, pages[path]) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return fmt.Errorf("cannot make a folder of documents: %w", err)
		}
		if err := os.WriteFile(at, pages[path], 0o644); err != nil {
			return fmt.Errorf("cannot write a document: %w", err)
		}
		fmt.Fprintln(stdout, "wrote", path)
	}
	return nil
}

func sorted(pages map[string][]byte) []string {
	var paths []string
	for path := range pages {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	return paths
}

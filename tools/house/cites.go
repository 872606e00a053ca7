package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

var (
	linkForm = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	codeForm = regexp.MustCompile("`([^`\n]+)`")
	// A declaration is cited as `name` in `path`.
	declaredForm = regexp.MustCompile("`([A-Za-z0-9_]+)` in\\s+`([a-z0-9_./-]+\\.go)`")
	makeForm     = regexp.MustCompile(`\bmake ([a-z][a-z0-9-]*)`)
	pathForm     = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*/?$`)
)

// CheckCites returns everything that a document cites and tree does not have:
// links, paths in `code`, declarations, and make targets. at is the document's
// own path in tree; targets are those of the Makefile.
func CheckCites(tree fs.FS, at, text string, targets map[string]bool) []string {
	var missing []string
	complain := func(what string) { missing = append(missing, at+": there is no "+what) }
	for _, m := range linkForm.FindAllStringSubmatch(text, -1) {
		link, _, _ := strings.Cut(m[1], "#")
		if link == "" || strings.Contains(link, "://") {
			continue
		}
		if !exists(tree, path.Join(path.Dir(at), link)) {
			complain("file for the link " + m[1])
		}
	}
	for _, m := range codeForm.FindAllStringSubmatch(text, -1) {
		if isPath(tree, m[1]) && !exists(tree, m[1]) {
			complain("file " + m[1])
		}
		if target := makeForm.FindStringSubmatch(m[1]); target != nil && strings.HasPrefix(m[1], "make ") && !targets[target[1]] {
			complain("make target " + target[1])
		}
	}
	for _, m := range declaredForm.FindAllStringSubmatch(text, -1) {
		if exists(tree, m[2]) && !declares(tree, m[2], m[1]) {
			complain(m[1] + " in " + m[2])
		}
	}
	return missing
}

// isPath tells whether code looks like a path below the top: it has a slash,
// and its first element is a folder there.
func isPath(tree fs.FS, code string) bool {
	first, _, hasSlash := strings.Cut(code, "/")
	if !hasSlash || !pathForm.MatchString(code) {
		return false
	}
	info, err := fs.Stat(tree, first)
	return err == nil && info.IsDir()
}

func exists(tree fs.FS, name string) bool {
	_, err := fs.Stat(tree, path.Clean(name))
	return err == nil
}

// declares tells whether a Go file declares a function, method or type.
func declares(tree fs.FS, file, name string) bool {
	text, err := fs.ReadFile(tree, file)
	if err != nil {
		return false
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
	if err != nil {
		return false
	}
	for _, d := range parsed.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.Name == name {
				return true
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if t, ok := spec.(*ast.TypeSpec); ok && t.Name.Name == name {
					return true
				}
			}
		}
	}
	return false
}

// MakeTargets returns the targets of a Makefile.
func MakeTargets(text string) map[string]bool {
	targets := make(map[string]bool)
	for line := range strings.Lines(text) {
		if name, _, found := strings.Cut(line, ":"); found && name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" {
			targets[name] = true
		}
	}
	return targets
}

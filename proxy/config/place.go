package config

import (
	"strconv"
	"strings"
)

// place is where a value of the document stands in its text. Places form the same
// tree as the document, which keeps an error's path and line together.
type place struct {
	parent *place
	key    string
	index  int32 // in a list; -1 under a key
	// line and column are those of a scalar, and of the key of a mapping or list:
	// what a reader looks for.
	line, column       int32
	keyLine, keyColumn int32
	// spoiled: the value could not be read. incomplete: a key was not understood.
	// Either silences what would only follow from it.
	spoiled, incomplete bool
	kids                []*place
	byKey               map[string]*place
}

// manyKids is the number of keys above which a map is faster than a search.
const manyKids = 16

func (p *place) add(kid *place) {
	p.kids = append(p.kids, kid)
	if kid.index >= 0 || len(p.kids) <= manyKids {
		return
	}
	if p.byKey == nil {
		p.byKey = make(map[string]*place, 2*manyKids)
		for _, k := range p.kids {
			p.byKey[k.key] = k
		}
	}
	p.byKey[kid.key] = kid
}

func (p *place) find(key string) *place {
	if p.byKey != nil {
		return p.byKey[key]
	}
	for _, kid := range p.kids {
		if kid.index < 0 && kid.key == key {
			return kid
		}
	}
	return nil
}

// kid returns the place under a key; for a key that is not written, a new place
// at p's own line.
func (p *place) kid(key string) *place {
	if kid := p.find(key); kid != nil {
		return kid
	}
	return &place{parent: p, key: key, index: -1, line: p.line, column: p.column, keyLine: p.line, keyColumn: p.column}
}

// item returns the place of a list's item.
func (p *place) item(i int) *place {
	if i < len(p.kids) {
		return p.kids[i]
	}
	return &place{parent: p, index: int32(i), line: p.line, column: p.column}
}

// silenced reports whether the value, or one it is part of, could not be read.
func (p *place) silenced() bool {
	for ; p != nil; p = p.parent {
		if p.spoiled {
			return true
		}
	}
	return false
}

// unsure reports whether something may be missing from what was read.
func (p *place) unsure() bool { return p.incomplete || p.silenced() }

// path returns the way from the document to p: apis.site.routes[2].upstream.
func (p *place) path() string {
	if p.parent == nil {
		return ""
	}
	if p.index >= 0 {
		return appendPathIndex(p.parent.path(), int(p.index))
	}
	return appendPathKey(p.parent.path(), p.key)
}

func appendPathIndex(path string, index int) string {
	return path + "[" + strconv.Itoa(index) + "]"
}

func appendPathKey(path, key string) string {
	if !isPlainKey(key) {
		return path + "[" + strconv.Quote(key) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// isPlainKey reports whether a key needs no quotes in a path.
func isPlainKey(key string) bool {
	for i := 0; i < len(key); i++ {
		if c := key[i]; !isLetterOrDigit(c) && c != '_' && c != '-' && c != '$' {
			return false
		}
	}
	return key != ""
}

// Path writes the path of a place: its elements are keys and indexes, as in
// Path("apis", "site", "routes", 2). Keys that are no plain names are quoted.
func Path(elements ...any) string {
	path := ""
	for _, element := range elements {
		switch e := element.(type) {
		case int:
			path = appendPathIndex(path, e)
		case string:
			path = appendPathKey(path, e)
		default:
			panic("BUG: a path's element is neither key nor index")
		}
	}
	return path
}

// At returns where the value at path stands in the text. For a path that is not
// written it is the nearest one around it, and 0, 0 for a document without text.
func (d *Document) At(path string) (line, column int) {
	p := d.place(path)
	return int(p.line), int(p.column)
}

// MistakeAt returns a mistake at a path, for what is found wrong after loading.
func (d *Document) MistakeAt(path, problem, suggestion string) Mistake {
	line, column := d.At(path)
	return Mistake{File: d.file, Line: line, Column: column, Path: path, Problem: problem, Suggestion: suggestion}
}

func (d *Document) place(path string) *place {
	p := d.root
	if p == nil {
		return &place{}
	}
	for path != "" {
		key, index, rest, ok := cutPath(path)
		if !ok {
			return p
		}
		var kid *place
		if index < 0 {
			kid = p.find(key)
		} else if index < len(p.kids) && p.kids[index].index >= 0 {
			kid = p.kids[index]
		}
		if kid == nil {
			return p
		}
		p, path = kid, rest
	}
	return p
}

// cutPath takes the first element from a path; index is -1 for a key.
func cutPath(path string) (key string, index int, rest string, ok bool) {
	if quoted, found := strings.CutPrefix(path, "["); found && strings.HasPrefix(quoted, `"`) {
		prefix, err := strconv.QuotedPrefix(quoted)
		if err != nil || !strings.HasPrefix(quoted[len(prefix):], "]") {
			return "", 0, "", false
		}
		key, err = strconv.Unquote(prefix)
		return key, -1, strings.TrimPrefix(quoted[len(prefix)+1:], "."), err == nil
	}
	if bracketed, found := strings.CutPrefix(path, "["); found {
		digits, after, closed := strings.Cut(bracketed, "]")
		index, err := strconv.Atoi(digits)
		return "", index, strings.TrimPrefix(after, "."), closed && err == nil && index >= 0
	}
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		return path, -1, "", true
	}
	return path[:end], -1, strings.TrimPrefix(path[end:], "."), end > 0
}

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxDocumentBytes is far above any document written by people and far below
// what would hurt the process that reloads it.
const maxDocumentBytes = 16 << 20

// Load reads the document in a file, YAML or JSON. Paths in it are resolved
// against the file's directory. What is wrong with the text is a *Mistakes.
func Load(path string) (*Document, error) {
	text, err := readDocument(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, text)
}

func readDocument(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read document %q: %w", path, err)
	}
	defer file.Close()
	about, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read document %q: %w", path, err)
	}
	if about.IsDir() {
		return nil, fmt.Errorf("cannot read document %q: it is a directory", path)
	}
	if about.Size() > maxDocumentBytes {
		return nil, tooLarge(path)
	}
	// A pipe has no size: read one byte more than is allowed.
	text, err := io.ReadAll(io.LimitReader(file, maxDocumentBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read document %q: %w", path, err)
	}
	return text, nil
}

func tooLarge(name string) error {
	return wholeFile(name, 0, 0, "the document is larger than "+ByteSize(maxDocumentBytes).String(), "")
}

func wholeFile(name string, line, column int, problem, suggestion string) error {
	return &Mistakes{List: []Mistake{{File: name, Line: line, Column: column, Problem: problem, Suggestion: suggestion}}}
}

// Parse reads a document, YAML or JSON. The name stands in mistakes, and its
// directory is what relative paths are resolved against. The error is a *Mistakes.
// The document does not keep data.
func Parse(name string, data []byte) (*Document, error) {
	if len(data) > maxDocumentBytes {
		return nil, tooLarge(name)
	}
	if at := invalidByte(data); at >= 0 {
		line := 1 + bytes.Count(data[:at], []byte("\n"))
		return nil, wholeFile(name, line, at-bytes.LastIndexByte(data[:at], '\n'), "the document is not UTF-8", "save it as UTF-8 text")
	}
	top, err := parseText(name, data)
	if err != nil {
		return nil, err
	}
	found := &findings{file: name}
	doc := &Document{file: name, root: &place{line: int32(top.Line), column: int32(top.Column)}}
	d := &decoder{found: found, shapes: shapes{}, merging: map[*yaml.Node]bool{}}
	d.value(top, reflect.ValueOf(doc).Elem(), nil, doc.root)
	doc.check(found, filepath.Dir(name))
	if err := found.err(); err != nil {
		return nil, err
	}
	return doc, nil
}

// Check fills in the defaults of a document made in Go and checks it as Parse
// does, with relative paths resolved against directory. The error is a *Mistakes.
func (d *Document) Check(directory string) error {
	if d.root == nil {
		d.root = &place{}
	}
	found := &findings{file: d.file}
	d.check(found, directory)
	return found.err()
}

// invalidByte returns the offset of the first byte that is not UTF-8, or -1.
func invalidByte(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// parseText returns the top node of the only document in data.
func parseText(name string, data []byte) (*yaml.Node, error) {
	if isJSON(data) {
		return parseJSON(data), nil
	}
	return parseYAML(name, data)
}

func parseYAML(name string, data []byte) (*yaml.Node, error) {
	reader := yaml.NewDecoder(bytes.NewReader(data))
	var root, more yaml.Node
	err := reader.Decode(&root)
	if errors.Is(err, io.EOF) {
		return nil, wholeFile(name, 1, 1, "the document is empty", "")
	}
	if err != nil {
		return nil, syntaxMistake(name, data, err)
	}
	if root.Kind != yaml.DocumentNode || len(root.Content) != 1 || isNull(root.Content[0]) {
		return nil, wholeFile(name, 1, 1, "the document is empty", "")
	}
	err = reader.Decode(&more)
	if err == nil {
		return nil, wholeFile(name, more.Line, more.Column, "a second YAML document begins here", "put everything into one, without ---")
	}
	if !errors.Is(err, io.EOF) {
		return nil, syntaxMistake(name, data, err)
	}
	return root.Content[0], nil
}

// syntaxMistake takes the line out of the parser's message.
func syntaxMistake(name string, data []byte, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1 // the parser leaves out the first line
	if parts := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(text); parts != nil {
		line, _ = strconv.Atoi(parts[1])
		text = text[len(parts[0]):]
		if countsFromZero(text) {
			line++
		}
	}
	if anchor, ok := strings.CutPrefix(text, "unknown anchor '"); ok {
		anchor, _, _ = strings.Cut(anchor, "'")
		at := max(0, bytes.Index(data, []byte("*"+anchor)))
		line = 1 + bytes.Count(data[:at], []byte("\n"))
	}
	return wholeFile(name, line, 1, "not valid YAML: "+text, syntaxSuggestion(text))
}

// countsFromZero tells the messages of the library's parser, whose lines count
// from zero, from those of its scanner, whose lines count from one.
func countsFromZero(text string) bool {
	for _, begin := range []string{
		"did not find expected <", "did not find expected node", "did not find expected '-'",
		"did not find expected key", "did not find expected ','",
		"found undefined tag", "found duplicate", "found incompatible",
	} {
		if strings.HasPrefix(text, begin) {
			return true
		}
	}
	return false
}

func syntaxSuggestion(text string) string {
	switch {
	case strings.Contains(text, "cannot start any token"):
		return "indent with spaces, not tabs, and put text that begins with a special character in quotes"
	case strings.Contains(text, "did not find expected ','"):
		return "inside { } and [ ], put text that holds a brace or a comma in quotes"
	case strings.Contains(text, "mapping values are not allowed"):
		return "check the indentation, and put text that holds a colon and a space in quotes"
	case strings.Contains(text, "unknown anchor"):
		return "put text that begins with a star in quotes"
	}
	return ""
}

package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Mistake is one thing that is wrong with a document, and where. Line and Column
// count from 1; both are 0 where the document was not read from text.
type Mistake struct {
	File         string
	Line, Column int
	// Path is the place in the document: apis.site.routes[2].upstream.
	Path       string
	Problem    string
	Suggestion string
}

// String returns the mistake in one line: file:line:column: path: problem; suggestion.
func (m Mistake) String() string {
	var b strings.Builder
	b.WriteString(m.File)
	if m.Line > 0 {
		b.WriteString(":" + strconv.Itoa(m.Line) + ":" + strconv.Itoa(m.Column))
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if m.Path != "" {
		b.WriteString(m.Path + ": ")
	}
	b.WriteString(m.Problem)
	if m.Suggestion != "" {
		b.WriteString("; " + m.Suggestion)
	}
	return b.String()
}

// Mistakes is the error of a document: all that is wrong with it, by line.
type Mistakes struct {
	List []Mistake
	// Omitted counts the mistakes beyond the thousandth, which are not kept.
	Omitted int
}

// Error returns the mistakes, one a line.
func (m *Mistakes) Error() string {
	var b strings.Builder
	for i, mistake := range m.List {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(mistake.String())
	}
	if m.Omitted > 0 {
		b.WriteString("\nand " + strconv.Itoa(m.Omitted) + " more mistakes")
	}
	return b.String()
}

// maxMistakes bounds the memory and the search for suggestions that a file which
// is not a document at all can cost.
const maxMistakes = 1000

// findings collects mistakes while a document is read.
type findings struct {
	file    string
	list    []Mistake
	omitted int
}

// full reports whether further mistakes are only counted.
func (f *findings) full() bool { return len(f.list) >= maxMistakes }

func (f *findings) add(line, column int32, path, problem, suggestion string) {
	if f.full() {
		f.omitted++
		return
	}
	f.list = append(f.list, Mistake{
		File: f.file, Line: int(line), Column: int(column),
		Path: path, Problem: problem, Suggestion: suggestion,
	})
}

// err returns what was found, sorted, or nil.
func (f *findings) err() error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortStableFunc(f.list, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path))
	})
	return &Mistakes{List: f.list, Omitted: f.omitted}
}

// complaint is a problem that does not know its place yet.
type complaint struct {
	problem, suggestion string
}

func complain(problem, suggestion string) *complaint {
	return &complaint{problem: problem, suggestion: suggestion}
}

// Error returns the problem and the suggestion in one line.
func (c *complaint) Error() string {
	if c.suggestion == "" {
		return c.problem
	}
	return c.problem + "; " + c.suggestion
}

func didYouMean(text string) string { return "did you mean " + quote(text) + "?" }

// maxQuotedBytes keeps a mistake on one line of a terminal.
const maxQuotedBytes = 60

// quote returns text in quotes, cut where it is long.
func quote(text string) string {
	if len(text) <= maxQuotedBytes {
		return strconv.Quote(text)
	}
	cut := maxQuotedBytes
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return strconv.Quote(text[:cut] + "…")
}

package config

import "strings"

const (
	variablePrefix = "${stageVariables."
	variableForm   = "write ${stageVariables.name}"
)

// Expand returns s with each ${stageVariables.name} replaced by its value, and
// by nothing where there is no such variable, as AWS does.
func Expand(s string, variables map[string]string) string {
	if !strings.Contains(s, variablePrefix) {
		return s
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, variablePrefix)
		name, rest, closed := strings.Cut(after, "}")
		if !found || !closed {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(before)
		b.WriteString(variables[name])
		s = rest
	}
}

// variablesOf returns the stage variables that a text refers to.
func variablesOf(text string) (names []string, wrong *complaint) {
	for {
		_, after, found := strings.Cut(text, "${")
		if !found {
			return names, nil
		}
		inside, rest, closed := strings.Cut(after, "}")
		if !closed {
			return nil, complain("${ is not closed", variableForm)
		}
		name, isVariable := strings.CutPrefix("${"+inside, variablePrefix)
		if !isVariable {
			return nil, complain("${"+clip(inside)+"} means nothing", variableForm)
		}
		if !isVariableName(name) {
			return nil, complain(quote(name)+" cannot name a stage variable", "names have letters, digits and _, at most 64")
		}
		names = append(names, name)
		text = rest
	}
}

func isVariableName(name string) bool { return len(name) <= 64 && isWord(name, "_") }

// Piece is a part of a template: fixed text, or the name of a path parameter.
type Piece struct {
	Text  string
	Param string
}

// ParseTemplate takes a text with {name} in it apart: a redirect's location or a
// rewrite's path, after Expand.
func ParseTemplate(text string) ([]Piece, error) {
	pieces, wrong := parseTemplate(text)
	if wrong != nil {
		return nil, wrong
	}
	return pieces, nil
}

func parseTemplate(text string) (pieces []Piece, wrong *complaint) {
	for text != "" {
		open := strings.IndexAny(text, "{}")
		if open < 0 {
			return append(pieces, Piece{Text: text}), nil
		}
		if text[open] == '}' {
			return nil, complain("} closes nothing", "write {name}")
		}
		if open > 0 {
			pieces = append(pieces, Piece{Text: text[:open]})
		}
		name, rest, closed := strings.Cut(text[open+1:], "}")
		if !closed {
			return nil, complain("{ is not closed", "write {name}")
		}
		if bare, greedy := strings.CutSuffix(name, "+"); greedy && isParamName(bare) {
			return nil, complain("the + belongs to the route's path only", didYouMean("{"+bare+"}"))
		}
		if !isParamName(name) {
			return nil, complain(quote(name)+" cannot name a parameter", "write {name}")
		}
		pieces = append(pieces, Piece{Param: name})
		text = rest
	}
	return pieces, nil
}

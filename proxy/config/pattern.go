package config

import (
	"fmt"
	"strings"
)

// SegmentKind says what a segment of a pattern takes.
type SegmentKind uint8

const (
	// Static takes its own text.
	Static SegmentKind = iota
	// Param takes any one segment: {name}.
	Param
	// Greedy takes one or more segments, all that remain: {name+}.
	Greedy
)

// Segment is one segment of a pattern: fixed text, or the name of a parameter.
type Segment struct {
	Kind SegmentKind
	Text string
}

const (
	maxSegments = 256
	maxParams   = 32
)

// ParsePattern takes the path of a route apart. "/" has no segments, and a slash
// at the end is ignored, as it is where requests are matched. Fixed text must be
// written as canonical paths are. It does not take $default.
func ParsePattern(pattern string) ([]Segment, error) {
	segments, wrong := parsePattern(pattern)
	if wrong != nil {
		return nil, wrong
	}
	return segments, nil
}

func parsePattern(pattern string) ([]Segment, *complaint) {
	inside, ok := strings.CutPrefix(pattern, "/")
	if !ok {
		return nil, patternWithoutSlash(pattern)
	}
	inside = strings.TrimSuffix(inside, "/")
	if inside == "" && pattern != "//" {
		return nil, nil
	}
	texts := strings.Split(inside, "/")
	if len(texts) > maxSegments {
		return nil, complain(fmt.Sprintf("a path has at most %d segments", maxSegments), "")
	}
	segments := make([]Segment, 0, len(texts))
	for i, text := range texts {
		segment, wrong := parseSegment(text)
		if wrong != nil {
			return nil, wrong
		}
		if segment.Kind == Greedy && i < len(texts)-1 {
			return nil, complain("{"+segment.Text+"+} takes all that remains and must come last", didYouMean("/"+strings.Join(texts[:i+1], "/")))
		}
		segments = append(segments, segment)
	}
	return segments, checkParams(segments)
}

func patternWithoutSlash(pattern string) *complaint {
	switch {
	case pattern == "":
		return complain("the path is empty", `write "/" for the root`)
	case pattern == "*" || pattern == "/*":
		return complain(quote(pattern)+" is not a path", didYouMean("/{proxy+}"))
	case strings.EqualFold(strings.TrimPrefix(pattern, "$"), "default"):
		return complain("a path begins with a slash", didYouMean(DefaultName))
	}
	return complain("a path begins with a slash", didYouMean("/"+pattern))
}

func parseSegment(text string) (Segment, *complaint) {
	if !strings.ContainsAny(text, "{}") {
		return Segment{Kind: Static, Text: text}, checkSegment(text)
	}
	name, opened := strings.CutPrefix(text, "{")
	name, closed := strings.CutSuffix(name, "}")
	if !opened || !closed || strings.ContainsAny(name, "{}") {
		return Segment{}, complain(quote(text)+" mixes a parameter with something else", "a parameter is a whole segment: /{name}/")
	}
	kind := Param
	if bare, greedy := strings.CutSuffix(name, "+"); greedy {
		kind, name = Greedy, bare
	}
	if name == "" {
		return Segment{}, complain("a parameter needs a name", "write {name}")
	}
	if !isParamName(name) {
		return Segment{}, complain(quote(name)+" cannot name a parameter", "names have letters, digits, and . _ : -")
	}
	return Segment{Kind: kind, Text: name}, nil
}

func isParamName(name string) bool { return len(name) <= 128 && isWord(name, "._:-") }

func checkParams(segments []Segment) *complaint {
	seen := make(map[string]bool, 4)
	for _, segment := range segments {
		if segment.Kind == Static {
			continue
		}
		if seen[segment.Text] {
			return complain("the parameter {"+segment.Text+"} is there twice", "give each its own name")
		}
		seen[segment.Text] = true
	}
	if len(seen) > maxParams {
		return complain(fmt.Sprintf("a path has at most %d parameters", maxParams), "")
	}
	return nil
}

// checkPathText checks a literal path, such as a prefix: it begins with a slash,
// has no empty segment, and ends without a slash.
func checkPathText(path string) *complaint {
	inside, ok := strings.CutPrefix(path, "/")
	if !ok {
		return complain("a path begins with a slash", didYouMean("/"+path))
	}
	if trimmed := strings.TrimRight(path, "/"); trimmed != path {
		return complain("there is a slash too many at the end", didYouMean(trimmed))
	}
	for segment := range strings.SplitSeq(inside, "/") {
		if strings.ContainsAny(segment, "{}") {
			return complain("a parameter has no meaning here", "")
		}
		if wrong := checkSegment(segment); wrong != nil {
			return wrong
		}
	}
	return nil
}

// checkSegment checks that a fixed segment is written as a canonical path writes
// it; written otherwise it would never match.
func checkSegment(text string) *complaint {
	switch text {
	case "":
		return complain("the path has an empty segment", "write single slashes")
	case ".", "..":
		return complain("a path cannot hold the segment "+quote(text), "")
	case "*":
		return complain(`"*" is no wildcard in a path`, didYouMean("{name}"))
	}
	right := canonicalSegment(text)
	if right == text {
		return nil
	}
	if i := strings.IndexAny(text, "?#"); i >= 0 {
		return complain("a path ends before "+quote(text[i:i+1]), "match the query under match")
	}
	return complain("a path is written in its canonical form", didYouMean(right))
}

// canonicalSegment encodes what a path cannot hold, decodes what needs no code
// (RFC 3986 §2.3) and writes codes in upper case.
func canonicalSegment(text string) string {
	const hex = "0123456789ABCDEF"
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		coded := c == '%' && i+2 < len(text) && isHex(text[i+1]) && isHex(text[i+2])
		if coded {
			c = unhex(text[i+1])<<4 | unhex(text[i+2])
			i += 2
		}
		unreserved := isLetterOrDigit(c) || strings.IndexByte("-._~", c) >= 0
		if unreserved || !coded && strings.IndexByte("!$&'()*+,;=:@", c) >= 0 {
			out = append(out, c)
			continue
		}
		out = append(out, '%', hex[c>>4], hex[c&15])
	}
	return string(out)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

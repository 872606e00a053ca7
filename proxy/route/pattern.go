package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	maxSegments     = 256
	maxPatternBytes = 8 << 10
)

type kind uint8

const (
	static kind = iota
	param
	greedy
)

// A segment is one step of a pattern; key is the canonical text of a static one.
type segment struct {
	kind kind
	key  string
}

// parsePattern reads "/pets/{id}/files/{path+}". A trailing slash means nothing, as in the paths that it will match.
func parsePattern(text string) (segments []segment, names []string, err error) {
	if len(text) > maxPatternBytes {
		return nil, nil, fmt.Errorf("pattern is longer than %d bytes", maxPatternBytes)
	}
	rest, ok := strings.CutPrefix(text, "/")
	if !ok {
		return nil, nil, errors.New("pattern does not begin with a slash")
	}
	if rest == "" {
		return nil, nil, nil
	}
	rest = strings.TrimSuffix(rest, "/")
	for part := range strings.SplitSeq(rest, "/") {
		if len(segments) == maxSegments {
			return nil, nil, fmt.Errorf("pattern has more than %d segments", maxSegments)
		}
		if len(segments) > 0 && segments[len(segments)-1].kind == greedy {
			return nil, nil, fmt.Errorf("greedy parameter {%s+} is not the last segment", names[len(names)-1])
		}
		s, name, err := parseSegment(part)
		if err != nil {
			return nil, nil, err
		}
		segments = append(segments, s)
		if s.kind == static {
			continue
		}
		if slices.Contains(names, name) {
			return nil, nil, fmt.Errorf("two parameters have the name %q", name)
		}
		if len(names) == MaxParams {
			return nil, nil, fmt.Errorf("pattern has more than %d parameters", MaxParams)
		}
		names = append(names, name)
	}
	return segments, names, nil
}

func parseSegment(text string) (s segment, name string, err error) {
	if !strings.ContainsAny(text, "{}") {
		key, err := canonicalSegment(text)
		return segment{kind: static, key: key}, "", err
	}
	inside, opened := strings.CutPrefix(text, "{")
	inside, closed := strings.CutSuffix(inside, "}")
	if !opened || !closed || strings.ContainsAny(inside, "{}") {
		return segment{}, "", fmt.Errorf("segment %q: a parameter must be a whole segment", text)
	}
	s.kind = param
	name, isGreedy := strings.CutSuffix(inside, "+")
	if isGreedy {
		s.kind = greedy
	}
	if !isParamName(name) {
		return segment{}, "", fmt.Errorf("segment %q: %q is not a parameter name", text, name)
	}
	return s, name, nil
}

// isParamName is wider than AWS's rule, but leaves out what a regular expression would need.
func isParamName(name string) bool {
	for i := range len(name) {
		if c := name[i]; c < 0x80 && c != '$' && classes[c] != unreserved {
			return false
		}
	}
	return name != ""
}

// canonicalSegment spells a static segment as canonical paths do, so that a pattern written in any spelling matches.
func canonicalSegment(text string) (string, error) {
	raw := []byte{'/'}
	for i := range len(text) {
		if text[i] >= 0x80 { // people write documents in their own script
			raw = appendByte(raw, text[i])
			continue
		}
		raw = append(raw, text[i])
	}
	key, err := AppendCanonical(nil, raw)
	switch {
	case text == "":
		return "", errors.New("pattern has an empty segment")
	case errors.Is(err, ErrAboveRoot), err == nil && string(key) == "/":
		return "", fmt.Errorf("segment %q is a dot segment", text)
	case err != nil:
		return "", fmt.Errorf("segment %q: %w", text, err)
	}
	return string(key[1:]), nil
}

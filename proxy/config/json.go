package config

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// YAML parsers do not take all of JSON: "\/" and surrogate pairs are strange to
// them. Text that is JSON is therefore read as JSON, into the same nodes.

// isJSON reports whether a text is one JSON object.
func isJSON(data []byte) bool {
	start := bytes.TrimLeft(data, " \t\r\n")
	return len(start) > 0 && start[0] == '{' && json.Valid(data)
}

// jsonReader makes nodes of valid JSON.
type jsonReader struct {
	data    []byte
	tokens  *json.Decoder
	counted int // bytes up to which line and column are known
	line    int
	column  int
}

func parseJSON(data []byte) *yaml.Node {
	r := &jsonReader{data: data, tokens: json.NewDecoder(bytes.NewReader(data)), line: 1, column: 1}
	r.tokens.UseNumber()
	return r.node()
}

// node reads one value; the text is known to be valid.
func (r *jsonReader) node() *yaml.Node {
	n := r.placed(int(r.tokens.InputOffset()))
	token, err := r.tokens.Token()
	if err != nil {
		panic("BUG: valid JSON that cannot be read: " + err.Error())
	}
	switch value := token.(type) {
	case json.Delim:
		n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		if value == '{' {
			n.Kind, n.Tag = yaml.MappingNode, "!!map"
		}
		for r.tokens.More() {
			n.Content = append(n.Content, r.node())
		}
		_, _ = r.tokens.Token() // the closing one
	case string:
		n.Tag, n.Value, n.Style = "!!str", value, yaml.DoubleQuotedStyle
	case json.Number:
		n.Tag, n.Value = "!!int", value.String()
		if strings.ContainsAny(n.Value, ".eE") {
			n.Tag = "!!float"
		}
	case bool:
		n.Tag, n.Value = "!!bool", "false"
		if value {
			n.Value = "true"
		}
	default:
		n.Tag, n.Value = "!!null", "null"
	}
	return n
}

// placed returns a scalar node at the first token from offset on.
func (r *jsonReader) placed(offset int) *yaml.Node {
	for offset < len(r.data) && strings.IndexByte(" \t\r\n,:", r.data[offset]) >= 0 {
		offset++
	}
	passed := r.data[r.counted:offset]
	if last := bytes.LastIndexByte(passed, '\n'); last >= 0 {
		r.line += bytes.Count(passed, []byte("\n"))
		r.column = 1
		passed = passed[last+1:]
	}
	r.column += utf8.RuneCount(passed)
	r.counted = offset
	return &yaml.Node{Kind: yaml.ScalarNode, Line: r.line, Column: r.column}
}

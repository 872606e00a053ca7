package proxy

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// script is one file of testdata/way: README.md there says how one is written.
type script struct {
	document string
	flags    []string
	turns    map[string][]section // what each upstream does, request by request
	steps    []section
}

// section is the text below one "-- kind name --" line.
type section struct {
	kind, name string
	line       int
	text       string
}

const defaultUpstream = "upstream"

const defaultScriptDocument = `
apis: { site: { routes: [ { path: $default, upstream: upstream } ] } }
upstreams: { upstream: { targets: [ "http://{{upstream}}" ] } }
`

// readScript reads a script. What it cannot be is told with file and line.
func readScript(t *testing.T, file string) *script {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{document: defaultScriptDocument, turns: map[string][]section{defaultUpstream: nil}}
	sections, about := splitSections(string(content))
	if strings.TrimSpace(about) == "" {
		t.Fatalf("%s: begin with a line that says what the script shows", file)
	}
	for _, sec := range sections {
		switch sec.kind {
		case "document":
			s.document = sec.text
		case "flags":
			s.flags = strings.Fields(sec.text)
		case "upstream":
			s.turns[sec.name] = append(s.turns[sec.name], sec)
		case "request", "answer", "interim", "upstream sees", "send", "receive", "upstream receives":
			s.steps = append(s.steps, sec)
		default:
			t.Fatalf("%s:%d: unknown section %q", file, sec.line, sec.kind)
		}
	}
	if len(s.steps) == 0 {
		t.Fatalf("%s: there is no request", file)
	}
	return s
}

func splitSections(content string) (sections []section, about string) {
	var lines []string
	end := func() {
		text := strings.Join(lines, "\n")
		lines = nil
		if len(sections) == 0 {
			about = text
			return
		}
		sections[len(sections)-1].text = text
	}
	for i, line := range strings.Split(strings.TrimSuffix(content, "\n"), "\n") {
		title, ok := strings.CutPrefix(line, "-- ")
		if title, ok2 := strings.CutSuffix(title, " --"); ok && ok2 {
			end()
			kind, name := sectionKind(title)
			sections = append(sections, section{kind: kind, name: name, line: i + 1})
			continue
		}
		lines = append(lines, line)
	}
	end()
	return sections, about
}

// sectionKind splits a title in what the section is and whom it is about.
func sectionKind(title string) (kind, name string) {
	for _, kind := range []string{"upstream sees", "upstream receives", "upstream"} {
		if rest, ok := strings.CutPrefix(title, kind); ok && (rest == "" || rest[0] == ' ') {
			if rest = strings.TrimSpace(rest); rest == "" {
				rest = defaultUpstream
			}
			return kind, rest
		}
	}
	kind, name, _ = strings.Cut(title, " ")
	return kind, name
}

// expand replaces {{name}} by values[name] and {{repeat TEXT N}} by N times TEXT.
func expand(text string, values map[string]string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "{{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "}}")
		text = after
		if value, known := values[name]; known {
			b.WriteString(value)
			continue
		}
		words := strings.Fields(name)
		if len(words) == 3 && words[0] == "repeat" {
			if n, err := strconv.Atoi(words[2]); err == nil {
				b.WriteString(strings.Repeat(words[1], n))
				continue
			}
		}
		b.WriteString("{{" + name + "}}")
	}
}

// written is a message as a script has it: the head, then pieces of content.
type written struct {
	start      string
	fields     []string // "Name: value", "!Name"
	hasBody    bool     // an empty line follows the head
	body       []string // lines behind it, directives taken out
	trailers   []string // of @trailer
	directives map[string]string
	wire       string // bytes to send
}

// parseWritten splits a section. Head lines end by CRLF on the wire, lines of
// content by LF, the last of them by nothing.
func parseWritten(text string) (*written, error) {
	w := &written{directives: map[string]string{}}
	var wire, content strings.Builder
	chunked, inBody := false, false
	var raw string
	for _, line := range strings.Split(text, "\n") {
		if directive, ok := strings.CutPrefix(line, "@"); ok {
			name, value, _ := strings.Cut(directive, " ")
			switch name {
			case "chunk":
				chunked = true
				fmt.Fprintf(&content, "%x\r\n%s\r\n", len(value), value)
				w.body = append(w.body, value)
			case "trailer":
				w.trailers = append(w.trailers, value)
			case "raw":
				unquoted, err := strconv.Unquote(value)
				if err != nil {
					return nil, fmt.Errorf("cannot read %q: %w", line, err)
				}
				raw += unquoted
			default:
				w.directives[name] = value
			}
			continue
		}
		switch {
		case inBody:
			w.body = append(w.body, line)
		case line == "" && (w.start != "" || len(w.fields) > 0):
			inBody, w.hasBody = true, true
		case line == "":
		case w.start == "":
			w.start = line
		default:
			w.fields = append(w.fields, line)
		}
	}
	if !chunked {
		content.WriteString(strings.Join(w.body, "\n"))
	}
	if _, ended := w.directives["end"]; ended {
		content.WriteString("0\r\n")
		for _, trailer := range w.trailers {
			content.WriteString(trailer + "\r\n")
		}
		content.WriteString("\r\n")
	}
	if w.start != "" {
		for _, line := range append([]string{w.start}, w.fields...) {
			line = strings.ReplaceAll(line, "{{length}}", strconv.Itoa(content.Len()))
			wire.WriteString(line + "\r\n")
		}
		wire.WriteString("\r\n" + content.String())
	}
	w.wire = wire.String() + raw
	return w, nil
}

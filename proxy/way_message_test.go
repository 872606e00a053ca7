package proxy

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// wireMessage is an HTTP message as it arrived, read without the code under test.
type wireMessage struct {
	start    string
	fields   []string // "Name: value", as they stood
	content  string   // without chunks
	trailers []string
	whole    bool // the end that the framing tells was reached
}

func (m *wireMessage) String() string {
	text := strings.Join(append([]string{m.start}, m.fields...), "\n") + "\n\n" + shortened(m.content)
	for _, trailer := range m.trailers {
		text += "\n@trailer " + trailer
	}
	if !m.whole {
		text += "\n@truncated"
	}
	return text
}

func shortened(s string) string {
	if len(s) <= 400 {
		return s
	}
	return fmt.Sprintf("%s… (%d bytes)", s[:200], len(s))
}

// values returns the values of a field, in order.
func (m *wireMessage) values(name string) []string {
	var out []string
	for _, field := range m.fields {
		n, value, _ := strings.Cut(field, ":")
		if strings.EqualFold(n, name) {
			out = append(out, strings.TrimSpace(value))
		}
	}
	return out
}

func (m *wireMessage) value(name string) string {
	if values := m.values(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// status returns the status code of an answer.
func (m *wireMessage) status() int {
	words := strings.Fields(m.start)
	if len(words) < 2 {
		return 0
	}
	status, _ := strconv.Atoi(words[1])
	return status
}

// readWireHead reads start line and fields.
func readWireHead(br *bufio.Reader) (*wireMessage, error) {
	m := &wireMessage{}
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			if line != "" {
				return nil, fmt.Errorf("connection ended inside a head, after %q", line)
			}
			return nil, err
		}
		text, ok := strings.CutSuffix(line, "\r\n")
		if !ok {
			return nil, fmt.Errorf("line %q does not end by CRLF", line)
		}
		switch {
		case text == "":
			return m, nil
		case m.start == "":
			m.start = text
		default:
			m.fields = append(m.fields, text)
		}
	}
}

// readContent reads what follows the head. Only an answer may end with its
// connection.
func (m *wireMessage) readContent(br *bufio.Reader, answer bool) error {
	if m.value("Transfer-Encoding") != "" {
		return m.readChunks(br)
	}
	var content []byte
	var err error
	switch length := m.value("Content-Length"); {
	case length != "":
		n, parseErr := strconv.Atoi(length)
		if parseErr != nil {
			return parseErr
		}
		content = make([]byte, n)
		n, err = io.ReadFull(br, content)
		content = content[:n]
	case answer:
		content, err = io.ReadAll(br)
	}
	m.content, m.whole = string(content), err == nil
	return nil
}

func (m *wireMessage) readChunks(br *bufio.Reader) error {
	var content strings.Builder
	defer func() { m.content = content.String() }()
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return nil
		}
		size, err := strconv.ParseInt(strings.TrimSuffix(line, "\r\n"), 16, 64)
		if err != nil {
			return fmt.Errorf("cannot read chunk size: %w", err)
		}
		if size == 0 {
			break
		}
		if _, err := io.CopyN(&content, br, size); err != nil {
			return nil
		}
		if end := make([]byte, 2); true {
			if _, err := io.ReadFull(br, end); err != nil {
				return nil
			}
			if string(end) != "\r\n" {
				return fmt.Errorf("chunk ends by %q", end)
			}
		}
	}
	rest, err := readWireHead(br)
	if err != nil {
		return nil
	}
	if rest.start != "" {
		m.trailers = append([]string{rest.start}, rest.fields...)
	}
	m.whole = true
	return nil
}

// differences tells where m is not what want asks for.
func (m *wireMessage) differences(want *written) []string {
	var out []string
	differ := func(format string, a ...any) { out = append(out, fmt.Sprintf(format, a...)) }
	if want.start != "" && !matches(want.start, m.start) && want.start != strconv.Itoa(m.status()) {
		differ("start line: got %q; want %q", m.start, want.start)
	}
	named := map[string][]string{}
	var order []string
	for _, field := range want.fields {
		if name, ok := strings.CutPrefix(field, "!"); ok {
			if got := m.values(name); len(got) > 0 {
				differ("%s: got %q; want none", name, got)
			}
			named[strings.ToLower(name)] = nil
			continue
		}
		name, value, ok := strings.Cut(field, ":")
		if !ok {
			differ("%q is no field", field)
		}
		key := strings.ToLower(name)
		if named[key] == nil {
			order = append(order, key)
		}
		named[key] = append(named[key], strings.TrimSpace(value))
	}
	for _, key := range order {
		got := m.values(key)
		same := len(got) == len(named[key])
		for i := 0; same && i < len(got); i++ {
			same = matches(named[key][i], got[i])
		}
		if !same {
			differ("%s: got %q; want %q", key, got, named[key])
		}
	}
	if _, only := want.directives["only"]; only {
		for _, field := range m.fields {
			name, _, _ := strings.Cut(field, ":")
			if _, ok := named[strings.ToLower(name)]; !ok {
				differ("%s is there; want only the fields listed", field)
			}
		}
	}
	if body := strings.Join(want.body, "\n"); want.hasBody && !matches(body, m.content) {
		differ("content: got %q; want %q", shortened(m.content), shortened(body))
	}
	if got, wanted := strings.Join(m.trailers, "\n"), strings.Join(want.trailers, "\n"); got != wanted {
		differ("trailers: got %q; want %q", got, wanted)
	}
	if _, truncated := want.directives["truncated"]; truncated == m.whole {
		differ("whole: got %t; want %t", m.whole, !truncated)
	}
	return out
}

// matches compares a text with what a script has: "~" begins an expression
// that must match the whole of it.
func matches(want, got string) bool {
	expression, ok := strings.CutPrefix(want, "~")
	if !ok {
		return want == got
	}
	return regexp.MustCompile(`^(?s:` + expression + `)$`).MatchString(got)
}

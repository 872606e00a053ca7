package proxy

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The files in testdata/strict say which bytes a client sends and what must
// come of them. A file is a list of cases, a case a list of lines:
//
//	case NAME
//	> TEXT     send TEXT and CRLF; \r \n \x00 and the like are escapes, {x*9} is nine x
//	| TEXT     send TEXT alone
//	~ TEXT     wait until the upstream has seen TEXT
//	= STATUS [keep|close] [DETAIL]
//	           the next answer, what becomes of the connection, and why it was refused
//	^ METHOD TARGET HOST "BODY"
//	           what the upstream saw; without such a line it saw not one byte
//	^ has NAME: VALUE, ^ not NAME
//	           the last of these had, or had not, the field
//	^ aborted "BODY"
//	           it saw a request that was cut off behind BODY
//	^ partial  it may have seen a part of a request, but none that was whole
//	# TEXT     a comment

func TestStrict(t *testing.T) {
	files, err := filepath.Glob("testdata/strict/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata/strict: got %d files, %v; want some", len(files), err)
	}
	total := 0
	for _, file := range files {
		cases := readStrict(t, file)
		total += len(cases)
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			bench := newStrictBench(t)
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) { bench.run(t, c) })
			}
		})
	}
	if total < 110 {
		t.Errorf("got %d cases; want 110 or more", total)
	}
}

// strictCase is one case of a file.
type strictCase struct {
	name  string
	steps []strictStep
}

type strictStep struct {
	kind byte // of '>', '~', '=' and '^'
	text string
	at   string
}

func readStrict(t *testing.T, file string) []*strictCase {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []*strictCase
	for i, line := range strings.Split(string(text), "\n") {
		at := fmt.Sprintf("%s:%d", filepath.Base(file), i+1)
		if name, ok := strings.CutPrefix(line, "case "); ok {
			out = append(out, &strictCase{name: name})
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		if len(out) == 0 || !strings.ContainsRune(">|~=^", rune(line[0])) {
			t.Fatalf("%s: got %q; want a line of a case", at, line)
		}
		c := out[len(out)-1]
		kind, rest := line[0], strings.TrimPrefix(line[1:], " ")
		switch kind {
		case '>', '|':
			rest = unescape(t, at, rest)
			if kind == '>' {
				rest += "\r\n"
			}
			if last := len(c.steps) - 1; last >= 0 && c.steps[last].kind == '>' {
				c.steps[last].text += rest
				continue
			}
			kind = '>'
		case '~':
			rest = unescape(t, at, rest)
		case '^':
			rest = repeat(rest)
		}
		c.steps = append(c.steps, strictStep{kind, rest, at})
	}
	return out
}

var repeated = regexp.MustCompile(`\{([^{}*]+)\*([0-9]+)\}`)

func unescape(t *testing.T, at, text string) string {
	t.Helper()
	out, err := strconv.Unquote(`"` + strings.ReplaceAll(repeat(text), `"`, `\"`) + `"`)
	if err != nil {
		t.Fatalf("%s: cannot read the escapes of %q: %s", at, text, err)
	}
	return out
}

func repeat(text string) string {
	return repeated.ReplaceAllStringFunc(text, func(m string) string {
		parts := repeated.FindStringSubmatch(m)
		n, _ := strconv.Atoi(parts[2])
		return strings.Repeat(parts[1], n)
	})
}

// strictBench is a gateway and the upstream that notes what comes through it.
type strictBench struct {
	g    *testGateway
	up   *rawUpstream
	saw  chan *rawRequest
	mark int // bytes that the upstream had seen when the case began
}

func newStrictBench(t *testing.T) *strictBench {
	b := &strictBench{saw: make(chan *rawRequest, 64)}
	b.up = startUpstream(t, func(c *upstreamConn) {
		for r := c.request(); r != nil; r = c.request() {
			b.saw <- r
			if r.Err != nil {
				return
			}
			text := r.Method + " " + r.Target
			answer := okText(text)
			if r.Method == "HEAD" {
				answer = strings.TrimSuffix(answer, text)
			}
			c.reply(answer)
		}
	})
	b.g = startGateway(t, "apis: {all: {routes: [\n"+
		"  {path: $default, upstream: up, host: client},\n"+
		"  {path: /small, upstream: up, host: client, maxBody: 4},\n"+
		"  {path: /only, methods: [GET], upstream: up}]}}\n"+
		"upstreams: {up: {targets: ["+b.up.url()+"]}}\n", func(o *Options) {
		o.Listen.MaxHead, o.Listen.MaxTarget, o.Listen.MaxFields = 4096, 1024, 20
	})
	return b
}

func (b *strictBench) run(t *testing.T, c *strictCase) {
	for len(b.saw) > 0 {
		<-b.saw // of a case that failed
	}
	b.mark = len(b.up.bytesSeen())
	b.g.t, b.up.t = t, t
	client := b.g.dial()
	defer client.Close()
	method, asked, after := "", []string{}, ""
	var last *rawRequest
	expected := false
	for _, step := range c.steps {
		switch step.kind {
		case '>':
			client.send(step.text)
			asked = append(asked, methodsIn(step.text)...)
		case '~':
			b.up.await(step.text, func(seen string) bool { return strings.Contains(seen[b.mark:], step.text) })
		case '=':
			if len(asked) > 0 && !strings.HasPrefix(step.text, "100") {
				method, asked = asked[0], asked[1:]
			}
			after = checkStrictAnswer(t, step, client.answer(method))
		case '^':
			expected = true
			last = b.checkSeen(t, step, last)
		}
	}
	if !expected {
		if seen := b.up.bytesSeen()[b.mark:]; seen != "" {
			t.Fatalf("the upstream: got %q; want nothing", seen)
		}
	}
	switch after {
	case "close":
		client.closed()
	case "keep":
		client.send("GET /probe HTTP/1.1\r\nHost: h\r\n\r\n")
		if a := client.answer("GET"); a.Status != 200 || a.Body != "GET /probe" {
			t.Fatalf("the next request of the connection: got %+v; want 200", a)
		}
		b.next(t, false)
	default:
		t.Fatalf("the case does not say what becomes of the connection")
	}
	for len(b.saw) > 0 {
		if r := <-b.saw; r.Err == nil {
			t.Fatalf("the upstream: got %+v beside what was expected", r)
		}
	}
}

// next returns the next request that the upstream saw; those that were cut off
// come late, even from an earlier case, and only count where they are awaited.
func (b *strictBench) next(t *testing.T, cut bool) *rawRequest {
	t.Helper()
	for {
		if r := within(t, "a request at the upstream", b.saw); cut || r.Err == nil {
			return r
		}
	}
}

var requestLine = regexp.MustCompile(`(?m)^([A-Za-z]+) [^ ]+ HTTP/1\.[01]\r$`)

// methodsIn returns the methods of well-formed request lines, so that answers
// to HEAD are read as such.
func methodsIn(text string) (out []string) {
	for _, m := range requestLine.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

// checkStrictAnswer returns what the step says becomes of the connection.
func checkStrictAnswer(t *testing.T, step strictStep, a *rawAnswer) string {
	t.Helper()
	words := strings.SplitN(step.text, " ", 3)
	want, err := strconv.Atoi(words[0])
	if err != nil {
		t.Fatalf("%s: got %q; want a status", step.at, step.text)
	}
	if a.Status != want || a.Err != nil {
		t.Fatalf("%s: got %+v; want status %d", step.at, a, want)
	}
	after, detail := "", ""
	if len(words) > 1 {
		after = words[1]
	}
	if len(words) > 2 {
		detail = words[2]
	}
	if want >= 200 {
		if a.Close != (after == "close") {
			t.Fatalf("%s: Connection: close: got %t; want the connection to %s", step.at, a.Close, after)
		}
	}
	if want >= 400 {
		checkProblem(t, step.at, a, detail)
	}
	return after
}

// checkProblem holds a refusal to RFC 9457 and RFC 9209.
func checkProblem(t *testing.T, at string, a *rawAnswer, detail string) {
	t.Helper()
	var problem struct {
		Type, Title, Detail string
		Status              int
	}
	if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("%s: Content-Type: got %q; want a problem", at, got)
	}
	if err := json.Unmarshal([]byte(a.Body), &problem); err != nil {
		t.Fatalf("%s: the problem %q: %s", at, a.Body, err)
	}
	if problem.Status != a.Status || problem.Title == "" || !strings.HasPrefix(problem.Type, "urn:weir:problem:") || problem.Detail != detail {
		t.Fatalf("%s: the problem: got %+v; want status %d, detail %q", at, problem, a.Status, detail)
	}
	want := "weir; error=http_request_error"
	if a.Status == 404 || a.Status == 405 {
		want = ""
	}
	if got := a.Header.Get("Proxy-Status"); got != want {
		t.Fatalf("%s: Proxy-Status: got %q; want %q", at, got, want)
	}
	if got := a.Header.Get("Cache-Control"); got != "no-store" {
		t.Fatalf("%s: Cache-Control: got %q; want no-store", at, got)
	}
}

func (b *strictBench) checkSeen(t *testing.T, step strictStep, last *rawRequest) *rawRequest {
	t.Helper()
	if step.text == "partial" {
		return nil // that nothing else came is checked for every case
	}
	if name, ok := strings.CutPrefix(step.text, "not "); ok {
		if got := last.Header.Values(name); len(got) > 0 {
			t.Fatalf("%s: the upstream: got %s: %q; want none", step.at, name, got)
		}
		return last
	}
	if field, ok := strings.CutPrefix(step.text, "has "); ok {
		name, want, _ := strings.Cut(field, ": ")
		got := strings.Join(append(last.Header.Values(name), last.Trailer.Values(name)...), "|")
		if got != want {
			t.Fatalf("%s: the upstream: got %s: %q; want %q", step.at, name, got, want)
		}
		return last
	}
	if body, ok := strings.CutPrefix(step.text, "aborted "); ok {
		r := b.next(t, true)
		for r.Err != nil && strconv.Quote(r.Body) != body {
			r = b.next(t, true)
		}
		if r.Err == nil {
			t.Fatalf("%s: the upstream: got the whole request %+v; want it cut off", step.at, r)
		}
		return r
	}
	r := b.next(t, false)
	host := strings.ReplaceAll(r.Host, b.up.ln.Addr().String(), "UPSTREAM")
	if got := fmt.Sprintf("%s %s %s %q", r.Method, r.Target, host, r.Body); got != step.text || r.Err != nil {
		t.Fatalf("%s: the upstream: got %s, %v; want %s", step.at, got, r.Err, step.text)
	}
	return r
}

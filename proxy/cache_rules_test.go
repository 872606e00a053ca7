package proxy

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestCacheRules drives testdata/cache/rules.txt, which says what its lines mean,
// through one gateway: each case is an API on hosts of its own.
func TestCacheRules(t *testing.T) { runCacheCases(t, "testdata/cache/rules.txt", 110) }

func runCacheCases(t *testing.T, file string, atLeast int) {
	t.Parallel()
	cases := readCacheCases(t, file)
	if len(cases) < atLeast {
		t.Errorf("got %d cases; want %d at least", len(cases), atLeast)
	}
	up := startUpstream(t, func(c *upstreamConn) {
		for r := c.request(); r != nil; r = c.request() {
			_, rest, _ := strings.Cut(r.Target, "/c")
			n, path, _ := strings.Cut(rest, "/")
			i, err := strconv.Atoi(n)
			if err != nil || i >= len(cases) {
				return
			}
			r.Target = "/" + path
			answer := cases[i].reply(r)
			if answer == "" {
				return
			}
			c.reply(answer)
		}
	})
	var apis, upstreams, domains strings.Builder
	for i, c := range cases {
		fmt.Fprintf(&apis, "  c%d: { routes: [ { path: $default, upstream: up%d%s } ] }\n", i, i, c.route)
		fmt.Fprintf(&upstreams, "  up%d: { targets: [ \"%s/c%d\" ] }\n", i, up.url(), i)
		fmt.Fprintf(&domains, "  c%d.example: { mappings: { \"\": c%d } }\n  other%d.example: { mappings: { \"\": c%d } }\n", i, i, i, i)
	}
	g := startGateway(t, "apis:\n"+apis.String()+"upstreams:\n"+upstreams.String()+"domains:\n"+domains.String())
	for i, c := range cases {
		t.Run(c.title, func(t *testing.T) { c.run(t, g, i) })
	}
}

// cacheCase is a sequence of requests for what one route keeps.
type cacheCase struct {
	title, route string
	steps        []*cacheStep

	mu     sync.Mutex
	now    *cacheStep
	asked  int         // of the whole case
	failed []string    // what the upstream has found wrong
	seen   *rawRequest // by the upstream, last
}

// cacheStep is one request: what the upstream answers to what it makes of it, and
// what the client gets.
type cacheStep struct {
	line, method, target string
	fields               []string
	answers              []cacheAnswer
	sees, wants          []string
	status               int
}

type cacheAnswer struct {
	status int
	fields []string
}

func readCacheCases(t *testing.T, file string) (out []*cacheCase) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(string(text), "\n\n")[1:] {
		c := &cacheCase{route: ", cache: {}"}
		for line := range strings.Lines(block) {
			if !c.read(strings.TrimSuffix(line, "\n")) {
				t.Fatalf("%s: cannot read the line %q", file, line)
			}
		}
		out = append(out, c)
	}
	return out
}

func (c *cacheCase) read(line string) bool {
	word, rest, _ := strings.Cut(strings.TrimLeft(line, " "), " ")
	last := &cacheStep{}
	if n := len(c.steps); n > 0 {
		last = c.steps[n-1]
	}
	switch word {
	case "#":
		c.title = rest
	case "cache":
		c.route = ", cache: " + rest
	case "route":
		c.route = ", " + rest
	case "up":
		status, fields, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(status)
		last.answers = append(last.answers, cacheAnswer{n, items(fields)})
		return err == nil || status == "closes"
	case "sees":
		last.sees = items(rest)
	case "gets":
		status, wants, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(status)
		last.status, last.wants = n, items(wants)
		return err == nil
	default:
		target, fields, _ := strings.Cut(rest, " ")
		c.steps = append(c.steps, &cacheStep{line: line, method: word, target: target, fields: items(fields)})
		return word == strings.ToUpper(word) && (strings.HasPrefix(target, "/") || strings.HasPrefix(target, "http://"))
	}
	return true
}

func items(text string) (out []string) {
	for item := range strings.SplitSeq(text, " | ") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

var datePattern = regexp.MustCompile(`\{([+-]\d+)(\w*)\}`)

// dated makes dates of {-60}, so many seconds from now, in one of the three forms.
func dated(text string) string {
	return datePattern.ReplaceAllStringFunc(text, func(found string) string {
		m := datePattern.FindStringSubmatch(found)
		n, _ := strconv.Atoi(m[1])
		at := time.Now().UTC().Add(time.Duration(n) * time.Second)
		switch m[2] {
		case "rfc850":
			return at.Format("Monday, 02-Jan-06 15:04:05 GMT")
		case "asctime":
			return at.Format(time.ANSIC)
		}
		return at.Format(http.TimeFormat)
	})
}

// reply is the upstream's: the next answer of the step.
func (c *cacheCase) reply(r *rawRequest) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	c.seen = r
	if c.now == nil || len(c.now.answers) == 0 {
		c.failed = append(c.failed, fmt.Sprintf("the upstream was asked for %s %s; want it left alone", r.Method, r.Target))
		return "HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n"
	}
	a := c.now.answers[0]
	c.now.answers = c.now.answers[1:]
	for _, want := range c.now.sees {
		c.failed = appendUnlike(c.failed, "the upstream saw", want, r.Method+" "+r.Target, r.Header, r.Body)
	}
	if a.status == 0 {
		return "" // no answer
	}
	body := strconv.Itoa(c.asked)
	var out strings.Builder
	fmt.Fprintf(&out, "HTTP/1.1 %d Something\r\n", a.status)
	for _, field := range a.fields {
		if text, isBody := strings.CutPrefix(field, "= "); isBody {
			body = text
			continue
		}
		out.WriteString(dated(field) + "\r\n")
	}
	if a.status != 204 && a.status != 304 {
		fmt.Fprintf(&out, "Content-Length: %d\r\n", len(body))
	}
	out.WriteString("\r\n")
	if a.status != 204 && a.status != 304 && r.Method != "HEAD" {
		out.WriteString(body)
	}
	return out.String()
}

// appendUnlike appends what is wrong where a message is not as an item wants it:
// "Name: value" is a field, "!Name" none, "= text" the content, "~ text" a part of
// Cache-Status, "!~ text" none, and "^ text" the first line.
func appendUnlike(list []string, who, want, line string, h http.Header, body string) []string {
	kind, text, _ := strings.Cut(want, " ")
	status := strings.Join(h["Cache-Status"], ", ")
	ok, got := false, fmt.Sprint(h)
	switch {
	case kind == "=":
		ok, got = body == text, body
	case kind == "=~":
		ok, got = strings.Contains(body, text), body
	case kind == "~":
		ok, got = strings.Contains(status, text), status
	case kind == "!~":
		ok, got = !strings.Contains(status, text), status
	case kind == "^":
		ok, got = strings.Contains(line, text), line
	case strings.HasPrefix(want, "!"):
		ok = len(h[http.CanonicalHeaderKey(want[1:])]) == 0
	default:
		name, value, _ := strings.Cut(want, ":")
		got = strings.Join(h.Values(name), ", ")
		ok = got == dated(strings.TrimSpace(value))
	}
	if ok {
		return list
	}
	return append(list, fmt.Sprintf("%s %s: got %q; want %s", who, line, got, want))
}

func (c *cacheCase) run(t *testing.T, g *testGateway, number int) {
	for _, s := range c.steps {
		c.mu.Lock()
		c.now = s
		c.mu.Unlock()
		host, body, request := fmt.Sprintf("c%d.example", number), "", ""
		hosts := strings.NewReplacer("$other", "other"+host[1:], "$host", host, "$HOST", strings.ToUpper(host))
		for _, field := range s.fields {
			field = hosts.Replace(dated(field))
			text, isBody := strings.CutPrefix(field, "= ")
			name, value, _ := strings.Cut(field, ": ")
			switch {
			case isBody:
				body = text
				request += fmt.Sprintf("Content-Length: %d\r\n", len(text))
			case name == "Host":
				host = value
			default:
				request += field + "\r\n"
			}
		}
		a := g.exchange(s.method + " " + hosts.Replace(s.target) + " HTTP/1.1\r\nHost: " + host + "\r\n" + request + "\r\n" + body)
		g.settled(func() bool { return len(s.answers) == 0 }, &c.mu)
		if a.Status != s.status {
			t.Errorf("%s: got %d %v; want %d", s.line, a.Status, a.Header, s.status)
		}
		c.mu.Lock()
		for _, want := range s.wants {
			c.failed = appendUnlike(c.failed, "the client got", want, a.Line, a.Header, a.Body)
		}
		for _, why := range c.failed {
			t.Errorf("%s: %s", s.line, why)
		}
		if len(s.answers) > 0 {
			t.Errorf("%s: the upstream was asked too seldom; want %d more", s.line, len(s.answers))
		}
		c.failed = nil
		c.mu.Unlock()
	}
}

// settled waits until no fetch is under way, and for cond a while.
func (g *testGateway) settled(cond func() bool, mu *sync.Mutex) {
	for late := time.Now().Add(patient / 5); time.Now().Before(late); time.Sleep(time.Millisecond) {
		mu.Lock()
		ok := cond()
		mu.Unlock()
		if ok && g.cacheStats().Fills == 0 {
			return
		}
	}
}

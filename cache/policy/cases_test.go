package policy

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// then is when the answers of the cases come.
var then = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// TestCases drives testdata/rfc9111.txt, which says what its lines mean.
func TestCases(t *testing.T) {
	text, err := os.ReadFile("testdata/rfc9111.txt")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "\n\n")
	for _, block := range blocks[1:] {
		title, lines, _ := strings.Cut(block, "\n")
		t.Run(strings.TrimPrefix(title, "# "), func(t *testing.T) {
			c := newRuleCase(t)
			for line := range strings.Lines(lines) {
				c.do(strings.TrimSuffix(line, "\n"))
			}
		})
	}
	if len(blocks) < 100 {
		t.Errorf("got %d cases; want them all", len(blocks))
	}
}

// ruleCase is one case on its way.
type ruleCase struct {
	*testing.T
	rules   Rules
	took    time.Duration
	request Request
	answer  Answer
	verdict Verdict
}

func newRuleCase(t *testing.T) *ruleCase {
	return &ruleCase{T: t, rules: Rules{Statuses: map[int]time.Duration{}, Only: map[int]bool{}}}
}

func (c *ruleCase) do(line string) {
	c.Helper()
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "rules":
		for rule := range strings.FieldsSeq(rest) {
			c.rule(rule)
		}
	case "q":
		addRequest(&c.request, rest)
	case "a":
		if status, err := strconv.Atoi(rest); err == nil {
			c.answer.Begin(status, then.Add(-c.took), then)
			return
		}
		name, value, _ := strings.Cut(rest, ":")
		c.answer.Add([]byte(name), []byte(withDates(strings.TrimSpace(value))))
	case "stored", "not":
		c.verdict = c.rules.Judge(&c.request, &c.answer)
		if got := describe(&c.verdict, rest); got != line {
			c.Errorf("got %q; want %q", got, line)
		}
	case "at":
		after, request, want := cutUse(c.T, rest)
		if got := useName(c.rules.Use(&c.verdict.Terms, request, after)); got != want {
			c.Errorf("%s: got %s, %s", line, got, c.rules.AppendWhy(nil, &c.verdict.Terms, request, after))
		}
	case "rescue":
		after, status, _ := strings.Cut(rest, " ")
		status, rest, _ = strings.Cut(status, " ")
		resident, request, want := cutUse(c.T, after+" "+rest)
		code, _ := strconv.Atoi(status)
		if got := c.rules.MayRescue(&c.verdict.Terms, request, resident, code); got != (want == "yes") {
			c.Errorf("%s: got %t", line, got)
		}
	default:
		c.Fatalf("cannot read the line %q", line)
	}
}

func (c *ruleCase) rule(rule string) {
	name, value, _ := strings.Cut(rule, "=")
	d, _ := time.ParseDuration(value)
	status, _ := strconv.Atoi(name[max(len(name)-3, 0):])
	switch {
	case name == "ttl":
		c.rules.TTL = d
	case name == "max":
		c.rules.MaxTTL = d
	case name == "swr":
		c.rules.StaleWhileRevalidate = d
	case name == "sie":
		c.rules.StaleIfError = d
	case name == "took":
		c.took = d
	case name == "heuristic":
		c.rules.Heuristic, _ = strconv.ParseFloat(value, 64)
	case name == "fixed":
		c.rules.Fixed = true
	case name == "setcookie":
		c.rules.SetCookie = true
	case name == "personal":
		c.rules.Personal = true
	case name == "unheeded":
		c.rules.Unheeded = true
	case strings.HasPrefix(name, "status"):
		c.rules.Statuses[status] = d
	case strings.HasPrefix(name, "only"):
		c.rules.Only[status] = true
	default:
		c.Fatalf("cannot read the rule %q", rule)
	}
}

func addRequest(q *Request, line string) {
	if method, ok := strings.CutPrefix(line, ":method "); ok {
		q.Method = []byte(method)
		return
	}
	name, value, _ := strings.Cut(line, ":")
	q.Add([]byte(name), []byte(withDates(strings.TrimSpace(value))))
}

// cutUse cuts "10s | Name: value | serve".
func cutUse(t *testing.T, text string) (time.Duration, *Request, string) {
	after, rest, _ := strings.Cut(text, " ")
	resident, err := time.ParseDuration(after)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(strings.TrimPrefix(rest, "| "), " | ")
	q := &Request{}
	for _, field := range parts[:len(parts)-1] {
		addRequest(q, field)
	}
	return resident, q, parts[len(parts)-1]
}

// describe says a verdict as the cases do, as far as the case wants to know.
func describe(v *Verdict, want string) string {
	if !v.Store {
		return "not " + v.Why
	}
	s := fmt.Sprintf("stored %s %ds", v.Terms.Source, int64(v.Terms.Lifetime/time.Second))
	if strings.Contains(want, " age ") {
		s += fmt.Sprintf(" age %ds", int64(v.Terms.InitialAge/time.Second))
	}
	if len(v.Drop) > 0 {
		s += " drop " + string(bytes.Join(v.Drop, []byte(" ")))
	}
	return s
}

func useName(u Use) string {
	return [...]string{"serve", "stale", "validate", "refetch", "gateway-timeout"}[u]
}

// withDates replaces {+10} by the date 10 seconds after then.
func withDates(value string) string {
	before, rest, ok := strings.Cut(value, "{")
	if !ok {
		return value
	}
	offset, after, _ := strings.Cut(rest, "}")
	n, _ := strconv.Atoi(offset)
	return before + httpDate(then.Add(time.Duration(n)*time.Second)) + after
}

func httpDate(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05") + " GMT" }

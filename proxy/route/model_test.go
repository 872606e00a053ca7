package route

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// checkOften is rapid.Check with more than its hundred draws, which find the rare disagreement too rarely.
func checkOften(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	for range 20 {
		rapid.Check(t, property)
	}
}

// linearRoutes is a tree's semantics written the slow way: try every route, score, sort, choose.
type linearRoutes struct {
	routes   []linearRoute
	fallback bool
}

type linearRoute struct {
	method, pattern string
	value           int
}

type linearMatch struct {
	linearRoute
	rank   string   // one letter a segment: s before t before u
	params []string // name, value, name, value
}

func (l linearRoutes) find(method, path string, refused map[int]bool) (linearMatch, Outcome) {
	hasMethod := func(m linearMatch) bool { return m.method == method || m.method == "ANY" }
	matches := l.matches(path)
	visible := matches
	if !l.fallback {
		lacking := slices.IndexFunc(matches, func(m linearMatch) bool {
			return !slices.ContainsFunc(matches, func(o linearMatch) bool { return o.rank == m.rank && hasMethod(o) })
		})
		if lacking >= 0 {
			visible = matches[:lacking]
		}
	}
	for _, m := range visible {
		if hasMethod(m) && !refused[m.value] {
			return m, Found
		}
	}
	if len(visible) == len(matches) {
		for _, r := range l.routes {
			if r.pattern == DefaultPattern && !refused[r.value] {
				return linearMatch{linearRoute: r}, Found
			}
		}
	}
	if len(matches) == 0 || slices.ContainsFunc(visible, hasMethod) {
		return linearMatch{}, NoPath
	}
	return linearMatch{}, NoMethod
}

func (l linearRoutes) allow(path string) []string {
	matches := l.matches(path)
	if !l.fallback && len(matches) > 0 {
		first := matches[0].rank
		matches = slices.DeleteFunc(matches, func(m linearMatch) bool { return m.rank != first })
	}
	if l.fallback || len(matches) == 0 {
		for _, r := range l.routes {
			if r.pattern == DefaultPattern {
				matches = append(matches, linearMatch{linearRoute: r})
			}
		}
	}
	seen := map[string]bool{}
	for _, m := range matches {
		if m.method != "ANY" {
			seen[m.method] = true
			continue
		}
		for any := range strings.FieldsSeq("DELETE GET HEAD OPTIONS PATCH POST PUT") {
			seen[any] = true
		}
	}
	var methods []string
	for m := range seen {
		methods = append(methods, m)
	}
	slices.Sort(methods)
	return methods
}

// matches returns the routes that match the path alone, the most specific first.
func (l linearRoutes) matches(path string) []linearMatch {
	var matches []linearMatch
	for _, r := range l.routes {
		if m, ok := matchLinear(r.pattern, path); ok {
			m.linearRoute = r
			matches = append(matches, m)
		}
	}
	slices.SortStableFunc(matches, func(a, b linearMatch) int {
		if c := strings.Compare(a.rank, b.rank); c != 0 {
			return c
		}
		return strings.Compare(anyLast(a.method), anyLast(b.method))
	})
	return matches
}

func anyLast(method string) string {
	if method == "ANY" {
		return "last"
	}
	return "first"
}

func matchLinear(pattern, path string) (m linearMatch, ok bool) {
	if !strings.HasPrefix(path, "/") || pattern == DefaultPattern {
		return m, false
	}
	want, have := splitLinear(pattern), splitLinear(path)
	for i, w := range want {
		switch {
		case i >= len(have):
			return m, false
		case strings.HasSuffix(w, "+}"):
			rest := strings.SplitN(path, "/", i+2)[i+1]
			m.rank += "u"
			m.params = append(m.params, strings.Trim(w, "{+}"), rest)
			return m, strings.Trim(rest, "/") != ""
		case strings.HasPrefix(w, "{"):
			m.rank += "t"
			m.params = append(m.params, strings.Trim(w, "{}"), have[i])
			ok = have[i] != ""
		default:
			m.rank += "s"
			ok = w == have[i]
		}
		if !ok {
			return m, false
		}
	}
	return m, len(want) == len(have)
}

func splitLinear(path string) []string {
	if path == "/" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(path[1:], "/"), "/")
}

// linearDomains is the semantics of Domains written the slow way.
type linearDomains []linearMapping

type linearMapping struct {
	domain, base string
	value        int
}

func (l linearDomains) find(host, path string) (value int, rest string, outcome Outcome) {
	host = strings.ToLower(host)
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	host = strings.TrimSuffix(host, ".")
	chosen, score := "", -1
	for _, m := range l {
		s := -1
		switch suffix, isWildcard := strings.CutPrefix(m.domain, "*"); {
		case m.domain == DefaultDomain:
			s = 0
		case isWildcard && strings.HasSuffix(host, suffix) && len(host) > len(suffix):
			s = len(suffix)
		case m.domain == host:
			s = 1000
		}
		if s > score {
			chosen, score = m.domain, s
		}
	}
	if score < 0 {
		return 0, "", NoDomain
	}
	outcome, longest := NoPath, -1
	for _, m := range l {
		base := strings.Trim(m.base, "/")
		if base != "" {
			base = "/" + base
		}
		after, ok := strings.CutPrefix(path, base)
		if m.domain == chosen && ok && (after == "" || after[0] == '/') && len(base) > longest {
			value, rest, outcome, longest = m.value, after, Found, len(base)
		}
	}
	if outcome == Found && rest == "" {
		rest = "/"
	}
	return value, rest, outcome
}

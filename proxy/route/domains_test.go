package route

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func buildDomains(t rapid.TB, mappings linearDomains) *Domains[int] {
	t.Helper()
	var b DomainsBuilder[int]
	for _, m := range mappings {
		if err := b.Add(m.domain, m.base, m.value); err != nil {
			t.Fatal(err)
		}
	}
	return b.Build()
}

func TestDomainsFind(t *testing.T) {
	d := buildDomains(t, linearDomains{
		{"api.example.org", "v1", 1},
		{"API.example.org.", "/v1/beta/", 2},
		{"api.example.org", "v1beta", 3},
		{"*.example.org", "(none)", 4},
		{"*.eu.example.org", "", 5},
		{"[2001:DB8::1]", "/", 6},
		{"example.org", "/", 7},
		{"example.org", "/caf%c3%a9", 8},
	})
	f := func(host, path string, want int, wantRest string, wantOutcome Outcome) {
		t.Helper()
		value, rest, outcome := d.Find([]byte(host), []byte(path))
		if value != want || string(rest) != wantRest || outcome != wantOutcome {
			t.Fatalf("Find(%q, %q): got %d, %q, %s; want %d, %q, %s", host, path, value, rest, outcome, want, wantRest, wantOutcome)
		}
	}
	f("api.example.org", "/v1", 1, "/", Found)
	f("api.example.org", "/v1/", 1, "/", Found)
	f("api.example.org", "/v1/pets/", 1, "/pets/", Found)
	f("api.example.org", "/v1/beta", 2, "/", Found)
	f("api.example.org", "/v1/beta/x", 2, "/x", Found)
	f("api.example.org", "/v1/betax", 1, "/betax", Found)
	f("api.example.org", "/v1beta/x", 3, "/x", Found)
	f("api.example.org", "/v2", 0, "", NoPath)
	f("api.example.org", "/", 0, "", NoPath)
	f("api.example.org", "", 0, "", NoPath)
	f("api.example.org", "*", 0, "", NoPath)
	f("Api.EXAMPLE.org.:8080", "/v1", 1, "/", Found)
	f("api.example.org:", "/v1", 1, "/", Found)
	f("x.example.org", "/v1", 4, "/v1", Found)
	f("x.y.example.org", "/", 4, "/", Found)
	f("x.eu.example.org", "/", 5, "/", Found)
	f("x.y.eu.example.org", "/", 5, "/", Found)
	f("eu.example.org", "/", 4, "/", Found)
	f("xeu.example.org", "/", 4, "/", Found)
	f("[2001:db8::1]", "/a", 6, "/a", Found)
	f("[2001:DB8::1]:443", "/a", 6, "/a", Found)
	f("example.org", "/caf%C3%A9/x", 8, "/x", Found)
	f("example.org", "/caf", 7, "/caf", Found)
	f(".example.org", "/", 0, "", NoDomain)
	f("notexample.org", "/", 0, "", NoDomain)
	f("", "/", 0, "", NoDomain)
	f("org", "/", 0, "", NoDomain)
	f("[2001:db8::1", "/", 0, "", NoDomain)
	f("[2001:db8::1]x", "/", 0, "", NoDomain)
	f("2001:db8::1", "/", 0, "", NoDomain)
	f("example.org:80a", "/", 0, "", NoDomain)
	f("example.org:80:80", "/", 0, "", NoDomain)
	f("u@example.org", "/", 0, "", NoDomain)
	f(strings.Repeat("a.", 121)+"example.org", "/", 4, "/", Found)
	f(strings.Repeat("a.", 122)+"example.org", "/", 0, "", NoDomain)
}

func TestDomainsDefault(t *testing.T) {
	d := buildDomains(t, linearDomains{{"*", "", 1}, {"*", "v1", 2}, {"a.org", "v1", 3}})
	f := func(host, path string, want int, wantOutcome Outcome) {
		t.Helper()
		value, _, outcome := d.Find([]byte(host), []byte(path))
		if value != want || outcome != wantOutcome {
			t.Fatalf("Find(%q, %q): got %d, %s; want %d, %s", host, path, value, outcome, want, wantOutcome)
		}
	}
	f("", "/", 1, Found)
	f("b.org", "/v1/x", 2, Found)
	f("[::1]:80", "/v2", 1, Found)
	f("a.org", "/v1", 3, Found)
	f("a.org", "/v2", 0, NoPath) // a known domain does not fall back to the default's base paths
	f("b.org:x", "/", 0, NoDomain)
	f("[::1", "/", 0, NoDomain)
}

func TestDomainsEmpty(t *testing.T) {
	var b DomainsBuilder[int]
	if _, _, outcome := b.Build().Find([]byte("a"), []byte("/")); outcome != NoDomain {
		t.Fatalf("got %s; want no domain", outcome)
	}
}

func TestDomainsAddRefuses(t *testing.T) {
	f := func(domain, base, want string) {
		t.Helper()
		var b DomainsBuilder[int]
		if err := b.Add("taken.org", "v1", 1); err != nil {
			t.Fatal(err)
		}
		err := b.Add(domain, base, 2)
		if err == nil || !strings.HasSuffix(err.Error(), ": "+want) || !strings.HasPrefix(err.Error(), "cannot map base path ") {
			t.Fatalf("Add(%q, %q): got %v; want %s", domain, base, err, want)
		}
	}
	f("", "", "it has an empty label")
	f(".", "", "it has an empty label")
	f("*.", "", "it has an empty label")
	f("a..b", "", "it has an empty label")
	f("a.*.b", "", `label "*" has the character '*'`)
	f("**", "", `label "**" has the character '*'`)
	f("a b", "", `label "a b" has the character ' '`)
	f("a.org:80", "", "it has a port")
	f("::1", "", "it has a port")
	f("[::1", "", "it is not an IPv6 address in brackets")
	f("[::1]:80", "", "it is not an IPv6 address in brackets")
	f("[1.2.3.4]", "", "it is not an IPv6 address in brackets")
	f("bücher.example", "", `label "bücher" is not ASCII: write it in its xn-- form`)
	f(strings.Repeat("a", 64)+".org", "", `label "`+strings.Repeat("a", 64)+`" is longer than 63 bytes`)
	f(strings.Repeat("a.", 128), "", "it is longer than 253 bytes")
	f("taken.org", "v1", "it is mapped already")
	f("TAKEN.org.", "/v1/", "it is mapped already")
	f("a.org", "{x}", "a base path has no parameters")
	f("a.org", "a//b", "pattern has an empty segment")
	f("a.org", "..", `segment ".." is a dot segment`)
}

type domainsCase struct {
	model      linearDomains
	domains    *Domains[int]
	host, path string
}

func drawDomainsCase(t *rapid.T) domainsCase {
	label := rapid.SampledFrom([]string{"a", "b", "ab", "org"})
	name := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(label, 1, 4).Draw(t, "labels"), ".")
	})
	path := rapid.Custom(func(t *rapid.T) string {
		return "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "ab", ""}), 0, 4).Draw(t, "parts"), "/")
	})
	var c domainsCase
	taken := map[string]bool{}
	for i := range rapid.IntRange(0, 20).Draw(t, "mappings") {
		domain := rapid.OneOf(name, rapid.Map(name, func(n string) string { return "*." + n }), rapid.Just("*")).Draw(t, "domain")
		base := strings.Trim(path.Draw(t, "base"), "/")
		for strings.Contains(base, "//") {
			base = strings.ReplaceAll(base, "//", "/")
		}
		if !taken[domain+"/"+base] {
			taken[domain+"/"+base] = true
			c.model = append(c.model, linearMapping{domain, base, i})
		}
	}
	c.domains = buildDomains(t, c.model)
	c.host = name.Draw(t, "host") + rapid.SampledFrom([]string{"", "", ".", ":80", ".:80", ":"}).Draw(t, "port")
	if rapid.Bool().Draw(t, "upper") {
		c.host = strings.ToUpper(c.host)
	}
	c.path = path.Draw(t, "path")
	return c
}

func (c domainsCase) check(t rapid.TB) {
	value, rest, outcome := c.domains.Find([]byte(c.host), []byte(c.path))
	want, wantRest, wantOutcome := c.model.find(c.host, c.path)
	if value != want || string(rest) != wantRest || outcome != wantOutcome {
		t.Fatalf("Find(%q, %q) in %v: got %d, %q, %s; want %d, %q, %s",
			c.host, c.path, c.model, value, rest, outcome, want, wantRest, wantOutcome)
	}
}

func TestDomainsAgainstLinear(t *testing.T) {
	checkOften(t, func(t *rapid.T) { drawDomainsCase(t).check(t) })
}

func FuzzDomains(f *testing.F) {
	f.Add("api.example.org:80", "/v1/x")
	f.Add("[::1]:80", "/")
	f.Add("a.b.example.org.", "/v1")
	f.Add("[", "")
	d := buildDomains(f, linearDomains{{"api.example.org", "v1", 1}, {"*.example.org", "", 2}, {"[::1]", "a", 3}})
	f.Fuzz(func(t *testing.T, host, path string) {
		value, rest, outcome := d.Find([]byte(host), []byte(path))
		if outcome == Found && (len(rest) == 0 || rest[0] != '/' || value == 0) {
			t.Fatalf("Find(%q, %q): got %d, %q; want a value and a rest that begins with a slash", host, path, value, rest)
		}
		upper, _, upperOutcome := d.Find([]byte(strings.ToUpper(host)), []byte(path))
		isASCII := strings.IndexFunc(host, func(r rune) bool { return r >= 0x80 }) < 0
		if isASCII && (upper != value || upperOutcome != outcome) {
			t.Fatalf("Find(%q, %q) in upper case: got %d, %s; want %d, %s", host, path, upper, upperOutcome, value, outcome)
		}
	})
}

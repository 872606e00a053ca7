package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

func TestAt(t *testing.T) {
	doc, err := Parse("weir.yaml", []byte(`apis:
  site:
    routes:
      - path: "/"
        upstream: web
      - path: "/a"
        responseHeaders:
          set: { X-A: "1" }
        upstream: web
upstreams:
  web: { targets: ["http://10.0.0.1"] }
domains:
  a.example.org:
    mappings: { v1/x: site }
`))
	if err != nil {
		t.Fatal(err)
	}
	f := func(path string, wantLine, wantColumn int) {
		t.Helper()
		if line, column := doc.At(path); line != wantLine || column != wantColumn {
			t.Errorf("At(%q): got %d:%d; want %d:%d", path, line, column, wantLine, wantColumn)
		}
	}
	f("", 1, 1)
	f("apis", 1, 1)
	f("apis.site", 2, 3)
	f("apis.site.routes", 3, 5)
	f("apis.site.routes[0]", 4, 9)
	f("apis.site.routes[0].upstream", 5, 19)
	f("apis.site.routes[1].responseHeaders.set.X-A", 8, 23)
	f("upstreams.web.targets[0]", 11, 20)
	f(`domains["a.example.org"].mappings["v1/x"]`, 14, 23)
	f(Path("domains", "a.example.org", "mappings", "v1/x"), 14, 23)
	// What is not written is where it would be.
	f("apis.site.routes[1].timeouts.total", 6, 9)
	f("apis.site.routes[7]", 3, 5)
	f("apis.site[0]", 2, 3)
	f(`domains["a.example.org`, 12, 1)
	f("apis..site", 1, 1)
	f("nothing", 1, 1)

	got := doc.MistakeAt("apis.site.routes[1].path", "is wrong", "mend it").String()
	if want := "weir.yaml:6:15: apis.site.routes[1].path: is wrong; mend it"; got != want {
		t.Errorf("MistakeAt: got %q; want %q", got, want)
	}
	if line, column := new(Document).At("apis.site"); line != 0 || column != 0 {
		t.Errorf("At without text: got %d:%d; want 0:0", line, column)
	}
}

func TestPath(t *testing.T) {
	f := func(want string, elements ...any) {
		t.Helper()
		if got := Path(elements...); got != want {
			t.Errorf("Path(%v): got %q; want %q", elements, got, want)
		}
	}
	f("")
	f("apis.site.routes[2].upstream", "apis", "site", "routes", 2, "upstream")
	f(`domains["*"].mappings[""]`, "domains", "*", "mappings", "")
	f(`apis.s.stages.$default.variables["a\"b"]`, "apis", "s", "stages", "$default", "variables", `a"b`)
}

func TestEffectiveDomains(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		doc, err := Parse("weir.yaml", []byte(text))
		if err != nil {
			t.Errorf("%s: got mistakes\n%v", text, err)
			return
		}
		var lines []string
		for name, domain := range doc.EffectiveDomains() {
			for base, target := range domain.Mappings {
				lines = append(lines, name+" "+base+" "+target)
			}
		}
		slices.Sort(lines)
		if got := strings.Join(lines, ", "); got != want {
			t.Errorf("%s: got %q; want %q", text, got, want)
		}
	}
	api := `{ routes: [{ path: "/", answer: {} }] }`
	staged := `{ routes: [{ path: "/", answer: {} }], stages: { $default: {}, dev: {} } }`
	f("{}", "")
	f("apis: { a: "+api+" }", "*  a/$default")
	f("apis: { a: "+staged+" }", "*  a/$default, * dev a/dev")
	f("apis: { a: "+staged+" }\ndomains: { x.org: { mappings: { (none): a } } }", "x.org  a/$default, x.org dev a/dev")
	f("apis: { a: "+staged+" }\ndomains: { x.org: { mappings: { v1: a, v2/x: a/dev } } }",
		"x.org v1 a/$default, x.org v1/dev a/dev, x.org v2/x a/dev")
	f("apis: { a: "+api+", b: "+api+" }\ndomains: { x.org: { mappings: { \"\": a } }, '*': { mappings: { \"\": b } } }",
		"*  b/$default, x.org  a/$default")
}

func TestRedacted(t *testing.T) {
	doc, err := Parse("weir.yaml", []byte(`apis:
  site:
    routes:
      - path: "/"
        upstream: web
        match: { headers: { X-Api-Key: hidden1, X-A: shown1 }, query: { access_token: hidden2 } }
        requestHeaders: { set: { Authorization: "Basic hidden3", X-B: shown2 }, append: { Cookie: hidden4 } }
        responseHeaders: { set: { Set-Cookie: hidden5 } }
      - { path: "/a", answer: { headers: { X-Secret: hidden6, X-C: shown3 }, body: shown4 } }
      - { path: "/b", answer: { headers: { X-D: "https://user:hidden7@shown5/" } } }
    stages: { $default: { variables: { PASSWORD: hidden8, backend: shown6 } } }
upstreams:
  web: { targets: ["http://shown7"] }
domains:
  "*": { mappings: { token/key: site } }
`))
	if err != nil {
		t.Fatal(err)
	}
	// A document made in Go may hold what a parsed one cannot.
	doc.Upstreams["made"] = Upstream{Targets: []string{"http://user:hidden9@shown8/"}, TLS: &UpstreamTLS{Key: "shown9.pem"}}
	asJSON, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(asJSON), string(asYAML)} {
		if strings.Contains(text, "hidden") {
			t.Errorf("got a secret in %s", text)
		}
		for i := range 9 {
			if shown := fmt.Sprintf("shown%d", i+1); !strings.Contains(text, shown) {
				t.Errorf("got no %q in %s", shown, text)
			}
		}
		if !strings.Contains(text, "token/key") || !strings.Contains(text, "site") {
			t.Errorf("got no mapping in %s", text)
		}
	}
}

func TestCheckOfDocumentMadeInGo(t *testing.T) {
	doc := &Document{
		APIs: map[string]API{"site": {Routes: []Route{
			{Path: "/{proxy+}", Upstream: "web"},
			{Path: "/a", Upstream: "wbe"},
		}}},
		Upstreams: map[string]Upstream{"web": {Targets: []string{"http://127.0.0.1:9000"}}},
	}
	err := doc.Check(".")
	want := `apis.site.routes[1].upstream: there is no upstream "wbe"; did you mean "web"?`
	if err == nil || err.Error() != want {
		t.Fatalf("got %v; want %s", err, want)
	}
	doc.APIs["site"].Routes[1].Upstream = "web"
	if err := doc.Check("."); err != nil {
		t.Fatalf("got %v; want no mistakes", err)
	}
	if route := doc.APIs["site"].Routes[0]; route.Retry == nil || !*route.Retry {
		t.Fatalf("got %+v; want the defaults filled in", route)
	}
}

func TestExpand(t *testing.T) {
	variables := map[string]string{"a": "1", "b_2": "two"}
	f := func(text, want string) {
		t.Helper()
		if got := Expand(text, variables); got != want {
			t.Errorf("Expand(%q): got %q; want %q", text, got, want)
		}
	}
	f("", "")
	f("plain", "plain")
	f("${stageVariables.a}", "1")
	f("x-${stageVariables.a}${stageVariables.b_2}-y", "x-1two-y")
	f("${stageVariables.none}", "")
	f("${stageVariables.a", "${stageVariables.a")
	f("${other.a}{a}$", "${other.a}{a}$")
}

func TestParsePattern(t *testing.T) {
	f := func(pattern, want string) {
		t.Helper()
		segments, err := ParsePattern(pattern)
		if err != nil {
			t.Errorf("ParsePattern(%q): got %v", pattern, err)
			return
		}
		if got := fmt.Sprint(segments); got != want {
			t.Errorf("ParsePattern(%q): got %s; want %s", pattern, got, want)
		}
	}
	f("/", "[]")
	f("/a", "[{0 a}]")
	f("/a/", "[{0 a}]")
	f("/pets/{id}/x", "[{0 pets} {1 id} {0 x}]")
	f("/{a}/{b+}", "[{1 a} {2 b}]")
	f("/a%2Fb/%C3%A9/c:d;e=f,g@h", "[{0 a%2Fb} {0 %C3%A9} {0 c:d;e=f,g@h}]")
	for _, bad := range []string{"", "a", "$default", "//", "/a//b", "/{a+}/b", "/%2f", "/%zz", "/..", "/{a}{b}"} {
		if segments, err := ParsePattern(bad); err == nil {
			t.Errorf("ParsePattern(%q): got %v; want an error", bad, segments)
		}
	}
}

func TestParseTemplate(t *testing.T) {
	f := func(text string, want ...Piece) {
		t.Helper()
		if got, err := ParseTemplate(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("ParseTemplate(%q): got %v, %v; want %v", text, got, err, want)
		}
	}
	f("")
	f("/a", Piece{Text: "/a"})
	f("/a/{b}/{c.d}x", Piece{Text: "/a/"}, Piece{Param: "b"}, Piece{Text: "/"}, Piece{Param: "c.d"}, Piece{Text: "x"})
	for _, bad := range []string{"{", "}", "a}b", "{}", "{a+}", "{a b}", "{{a}}"} {
		if pieces, err := ParseTemplate(bad); err == nil {
			t.Errorf("ParseTemplate(%q): got %v; want an error", bad, pieces)
		}
	}
}

func TestParseTarget(t *testing.T) {
	f := func(text string, want Target) {
		t.Helper()
		if got, err := ParseTarget(text); err != nil || got != want {
			t.Errorf("ParseTarget(%q): got %+v, %v; want %+v", text, got, err, want)
		}
	}
	f("http://a", Target{Address: "a:80", Host: "a"})
	f("https://a/", Target{TLS: true, Address: "a:443", Host: "a"})
	f("https://A.example.org:8443/b/c/", Target{TLS: true, Address: "A.example.org:8443", Host: "A.example.org:8443", Base: "/b/c"})
	f("http://[::1]:80", Target{Address: "[::1]:80", Host: "[::1]:80"})
	f("http://[::1]/x", Target{Address: "[::1]:80", Host: "[::1]", Base: "/x"})
	f("h2c://a:50051/x", Target{HTTP2: true, Address: "a:50051", Host: "a:50051", Base: "/x"})
	f("unix:/run/a.sock", Target{Unix: true, Address: "/run/a.sock", Host: "localhost"})
	f("unix:/run/a.sock:/b", Target{Unix: true, Address: "/run/a.sock", Host: "localhost", Base: "/b"})
	for _, bad := range []string{"", "a:80", "http:/a", "http://a:", "http://a:65536", "http://a:-1", "http://a@b", "http://[fe80::1%25eth0]", "HTTP://a", "http://a/b?c", "unix:", "unix:/" + strings.Repeat("a", 103)} {
		if target, err := ParseTarget(bad); err == nil {
			t.Errorf("ParseTarget(%q): got %+v; want an error", bad, target)
		}
	}
}

func TestParseValueMatch(t *testing.T) {
	f := func(text string, present bool, exact, matches, refuses string) {
		t.Helper()
		got, err := ParseValueMatch(text)
		if err != nil || got.Present != present || got.Exact != exact {
			t.Errorf("ParseValueMatch(%q): got %+v, %v", text, got, err)
			return
		}
		if got.Expression != nil && (!got.Expression.MatchString(matches) || got.Expression.MatchString(refuses)) {
			t.Errorf("ParseValueMatch(%q): got %s; want it to match %q and not %q", text, got.Expression, matches, refuses)
		}
		if (got.Expression != nil) != (matches != "") {
			t.Errorf("ParseValueMatch(%q): got expression %v", text, got.Expression)
		}
	}
	f("*", true, "", "", "")
	f("abc", false, "abc", "", "")
	f("/", false, "/", "", "")
	f("/a", false, "/a", "", "")
	f("/a|b/", false, "", "b", "ab")
	f("/a.c/", false, "", "abc", "abc\n")
}

func TestScalars(t *testing.T) {
	size := func(text string, want ByteSize, written string) {
		t.Helper()
		got, err := ParseByteSize(text)
		if err != nil || got != want || got.String() != written {
			t.Errorf("ParseByteSize(%q): got %d (%s), %v; want %d (%s)", text, got, got, err, want, written)
		}
	}
	size("0", 0, "0")
	size("1000", 1000, "1000")
	size("64KiB", 65536, "64KiB")
	size("10MB", 10_000_000, "10000000")
	size("1 GiB", 1<<30, "1GiB")
	size("1536KiB", 1536<<10, "1536KiB")
	size("none", Unlimited, "none")
	size("7B", 7, "7")
	for _, bad := range []string{"", "KiB", "-2", "1.5MiB", "1 kib", "1  KiB", "9223372036854775808", "8388608TiB"} {
		if got, err := ParseByteSize(bad); err == nil {
			t.Errorf("ParseByteSize(%q): got %d; want an error", bad, got)
		}
	}
	duration := func(text string, want time.Duration) {
		t.Helper()
		if got, err := ParseDuration(text); err != nil || time.Duration(got) != want {
			t.Errorf("ParseDuration(%q): got %s, %v; want %s", text, got, err, want)
		}
	}
	duration("0s", 0)
	duration("1m30s", 90*time.Second)
	duration("365d", 365*24*time.Hour)
	duration("1d12h", 36*time.Hour)
	duration("0d", 0)
	duration("250ms", 250*time.Millisecond)
	for _, bad := range []string{"", "0", "10", "-1s", "1 d", "d", "1d-1h", "40000d", "1.5d", "1h1d", "1 s", "inf"} {
		if got, err := ParseDuration(bad); err == nil {
			t.Errorf("ParseDuration(%q): got %s; want an error", bad, got)
		}
	}
	prefix := func(text, want string) {
		t.Helper()
		if got, wrong := parsePrefix(text); wrong != nil || got != netip.MustParsePrefix(want) {
			t.Errorf("parsePrefix(%q): got %s, %v; want %s", text, got, wrong, want)
		}
	}
	prefix("10.0.0.0/8", "10.0.0.0/8")
	prefix("10.0.0.1", "10.0.0.1/32")
	prefix("2001:db8::1", "2001:db8::1/128")
}

func TestTimeoutsOr(t *testing.T) {
	a := Timeouts{Connect: 1, FirstByte: 2, TunnelTotal: 3}
	b := Timeouts{Connect: 10, Idle: 20, Total: 30, TunnelIdle: 40, TunnelTotal: 50}
	want := Timeouts{Connect: 1, FirstByte: 2, Idle: 20, Total: 30, TunnelIdle: 40, TunnelTotal: 3}
	if got := a.Or(b); got != want {
		t.Errorf("got %+v; want %+v", got, want)
	}
}

func TestNearest(t *testing.T) {
	names := slices.Values([]string{"upstream", "upgrade", "path", "retry", "match"})
	f := func(text, want string) {
		t.Helper()
		if got := Nearest(text, names); got != want {
			t.Errorf("Nearest(%q): got %q; want %q", text, got, want)
		}
	}
	f("upstrem", "upstream")
	f("upstraem", "upstream")
	f("UPSTREAM", "upstream")
	f("pth", "path")
	f("mathc", "match")
	f("colour", "")
	f("x", "")
	f("", "")
	f(strings.Repeat("upstream", 20), "")
}

func TestSlipDistance(t *testing.T) {
	f := func(a, b string, want int) {
		t.Helper()
		if got, back := slipDistance(a, b, 10), slipDistance(b, a, 10); got != want || back != want {
			t.Errorf("slipDistance(%q, %q): got %d and %d back; want %d", a, b, got, back, want)
		}
	}
	f("", "", 0)
	f("", "abc", 3)
	f("abc", "abc", 0)
	f("abc", "ABC", 1)
	f("abc", "acb", 1)
	f("abc", "abd", 1)
	f("abc", "abcd", 1)
	f("kitten", "sitting", 3)
}

package route

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

type refuser map[int]bool

func (r refuser) Accept(value int) bool { return !r[value] }

// buildTree reads lines of "METHOD pattern"; the value of a route is the number of its line.
func buildTree(t *testing.T, fallback bool, routes string) *Tree[int] {
	t.Helper()
	b := Builder[int]{MethodFallback: fallback}
	for i, line := range strings.Split(strings.TrimSpace(routes), "\n") {
		method, pattern, _ := strings.Cut(strings.TrimSpace(line), " ")
		if err := b.Add(method, pattern, i); err != nil {
			t.Fatal(err)
		}
	}
	return b.Build()
}

// describe returns "3 id=7 rest=a/b" or an outcome.
func describe(tree *Tree[int], method, path string, accept Accepter[int]) string {
	var p Params
	value, outcome := tree.Find([]byte(method), []byte(path), &p, accept)
	if outcome != Found {
		return outcome.String()
	}
	out := fmt.Sprint(value)
	for i := range p.Len() {
		out += " " + p.Name(i) + "=" + string(p.Value([]byte(path), i))
	}
	return out
}

func TestFindPrecedence(t *testing.T) {
	tree := buildTree(t, true, `
		GET /
		GET /pets
		GET /pets/{id}
		GET /pets/mine
		GET /pets/{pet}/toys/{toy}
		ANY /pets/{proxy+}
		GET /files/{path+}
		GET /foo/{param}
		POST /pets/{petId}
		GET /s/bc/d
		GET /s/bcx
		GET /s/{x}
		GET /proxy/bar/a
		GET /proxy/{proxy+}
		GET /caf%c3%a9/%7Euser
		GET /été/{x}`)
	f := func(path, want string) {
		t.Helper()
		if got := describe(tree, "GET", path, nil); got != want {
			t.Fatalf("GET %s: got %s; want %s", path, got, want)
		}
	}
	f("/", "0")
	f("/pets", "1")
	f("/pets/", "1")
	f("/pets/7", "2 id=7")
	f("/pets/7/", "2 id=7")
	f("/pets/mine", "3")
	f("/pets/mine/", "3")
	f("/pets/minee", "2 id=minee")
	f("/pets/7/toys/9", "4 pet=7 toy=9")
	f("/pets/mine/toys/9", "4 pet=mine toy=9")
	f("/pets/7/toys", "5 proxy=7/toys")
	f("/pets/7/toys/", "5 proxy=7/toys/")
	f("/pets/7/toys/9/x", "5 proxy=7/toys/9/x")
	f("/files", "no path")
	f("/files/", "no path")
	f("/files/a", "6 path=a")
	f("/files/a/", "6 path=a/")
	f("/files/a/b//c/", "6 path=a/b//c/")
	f("/files//", "no path")
	f("/files//a", "6 path=/a")
	f("/foo/foo%2Fbar/", "7 param=foo%2Fbar")
	f("/foo//", "no path")
	f("/foo//x", "no path")
	f("/s/bc", "11 x=bc")
	f("/s/bc/", "11 x=bc")
	f("/s/bc/d", "9")
	f("/s/bc/e", "no path")
	f("/proxy/bar/a/b", "13 proxy=bar/a/b")
	f("/proxy/bar/a", "12")
	f("/caf%C3%A9/~user", "14")
	f("/%C3%A9t%C3%A9/1", "15 x=1")
	f("/Pets", "no path")
	f("/pet", "no path")
	f("/petss", "no path")
	f("//", "no path")
	f("", "no path")
	f("pets", "no path")
	f("*", "no path")
}

func TestFindMethods(t *testing.T) {
	routes := `
		GET /a
		ANY /a
		GET /b
		POST /{x}
		PURGE /b
		GET /c/d
		DELETE /c/{x}
		ANY /c/{rest+}
		GET /h
		PATCH /b`
	f := func(fallback bool, method, path, want, wantAllow string) {
		t.Helper()
		tree := buildTree(t, fallback, routes)
		if got := describe(tree, method, path, nil); got != want {
			t.Fatalf("%s %s, fallback %t: got %s; want %s", method, path, fallback, got, want)
		}
		if got := strings.Join(tree.Allow([]byte(path)), " "); got != wantAllow {
			t.Fatalf("Allow(%s), fallback %t: got %s; want %s", path, fallback, got, wantAllow)
		}
	}
	const seven = "DELETE GET HEAD OPTIONS PATCH POST PUT"
	f(true, "GET", "/a", "0", seven)
	f(true, "PUT", "/a", "1", seven)
	f(true, "MKCOL", "/a", "1", seven)
	f(true, "get", "/a", "1", seven)
	f(true, "GET", "/b", "2", "GET PATCH POST PURGE")
	f(true, "POST", "/b", "3 x=b", "GET PATCH POST PURGE")
	f(true, "PURGE", "/b", "4", "GET PATCH POST PURGE")
	f(true, "PUT", "/b", "no method", "GET PATCH POST PURGE")
	f(true, "HEAD", "/h", "no method", "GET POST")
	f(true, "DELETE", "/c/d", "6 x=d", seven)
	f(true, "PUT", "/c/d", "7 rest=d", seven)
	f(true, "PUT", "/x/y", "no path", "")
	f(false, "POST", "/b", "no method", "GET PATCH PURGE")
	f(false, "POST", "/h", "no method", "GET")
	f(false, "DELETE", "/c/d", "no method", "GET")
	f(false, "GET", "/c/e", "no method", "DELETE")
	f(false, "GET", "/c/e/f", "7 rest=e/f", seven)
	f(false, "GET", "/c/d", "5", "GET")
	f(false, "LINK", "/a", "1", seven)
}

func TestFindConditions(t *testing.T) {
	routes := `
		GET /a/b
		GET /a/b
		ANY /a/b
		GET /a/{x}
		PUT /a/{x}
		GET /{all+}
		GET /only`
	f := func(fallback bool, method, path string, refused refuser, want string) {
		t.Helper()
		tree := buildTree(t, fallback, routes)
		if got := describe(tree, method, path, refused); got != want {
			t.Fatalf("%s %s, fallback %t, refused %v: got %s; want %s", method, path, fallback, refused, got, want)
		}
	}
	for _, fallback := range []bool{true, false} {
		f(fallback, "GET", "/a/b", nil, "0")
		f(fallback, "GET", "/a/b", refuser{0: true}, "1")
		f(fallback, "GET", "/a/b", refuser{0: true, 1: true}, "2")
		f(fallback, "PUT", "/a/b", refuser{2: true}, "4 x=b")
		f(fallback, "GET", "/a/b", refuser{0: true, 1: true, 2: true}, "3 x=b")
		f(fallback, "GET", "/a/b", refuser{0: true, 1: true, 2: true, 3: true}, "5 all=a/b")
		f(fallback, "GET", "/a/b", refuser{0: true, 1: true, 2: true, 3: true, 5: true}, "no path")
		f(fallback, "POST", "/a/b", refuser{2: true}, "no path")
		f(fallback, "GET", "/only", refuser{5: true, 6: true}, "no path")
	}
	f(true, "POST", "/a/c", nil, "no method")
}

func TestFindDefault(t *testing.T) {
	routes := `
		ANY $default
		ANY $default
		GET /a`
	f := func(fallback bool, method, path string, refused refuser, want string) {
		t.Helper()
		tree := buildTree(t, fallback, routes)
		if got := describe(tree, method, path, refused); got != want {
			t.Fatalf("%s %q, fallback %t, refused %v: got %s; want %s", method, path, fallback, refused, got, want)
		}
	}
	f(true, "GET", "/a", nil, "2")
	f(true, "GET", "/a", refuser{2: true}, "0")
	f(true, "POST", "/a", nil, "0")
	f(true, "POST", "/a", refuser{0: true}, "1")
	f(true, "POST", "/a", refuser{0: true, 1: true}, "no method")
	f(true, "POST", "/b/c", nil, "0")
	f(true, "POST", "/", nil, "0")
	f(true, "OPTIONS", "*", nil, "0")
	f(true, "GET", "/b", refuser{0: true, 1: true}, "no path")
	f(false, "POST", "/a", nil, "no method")
	f(false, "POST", "/b", nil, "0")
	f(false, "GET", "/a", refuser{2: true}, "0")
}

func TestAddRefuses(t *testing.T) {
	f := func(method, pattern, want string) {
		t.Helper()
		var b Builder[int]
		err := b.Add(method, pattern, 1)
		if err == nil || err.Error() != want {
			t.Fatalf("Add(%q, %q): got %v; want %s", method, pattern, err, want)
		}
	}
	f("get", "/a", `cannot add route "get /a": "get" is not a method in upper case`)
	f("GET ", "/a", `cannot add route "GET  /a": "GET " is not a method in upper case`)
	f("", "", `cannot add route "": pattern does not begin with a slash`)
	f("", "a", `cannot add route "a": pattern does not begin with a slash`)
	f("GET", "$default", `cannot add route "GET $default": the default route has no method of its own`)
	f("", "//", `cannot add route "//": pattern has an empty segment`)
	f("", "/a//b", `cannot add route "/a//b": pattern has an empty segment`)
	f("", "/a//", `cannot add route "/a//": pattern has an empty segment`)
	f("", "/a/../b", `cannot add route "/a/../b": segment ".." is a dot segment`)
	f("", "/%2e", `cannot add route "/%2e": segment "%2e" is a dot segment`)
	f("", "/a b", `cannot add route "/a b": segment "a b": path has a byte that must be percent-encoded`)
	f("", "/a?x=1", `cannot add route "/a?x=1": segment "a?x=1": path has a byte that must be percent-encoded`)
	f("", "/%zz", `cannot add route "/%zz": segment "%zz": path has a percent sign without two hexadecimal digits`)
	f("", "/{a+}/b", `cannot add route "/{a+}/b": greedy parameter {a+} is not the last segment`)
	f("", "/{a}/{a}", `cannot add route "/{a}/{a}": two parameters have the name "a"`)
	f("", "/x{a}", `cannot add route "/x{a}": segment "x{a}": a parameter must be a whole segment`)
	f("", "/{a}{b}", `cannot add route "/{a}{b}": segment "{a}{b}": a parameter must be a whole segment`)
	f("", "/{a", `cannot add route "/{a": segment "{a": a parameter must be a whole segment`)
	f("", "/{}", `cannot add route "/{}": segment "{}": "" is not a parameter name`)
	f("", "/{+}", `cannot add route "/{+}": segment "{+}": "" is not a parameter name`)
	f("", "/{id:[0-9]+}", `cannot add route "/{id:[0-9]+}": segment "{id:[0-9]+}": "id:[0-9]" is not a parameter name`)
	f("", "/{a}"+strings.Repeat("/x", 256), fmt.Sprintf("cannot add route %q: pattern has more than 256 segments",
		"/{a}"+strings.Repeat("/x", 256)))
	many := ""
	for i := range MaxParams + 1 {
		many += fmt.Sprintf("/{p%d}", i)
	}
	f("", many, fmt.Sprintf("cannot add route %q: pattern has more than 32 parameters", many))
	long := "/" + strings.Repeat("x", 8<<10)
	f("", long, fmt.Sprintf("cannot add route %q: pattern is longer than 8192 bytes", long))
}

func TestFindManyParams(t *testing.T) {
	var b Builder[int]
	pattern, path := "", ""
	for i := range MaxParams - 1 {
		pattern += fmt.Sprintf("/{p%d}", i)
		path += fmt.Sprintf("/v%d", i)
	}
	for i, last := range []string{"/{last}", "/{last}/x", "/{rest+}"} {
		if err := b.Add("GET", pattern+last, i); err != nil {
			t.Fatal(err)
		}
	}
	tree := b.Build()
	var p Params
	full := []byte(path + "/z/y/")
	value, outcome := tree.Find([]byte("GET"), full, &p, nil)
	rest, ok := p.Lookup(full, "rest")
	if value != 2 || outcome != Found || p.Len() != MaxParams || !ok || string(rest) != "z/y/" {
		t.Fatalf("Find: got %d, %s, %d parameters, rest %q; want 2, found, %d, %q", value, outcome, p.Len(), rest, MaxParams, "z/y/")
	}
	if v, ok := p.Lookup(full, "p30"); !ok || string(v) != "v30" {
		t.Fatalf("Lookup(p30): got %q, %t; want v30", v, ok)
	}
	if v, ok := p.Lookup(full, "last"); ok {
		t.Fatalf("Lookup(last): got %q; want none", v)
	}
	if _, outcome := tree.Find([]byte("GET"), []byte("/v"), &p, nil); outcome != NoPath || p.Len() != 0 {
		t.Fatalf("Find after Found: got %s, %d parameters; want no path, 0", outcome, p.Len())
	}
}

func TestFindLongTail(t *testing.T) {
	f := func(pattern, path, want string) {
		t.Helper()
		tree := buildTree(t, true, "GET "+pattern+"\nGET /{x}/{rest+}")
		if got := describe(tree, "GET", path, nil); got != want {
			t.Fatalf("%s in %s: got %s; want %s", path, pattern, got, want)
		}
	}
	long := strings.Repeat("/x", maxSegments-1)
	f("/a"+long, "/a"+long, "0")
	f("/a"+long, "/a"+long+"/", "0")
	f("/a"+long, "/a"+long+"/x", "1 x=a rest="+long[1:]+"/x")
	f("/a"+long, "/a"+long[2:], "1 x=a rest="+long[3:])
	f("/a"+long, "/a"+long+"y", "1 x=a rest="+long[1:]+"y")
	f("/{a}"+long, "/b"+long, "0 a=b")
	mixed, filled, params := "", "", ""
	for i := range MaxParams {
		mixed += fmt.Sprintf("/{p%d}/s%d", i, i)
		filled += fmt.Sprintf("/v%d/s%d", i, i)
		params += fmt.Sprintf(" p%d=v%d", i, i)
	}
	f("/a"+mixed, "/a"+filled, "0"+params)
	f("/a"+mixed, "/a"+filled[:len(filled)-1], "1 x=a rest="+filled[1:len(filled)-1])
	f("/a/{b}/{c}", "/a/b/", "1 x=a rest=b/")
	f("/a/{b}/{c}", "/a/b//", "1 x=a rest=b//")
	f("/a/{b}/c/d", "/a//c/d", "1 x=a rest=/c/d")
	f("/a/b/c", "/a/bc", "1 x=a rest=bc")
	f("/a/b/c", "/a/b/cc", "1 x=a rest=b/cc")
}

func TestBuildIsSnapshot(t *testing.T) {
	var b Builder[int]
	if got := describe(b.Build(), "GET", "/", nil); got != "no path" {
		t.Fatalf("empty tree: got %s; want no path", got)
	}
	add := func(method, pattern string, value int) {
		t.Helper()
		if err := b.Add(method, pattern, value); err != nil {
			t.Fatal(err)
		}
	}
	add("GET", "/a", 1)
	before := b.Build()
	add("LINK", "/a", 2)
	add("", "/b", 3)
	add("", DefaultPattern, 4)
	after := b.Build()
	for _, row := range []struct{ method, path, before, after string }{
		{"GET", "/a", "1", "1"},
		{"LINK", "/a", "no method", "2"},
		{"GET", "/b", "no path", "3"},
		{"GET", "/c", "no path", "4"},
	} {
		if got := describe(before, row.method, row.path, nil); got != row.before {
			t.Fatalf("before, %s %s: got %s; want %s", row.method, row.path, got, row.before)
		}
		if got := describe(after, row.method, row.path, nil); got != row.after {
			t.Fatalf("after, %s %s: got %s; want %s", row.method, row.path, got, row.after)
		}
	}
}

func TestFindWideNode(t *testing.T) {
	const n = 1000
	var b Builder[int]
	for i := range n {
		if err := b.Add("", fmt.Sprintf("/wide/%d/x", i*7), i); err != nil {
			t.Fatal(err)
		}
	}
	tree := b.Build()
	for i := range n * 7 {
		want := "no path"
		if i%7 == 0 {
			want = fmt.Sprint(i / 7)
		}
		if got := describe(tree, "GET", fmt.Sprintf("/wide/%d/x", i), nil); got != want {
			t.Fatalf("/wide/%d/x: got %s; want %s", i, got, want)
		}
	}
}

func TestAddManyMethods(t *testing.T) {
	var b Builder[int]
	for i := range maxMethods {
		if err := b.Add(fmt.Sprint("M", i), "/a", i); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Add("M0", "/b", 0); err != nil {
		t.Fatal(err)
	}
	if err := b.Add("ONE-MORE", "/b", 0); err == nil {
		t.Fatal("Add of one method more: got nil; want an error")
	}
	if got := describe(b.Build(), "M255", "/a", nil); got != "255" {
		t.Fatalf("M255 /a: got %s; want 255", got)
	}
}

// visitCounter refuses everything and counts how often each value was offered.
type visitCounter map[int]int

func (v visitCounter) Accept(value int) bool {
	v[value]++
	return false
}

// TestBacktrackingBound gives every node of a full binary tree of static and {param} children a greedy leaf: each
// visit of a node offers that leaf, and a path made of the static word matches everywhere.
func TestBacktrackingBound(t *testing.T) {
	const depth = 10
	var b Builder[int]
	nodes := 0
	var grow func(prefix string, level int)
	grow = func(prefix string, level int) {
		if err := b.Add("GET", prefix+"/{rest+}", nodes); err != nil {
			t.Fatal(err)
		}
		nodes++
		if level < depth {
			grow(prefix+"/a", level+1)
			grow(fmt.Sprintf("%s/{p%d}", prefix, level), level+1)
		}
	}
	grow("", 0)
	tree := b.Build()
	for _, segments := range []int{depth, depth + 1, 3 * depth, 5000} {
		visits := visitCounter{}
		var p Params
		path := []byte(strings.Repeat("/a", segments))
		if _, outcome := tree.Find([]byte("GET"), path, &p, visits); outcome != NoPath {
			t.Fatalf("%d segments: got %s; want no path", segments, outcome)
		}
		for value, n := range visits {
			if n != 1 {
				t.Fatalf("%d segments: value %d was offered %d times; want once", segments, value, n)
			}
		}
		if len(visits) > nodes || (segments > depth && len(visits) != nodes) {
			t.Fatalf("%d segments: got %d visits; want at most %d, the nodes", segments, len(visits), nodes)
		}
	}
}

type treeCase struct {
	model   linearRoutes
	tree    *Tree[int]
	method  string
	path    string
	refused refuser
}

func drawTreeCase(t *rapid.T) treeCase {
	word := rapid.SampledFrom([]string{"a", "b", "c", "ab", "a%2Fb", "longer-than-eight", "longer-than-eighu",
		"long-enough-to-be-elsewhere-1", "long-enough-to-be-elsewhere-2"})
	part := rapid.OneOf(word, word, rapid.SampledFrom([]string{"{x}", "{y}", "{z+}"}))
	method := rapid.SampledFrom([]string{"GET", "GET", "POST", "ANY", "LINK"})

	c := treeCase{model: linearRoutes{fallback: rapid.Bool().Draw(t, "fallback")}, refused: refuser{}}
	b := Builder[int]{MethodFallback: c.model.fallback}
	n := rapid.IntRange(0, 25).Draw(t, "routes")
	for i := range n {
		pattern, m := DefaultPattern, "ANY"
		if rapid.IntRange(0, 15).Draw(t, "default") > 0 {
			m = method.Draw(t, "method")
			pattern = drawPattern(t, part)
		}
		if err := b.Add(m, pattern, i); err != nil {
			t.Fatal(err)
		}
		c.model.routes = append(c.model.routes, linearRoute{m, pattern, i})
		if rapid.IntRange(0, 3).Draw(t, "refused") == 0 {
			c.refused[i] = true
		}
	}
	c.tree = b.Build()
	c.method = rapid.SampledFrom([]string{"GET", "POST", "LINK", "HEAD", "UNLINK"}).Draw(t, "request method")
	parts := rapid.SliceOfN(rapid.OneOf(word, word, word, word, rapid.Just("")), 0, 6).Draw(t, "path")
	c.path = "/" + strings.Join(parts, "/")
	return c
}

// drawPattern makes a pattern of the parts: names are made distinct, and it ends at the first greedy one.
func drawPattern(t *rapid.T, part *rapid.Generator[string]) string {
	pattern := "/"
	for i, p := range rapid.SliceOfN(part, 0, 5).Draw(t, "pattern") {
		if i > 0 {
			pattern += "/"
		}
		if strings.HasPrefix(p, "{") {
			p = fmt.Sprintf("{%s%d%s", p[1:2], i, p[2:])
		}
		pattern += p
		if strings.HasSuffix(p, "+}") {
			break
		}
	}
	return pattern
}

func (c treeCase) check(t rapid.TB) {
	match, outcome := c.model.find(c.method, c.path, c.refused)
	want := outcome.String()
	if outcome == Found {
		want = fmt.Sprint(match.value)
		for i := 0; i < len(match.params); i += 2 {
			want += " " + match.params[i] + "=" + match.params[i+1]
		}
	}
	if got := describe(c.tree, c.method, c.path, c.refused); got != want {
		t.Fatalf("%s %s in %v, refused %v: got %s; want %s", c.method, c.path, c.model, c.refused, got, want)
	}
	if got, want := c.tree.Allow([]byte(c.path)), c.model.allow(c.path); !slices.Equal(got, want) {
		t.Fatalf("Allow(%s) in %v: got %v; want %v", c.path, c.model, got, want)
	}
}

func TestFindAgainstLinear(t *testing.T) {
	checkOften(t, func(t *rapid.T) { drawTreeCase(t).check(t) })
}

func FuzzFind(f *testing.F) {
	f.Add("GET /a\nANY /{x}\nGET /{x+}", "GET", "/a/", true)
	f.Add("GET /a/{x}/c\nGET /a/b/{y}\nGET /a/{p+}", "GET", "/a/b/c/d", false)
	f.Add("GET /s/bc/d\nPOST /s/{x}\nANY $default", "PUT", "/s/bc", true)
	f.Add("GET /%2F/é\nGET /{x}/{y}", "GET", "//%2F/", false)
	f.Add("LINK /\nGET /{a}/{a}\nGET /{a+}/b", "LINK", "/", true)
	f.Fuzz(func(t *testing.T, routes, method, path string, fallback bool) {
		c := treeCase{model: linearRoutes{fallback: fallback}, method: method}
		b := Builder[int]{MethodFallback: fallback}
		for line := range strings.SplitSeq(routes, "\n") {
			m, pattern, _ := strings.Cut(line, " ")
			// The linear matcher compares text, so static segments must be canonical already.
			isText := pattern == DefaultPattern || IsCanonical([]byte(strings.NewReplacer("{", "", "}", "").Replace(pattern)))
			if m == "" || !isText || b.Add(m, pattern, len(c.model.routes)) != nil {
				continue
			}
			c.model.routes = append(c.model.routes, linearRoute{m, pattern, len(c.model.routes)})
		}
		c.tree = b.Build()
		if canonical, err := (Form{KeepEmptySegments: true}).Append(nil, []byte(path)); err == nil {
			c.path = string(canonical)
			c.check(t)
		}
	})
}

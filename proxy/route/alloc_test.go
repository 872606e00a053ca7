//go:build !race

package route

import "testing"

type stage struct{ name string }

type stageAccepter struct{ name string }

func (a *stageAccepter) Accept(s *stage) bool { return s.name == a.name }

func TestNoAllocations(t *testing.T) {
	b := Builder[*stage]{MethodFallback: true}
	for _, name := range []string{"one", "two"} {
		for _, pattern := range []string{"/a/b/{c}", "/a/{b}/{c}", "/{all+}", "/s/t", DefaultPattern} {
			if err := b.Add("", pattern, &stage{name}); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Add("PURGE", "/a/b/{c}", &stage{name}); err != nil {
			t.Fatal(err)
		}
	}
	tree := b.Build()
	var domainsBuilder DomainsBuilder[*stage]
	for _, domain := range []string{"api.example.org", "*.example.org", "*"} {
		if err := domainsBuilder.Add(domain, "v1", &stage{domain}); err != nil {
			t.Fatal(err)
		}
	}
	domains := domainsBuilder.Build()

	f := func(what string, do func()) {
		t.Helper()
		if got := testing.AllocsPerRun(100, do); got != 0 {
			t.Fatalf("%s: got %v allocations; want 0", what, got)
		}
	}
	find := func(method, path, accepted string, want Outcome) {
		t.Helper()
		m, p, accept := []byte(method), []byte(path), &stageAccepter{accepted}
		f("Find "+method+" "+path, func() {
			var params Params // may be on the stack
			_, outcome := tree.Find(m, p, &params, accept)
			for i := range params.Len() {
				if len(params.Value(p, i)) == 0 {
					t.Fatal("got an empty parameter")
				}
			}
			if outcome != want {
				t.Fatalf("got %s; want %s", outcome, want)
			}
		})
	}
	find("GET", "/s/t", "two", Found)
	find("GET", "/a/b/c", "one", Found)
	find("PURGE", "/a/b/c/", "two", Found)
	find("UNLINK", "/x/y/z", "two", Found)
	find("GET", "/a/b/c", "three", NoPath)

	host := func(name string, want Outcome) {
		t.Helper()
		h, path := []byte(name), []byte("/v1")
		f("Domains.Find "+name, func() {
			if _, _, outcome := domains.Find(h, path); outcome != want {
				t.Fatalf("got %s; want %s", outcome, want)
			}
		})
	}
	host("API.example.org.:80", Found)
	host("a.b.c.example.org", Found)
	host("[::1]:80", Found)
	host("[::1", NoDomain)

	canonical := func(path string, want error) {
		t.Helper()
		raw, dst := []byte(path), make([]byte, 0, 64)
		f("AppendCanonical "+path, func() {
			if _, err := AppendCanonical(dst, raw); err != want {
				t.Fatalf("got %v; want %v", err, want)
			}
		})
	}
	canonical("/a/b/c%2F", nil)
	canonical("/a//%2e/b/../%41", nil)
	canonical("/..", ErrAboveRoot)
	canonical("/%zz", ErrEscape)
}

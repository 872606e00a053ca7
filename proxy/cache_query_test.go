package proxy

import (
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"weir/proxy/config"
)

func ruleOf(allow, deny []string, sort bool) *queryRule {
	return newQueryRule(&config.CacheQuery{Allow: allow, Deny: deny, Sort: &sort})
}

func TestQueryRule(t *testing.T) {
	t.Parallel()
	f := func(allow, deny, sort, query, want string) {
		t.Helper()
		list := func(text string) []string {
			if text == "" {
				return nil
			}
			return strings.Fields(strings.ReplaceAll(text, "none", " "))
		}
		a := list(allow)
		if allow == "none" {
			a = []string{}
		}
		rule := ruleOf(a, list(deny), sort == "sort")
		if rule == nil {
			t.Fatalf("got no rule of allow %q, deny %q", allow, deny)
		}
		if got, _ := rule.append([]byte("x"), []byte(query), nil); string(got) != "x"+want {
			t.Errorf("allow %q, deny %q, %s: %q: got %q; want %q", allow, deny, sort, query, got[1:], want)
		}
	}
	f("page", "", "", "a=1&page=2&b", "page=2")
	f("page", "", "", "", "")
	f("none", "", "", "a=1&b", "")
	f("p*", "", "", "page=1&pp=2&p=3&x=4", "page=1&pp=2&p=3")
	f("", "utm_* fbclid", "", "utm_source=a&b=1&fbclid=2&utm_=3&fbclid2=4&&c&", "b=1&fbclid2=4&c")
	f("", "", "sort", "b=2&a=1&b=1&a=0&c", "a=1&a=0&b=2&b=1&c")
	f("a b", "", "sort", "b=2&x&a=1&b=1", "a=1&b=2&b=1")
	// Nothing is decoded in what stays, and duplicates keep their order.
	f("page", "", "", "page=%31&page=1&page", "page=%31&page=1&page")
	// What an upstream may take for a parameter that is allowed is part of the key.
	f("page", "", "", "p%61ge=1", "p%61ge=1")
	f("page", "", "", "PAGE=1&page[]=2&page%5B0%5D=3&%20page=4&+page=5&page%00x=6", "PAGE=1&page[]=2&page%5B0%5D=3&%20page=4&+page=5&page%00x=6")
	f("my_page", "", "", "my.page=1&my%20page=2&my-page=3&my+page=4", "my.page=1&my%20page=2&my-page=3&my+page=4")
	f("My-Page", "", "", "my_page=1", "my_page=1")
	f("page", "", "", "a=1;page=2&b=3", "a=1;page=2")
	f("", "a", "", "a=1;page=2&a=3", "a=1;page=2")
	// What is denied is no more than what was written.
	f("", "page", "", "Page=1&page[]=2&p%61ge=3&page=4", "Page=1&page[]=2")
	f("", "a", "", "%=1&a%=2&a=3", "%=1&a%=2")

	if ruleOf(nil, nil, false) != nil || ruleOf(nil, []string{}, false) != nil {
		t.Error("got a rule of nothing; want nil")
	}
}

// plainQuery is the rule as one would say it, for what needs no care.
func plainQuery(allow, deny []string, isAllow, sort bool, query string) string {
	matches := func(list []string, name string) bool {
		return slices.ContainsFunc(list, func(p string) bool {
			begin, open := strings.CutSuffix(p, "*")
			return p == name || open && strings.HasPrefix(name, begin)
		})
	}
	var kept []string
	for _, pair := range strings.Split(query, "&") {
		if pair == "" {
			continue
		}
		raw, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(raw)
		if err != nil {
			name = raw
		}
		if isAllow && !matches(allow, name) || !isAllow && matches(deny, name) {
			continue
		}
		kept = append(kept, pair)
	}
	if sort {
		slices.SortStableFunc(kept, func(a, b string) int {
			x, _, _ := strings.Cut(a, "=")
			y, _, _ := strings.Cut(b, "=")
			return strings.Compare(x, y)
		})
	}
	return strings.Join(kept, "&")
}

// FuzzQueryRule: names in small letters and whole escapes are ruled as the plain
// model says; of anything else at least as much stays in the key.
func FuzzQueryRule(f *testing.F) {
	f.Add("a=1&b=2&utm_source=3&a=0", uint64(1))
	f.Add("p%61ge=1&PAGE=2;x&&=&%zz", uint64(6))
	f.Add(strings.Repeat("z=1&a=2&", 40), uint64(12))
	f.Fuzz(func(t *testing.T, query string, seed uint64) {
		r := rand.New(rand.NewPCG(seed, seed))
		names := []string{"a", "b", "page", "utm_*", "z", "p*"}
		pick := func() (out []string) {
			for _, name := range names {
				if r.IntN(2) == 0 {
					out = append(out, name)
				}
			}
			return out
		}
		isAllow, sort := r.IntN(2) == 0, r.IntN(2) == 0
		list := append([]string{"x"}, pick()...)
		var rule *queryRule
		if isAllow {
			rule = ruleOf(list, nil, sort)
		} else {
			rule = ruleOf(nil, list, sort)
		}
		got, _ := rule.append(nil, []byte(query), nil)
		want := plainQuery(list, list, isAllow, sort, query)
		plain := !strings.ContainsFunc(query, func(c rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789_=&", c)
		})
		if plain && string(got) != want {
			t.Fatalf("allow %t, sort %t, list %q: %q: got %q; want %q", isAllow, sort, list, query, got, want)
		}
		if len(got) > len(query) {
			t.Fatalf("%q: got %q, which is longer", query, got)
		}
		if again, _ := rule.append(nil, got, nil); string(again) != string(got) {
			t.Fatalf("%q: got %q, and of that %q; want it the same", query, got, again)
		}
		have := strings.Split(string(got), "&")
		for _, pair := range strings.Split(want, "&") {
			if pair != "" && !slices.Contains(have, pair) {
				t.Fatalf("allow %t, list %q: %q: got %q; want %q in it", isAllow, list, query, got, pair)
			}
		}
	})
}

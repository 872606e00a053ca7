package policy

import (
	"bytes"
	"testing"
)

func TestSelected(t *testing.T) {
	form := func(name string, how *Normal, lines []string) string {
		var b [][]byte
		for _, line := range lines {
			b = append(b, []byte(line))
		}
		return string(AppendSelected([]byte("x"), name, b, how))
	}
	f := func(isSame bool, name string, how *Normal, a, b []string) {
		t.Helper()
		if got := form(name, how, a) == form(name, how, b); got != isSame {
			t.Errorf("%s: %q and %q alike: got %t (%q, %q)", name, a, b, got, form(name, how, a), form(name, how, b))
		}
	}
	l := func(lines ...string) []string { return lines }
	f(true, "Foo", nil, l(), l())
	f(false, "Foo", nil, l(), l(""))
	f(false, "Foo", nil, l("1"), l("2"))
	f(false, "Foo", nil, l("a"), l("A"))
	f(true, "Foo", nil, l("1, 2"), l("1", "2"))
	f(true, "Foo", nil, l("1,2"), l(" 1 ,\t2 "))
	f(false, "Foo", nil, l("1,2"), l("2,1"))
	f(false, "Foo", nil, l("1 2"), l("12"))
	f(false, "Foo", nil, l(`"a, b"`), l(`"a,b"`))
	f(false, "Foo", nil, l(`"\", b"`), l(`"\",b"`))
	f(false, "Foo", nil, l("1", ""), l("1"))
	f(false, "User-Agent", nil, l("a, b"), l("a,b"))

	f(true, "Accept-Encoding", nil, l("gzip, br"), l("BR ,gzip"))
	f(true, "Accept-Encoding", nil, l("gzip;q=0.5, br"), l("br", "gzip ; q=0.5"))
	f(false, "Accept-Encoding", nil, l("gzip, br"), l("gzip"))
	f(false, "Accept-Encoding", nil, l("gzip;q=0, br"), l("gzip, br"))
	f(true, "Accept-Language", nil, l("en, de"), l(" eN ,   De"))
	f(true, "Accept-Language", nil, l("de;q=0.5, en"), l("en, de;q=0.5"))
	// Some servers prefer the first of equals.
	f(false, "Accept-Language", nil, l("en, de"), l("de, en"))

	best := func(name, want string, values []string, lines ...string) {
		t.Helper()
		got := form(name, &Normal{Values: values}, lines)
		if want == "absent" {
			if got != "x\x00" {
				t.Errorf("%s %q: got %q; want none", name, lines, got)
			}
			return
		}
		if got[6:] != want {
			t.Errorf("%s %q of %q: got %q; want %q", name, lines, values, got[6:], want)
		}
	}
	codings := l("br", "gzip")
	best("Accept-Encoding", "absent", codings)
	best("Accept-Encoding", "", codings, "")
	best("Accept-Encoding", "br", codings, "gzip, deflate, br")
	best("Accept-Encoding", "gzip", codings, "GZIP")
	best("Accept-Encoding", "gzip", codings, "br;q=0.5, gzip;q=0.8")
	best("Accept-Encoding", "gzip", codings, "br;q=0", "gzip")
	best("Accept-Encoding", "br", codings, "*")
	best("Accept-Encoding", "gzip", codings, "*, br;q=0")
	best("Accept-Encoding", "", codings, "identity, *;q=0")
	best("Accept-Encoding", "br", codings, "br;q=2")
	best("Accept-Encoding", "br", codings, "br;q=0.001")
	best("Accept-Encoding", "", codings, "br;q=0.000")
	best("Accept-Encoding", "br", codings, "br; Q=0.5 , gzip;q=0.4")
	tongues := l("en", "de-CH", "fr")
	best("Accept-Language", "fr", tongues, "fr;q=0.9, en;q=0.8")
	best("Accept-Language", "de-CH", tongues, "de")
	best("Accept-Language", "de-CH", tongues, "it, de-ch;q=0.3")
	best("Accept-Language", "", tongues, "de-AT, e, english")
	best("Accept-Language", "en", tongues, "de-CH;q=0, de, *;q=0.1")
	kinds := l("application/json", "text/html")
	best("Accept", "text/html", kinds, "text/*, application/json;q=0.5")
	best("Accept", "application/json", kinds, "*/*")
	best("X-Device", "phone", l("desk", "phone"), "Phone")

	long := bytes.Repeat([]byte("b,a,"), 100)
	AppendSelected(nil, "Accept-Encoding", [][]byte{long}, nil)
}

// TestSelectedTellsItsLength: two fields after one another are never alike two
// others.
func TestSelectedTellsItsLength(t *testing.T) {
	one := AppendSelected(AppendSelected(nil, "A", [][]byte{[]byte("x")}, nil), "B", nil, nil)
	other := AppendSelected(AppendSelected(nil, "A", [][]byte{[]byte("x\x00")}, nil), "B", [][]byte{nil}, nil)
	if bytes.Equal(one, other) || bytes.HasPrefix(other, one) {
		t.Errorf("got %q and %q", one, other)
	}
}

package route

import (
	"bytes"
	"errors"
	"path"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAppendCanonicalRefuses(t *testing.T) {
	f := func(raw string, want error) {
		t.Helper()
		dst := []byte("kept")
		got, err := AppendCanonical(dst, []byte(raw))
		if !errors.Is(err, want) || string(got) != "kept" {
			t.Fatalf("AppendCanonical(%q): got %q, %v; want %q, %v", raw, got, err, "kept", want)
		}
		if IsCanonical([]byte(raw)) {
			t.Fatalf("IsCanonical(%q): got true; want false", raw)
		}
	}
	f("", ErrNotAbsolute)
	f("a", ErrNotAbsolute)
	f("*", ErrNotAbsolute)
	f("http://a/b", ErrNotAbsolute)
	f("%2Fa", ErrNotAbsolute)
	f("/%", ErrEscape)
	f("/%4", ErrEscape)
	f("/%4/1", ErrEscape)
	f("/%zz", ErrEscape)
	f("/%4g", ErrEscape)
	f("/%u0041", ErrEscape)
	f("/a%00", ErrZeroByte)
	f("/..", ErrAboveRoot)
	f("/../a", ErrAboveRoot)
	f("/a/../..", ErrAboveRoot)
	f("/a/../../a", ErrAboveRoot)
	f("/%2e%2e/a", ErrAboveRoot)
	f("/%2E./a", ErrAboveRoot)
	f("/.//../a", ErrAboveRoot)
	f("//..", ErrAboveRoot)
	for _, c := range []byte(" \"<>\\^`{|}#?\x00\t\r\n\x1f\x7f\x80\xc3\xff") {
		f("/a"+string([]byte{c}), ErrByte)
		f("/./"+string([]byte{c})+"/b", ErrByte)
	}
}

func TestAppendCanonical(t *testing.T) {
	f := func(raw, want string) {
		t.Helper()
		got, err := AppendCanonical([]byte("kept"), []byte(raw))
		if err != nil || string(got) != "kept"+want {
			t.Fatalf("AppendCanonical(%q): got %q, %v; want %q", raw, got, err, "kept"+want)
		}
		if got := IsCanonical([]byte(raw)); got != (raw == want) {
			t.Fatalf("IsCanonical(%q): got %t; want %t", raw, got, raw == want)
		}
	}
	f("/", "/")
	f("/a", "/a")
	f("/a/", "/a/")
	f("/a/b;v=1/c;", "/a/b;v=1/c;")
	f("/!$&'()*+,;=:@-._~[]", "/!$&'()*+,;=:@-._~[]")
	f("/%41%7e%2D", "/A~-")
	f("/%2f%5c%c3%a9", "/%2F%5C%C3%A9")
	f("/%2F%5C%C3%A9", "/%2F%5C%C3%A9")
	f("/%2f", "/%2F")
	f("/%F0/%f0/%aF", "/%F0/%F0/%AF")
	f("/%252e%252e/", "/%252e%252e/")
	f("/%21%40%3b%20%0a%7f", "/%21%40%3B%20%0A%7F")
	f("//", "/")
	f("//a///b//", "/a/b/")
	f("/.", "/")
	f("/./", "/")
	f("/a/.", "/a/")
	f("/a/./b", "/a/b")
	f("/a/..", "/")
	f("/a/../", "/")
	f("/a/b/..", "/a/")
	f("/a/b/../c", "/a/c")
	f("/a/%2e%2E/c", "/c")
	f("/a/%2e/c", "/a/c")
	f("/a//../b", "/b")
	f("/a/..%2f../b", "/a/..%2F../b")
	f("/a/..;/b", "/a/..;/b")
	f("/...", "/...")
	f("/.a/..b/c../d.", "/.a/..b/c../d.")
	f("/a/.../.", "/a/.../")
}

func TestFormOptions(t *testing.T) {
	f := func(form Form, raw, want string, wantErr error) {
		t.Helper()
		got, err := form.Append(nil, []byte(raw))
		if !errors.Is(err, wantErr) || string(got) != want {
			t.Fatalf("%+v.Append(%q): got %q, %v; want %q, %v", form, raw, got, err, want, wantErr)
		}
		if got, want := form.Is([]byte(raw)), err == nil && raw == want; got != want {
			t.Fatalf("%+v.Is(%q): got %t; want %t", form, raw, got, want)
		}
	}
	keep := Form{KeepEmptySegments: true}
	f(keep, "//", "//", nil)
	f(keep, "/a//b//", "/a//b//", nil)
	f(keep, "/a//../b", "/a/b", nil)
	f(keep, "//..", "/", nil)
	f(keep, "/a/..//b", "//b", nil)
	f(keep, "//../..", "", ErrAboveRoot)
	f(keep, "/a//./%41", "/a//A", nil)

	strict := Form{RefuseAmbiguous: true}
	f(strict, "/a%2fb", "", ErrAmbiguous)
	f(strict, "/a%2Fb", "", ErrAmbiguous)
	f(strict, "/a%5Cb", "", ErrAmbiguous)
	f(strict, "/a/..;/b", "", ErrAmbiguous)
	f(strict, "/a/.;x=1/b", "", ErrAmbiguous)
	f(strict, "/a/%2e.;", "", ErrAmbiguous)
	f(strict, "/a/...;", "/a/...;", nil)
	f(strict, "/a;b/.c;/..d;", "/a;b/.c;/..d;", nil)
	f(strict, "/a%252Fb%C3%A9", "/a%252Fb%C3%A9", nil)
	f(strict, "/a/../b", "/b", nil)
}

// slowCanonical works in whole passes: decode, then let path.Clean resolve dots and slashes.
func slowCanonical(raw string) (string, bool) {
	if !strings.HasPrefix(raw, "/") {
		return "", false
	}
	const hex, free = "0123456789ABCDEF", "-._~"
	isFree := func(c byte) bool {
		return c >= '0' && c <= '9' || c|32 >= 'a' && c|32 <= 'z' || strings.IndexByte(free, c) >= 0
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case isFree(c) || strings.IndexByte("/!$&'()*+,;=:@[]", c) >= 0:
			b.WriteByte(c)
		case c == '%' && i+2 < len(raw):
			two := strings.ToUpper(raw[i+1 : i+3])
			high, low := strings.IndexByte(hex, two[0]), strings.IndexByte(hex, two[1])
			if high < 0 || low < 0 || high+low == 0 {
				return "", false
			}
			if d := byte(high*16 + low); isFree(d) {
				b.WriteByte(d)
			} else {
				b.WriteString("%" + two)
			}
			i += 2
		default:
			return "", false
		}
	}
	decoded := b.String()
	depth := 0
	for part := range strings.SplitSeq(decoded, "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return "", false
			}
		default:
			depth++
		}
	}
	clean := path.Clean(decoded)
	last := decoded[strings.LastIndexByte(decoded, '/')+1:]
	if clean != "/" && (last == "" || last == "." || last == "..") {
		clean += "/"
	}
	return clean, true
}

func checkCanonical(t rapid.TB, raw []byte) {
	got, err := AppendCanonical(nil, raw)
	want, ok := slowCanonical(string(raw))
	if (err == nil) != ok || string(got) != want {
		t.Fatalf("AppendCanonical(%q): got %q, %v; want %q, %t", raw, got, err, want, ok)
	}
	if got, want := IsCanonical(raw), ok && string(raw) == want; got != want {
		t.Fatalf("IsCanonical(%q): got %t; want %t", raw, got, want)
	}
	for _, form := range []Form{{}, {KeepEmptySegments: true}, {RefuseAmbiguous: true}, {true, true}} {
		once, err := form.Append(nil, raw)
		if err != nil {
			continue
		}
		twice, err := form.Append(nil, once)
		if err != nil || !bytes.Equal(once, twice) || !form.Is(once) {
			t.Fatalf("%+v.Append(%q): got %q, %v; want it unchanged and canonical: %t", form, once, twice, err, form.Is(once))
		}
		for part := range strings.SplitSeq(strings.Trim(string(once), "/"), "/") {
			if part == "." || part == ".." {
				t.Fatalf("%+v.Append(%q): got %q; want no dot segment", form, raw, once)
			}
		}
		if !form.KeepEmptySegments && bytes.Contains(once, []byte("//")) {
			t.Fatalf("%+v.Append(%q): got %q; want no empty segment", form, raw, once)
		}
	}
}

func TestCanonicalAgainstSlow(t *testing.T) {
	pieces := rapid.SliceOf(rapid.SampledFrom([]string{
		"/", "/", "/", ".", "..", "%2e", "%2E", "a", "%41", "%2f", "%2F", "%5c", ";", "~", "%7e", "%c3%A9", "%0a", "%",
		"%4", " ", "%00", "é", "%25", "[",
	}))
	checkOften(t, func(t *rapid.T) {
		checkCanonical(t, []byte("/"+strings.Join(pieces.Draw(t, "pieces"), "")))
	})
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		"", "/", "/a/b/", "//a", "/a/../b", "/%2e%2E/", "/a/%2e%2e/%2f", "/..;/a", "/%00", "/a%", "/a%2", "/é", "/a b", "/a/.",
		"/.//../", "/a/b/c/../../..//d/./", "/%41%7E%5c", "/#", "*",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { checkCanonical(t, raw) })
}

package proxy

import (
	"bytes"
	"net/netip"
	"net/url"
	"testing"

	"weir/proxy/exchange"
)

func TestAppendNetwork(t *testing.T) {
	f := func(address string, ipv6 int, want string) {
		t.Helper()
		var addr netip.Addr
		if address != "" {
			addr = netip.MustParseAddr(address)
		}
		got := appendNetwork(nil, addr, ipv6)
		var expected []byte
		if want != "" {
			expected = netip.MustParseAddr(want).AsSlice()
		}
		if !bytes.Equal(got, expected) {
			t.Errorf("appendNetwork(%q, %d): got %x; want %x", address, ipv6, got, expected)
		}
	}
	f("", 64, "")
	f("192.0.2.7", 64, "192.0.2.7")
	f("::ffff:192.0.2.7", 64, "192.0.2.7")
	f("2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::")
	f("2001:db8:1:2:3:4:5:6", 128, "2001:db8:1:2:3:4:5:6")
	f("2001:db8:1:ffff::", 60, "2001:db8:1:fff0::")
	f("2001:db8:1:2::1%eth0", 64, "2001:db8:1:2::")
	f("ffff:ffff::", 16, "ffff::")
}

// FuzzQueryValue holds what is well-formed to Go's own reading of queries.
func FuzzQueryValue(f *testing.F) {
	for _, query := range []string{"", "a", "a=", "a=b", "b=1&a=%62+c&a=d", "%61=x", "&&a=1", "a=%", "a=%zz", "=a", "a=b=c", "a%00=1"} {
		f.Add(query, "a")
	}
	f.Fuzz(func(t *testing.T, query, name string) {
		got := appendQueryValue([]byte("kept"), []byte(query), []byte(name))
		if !bytes.HasPrefix(got, []byte("kept")) {
			t.Fatalf("got %q; want what was there to stay", got)
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		if want := values.Get(name); string(got[4:]) != want {
			t.Fatalf("the value of %q in %q: got %q; want %q", name, query, got[4:], want)
		}
	})
}

// FuzzIdentity holds different values to different identities, wherever one
// ends and the next begins.
func FuzzIdentity(f *testing.F) {
	f.Add("a", "b", "ab", "")
	f.Add("", "", "", "\x00")
	f.Add("x\x00\x00\x00\x00y", "", "x", "y")
	id, _ := newIdentity("limit", []string{"query:a", "query:b"}, 64, place{})
	of := func(a, b string) string {
		r := &request{x: &exchange.Exchange{Query: []byte(url.Values{"a": {a}, "b": {b}}.Encode())}}
		return string(id.append(nil, r))
	}
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		if same := a == c && b == d; same != (of(a, b) == of(c, d)) {
			t.Fatalf("%q and %q beside %q and %q: got the same identity %t", a, b, c, d, !same)
		}
	})
}

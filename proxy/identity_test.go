package proxy

import (
	"net/netip"
	"regexp"
	"testing"
)

func TestPlainNode(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		addr, ok := plainNode([]byte(text))
		got := ""
		if ok {
			got = addr.String()
		}
		if got != want {
			t.Errorf("plainNode(%q): got %q; want %q", text, got, want)
		}
	}
	f("192.0.2.7", "192.0.2.7")
	f("192.0.2.7:4711", "192.0.2.7")
	f("192.0.2.7:65535", "192.0.2.7")
	f("2001:db8::7", "2001:db8::7")
	f("[2001:db8::7]", "2001:db8::7")
	f("[2001:db8::7]:4711", "2001:db8::7")
	f("::ffff:192.0.2.7", "192.0.2.7")
	f("[::ffff:192.0.2.7]:80", "192.0.2.7")

	for _, wrong := range []string{
		"", "unknown", "_hidden", "192.0.2", "192.0.2.7:", "192.0.2.7:x", "192.0.2.7:65536", "192.0.2.7:655360", ":80",
		"[", "[]", "[]:80", "[2001:db8::7", "2001:db8::7]", "[2001:db8::7]80", "[2001:db8::7]:", "[192.0.2.7]:80",
		"fe80::1%eth0", "[fe80::1%eth0]:80", "192.0.2.7, 192.0.2.8",
	} {
		f(wrong, "")
	}
}

func FuzzPlainNode(f *testing.F) {
	for _, seed := range []string{"192.0.2.7:80", "[2001:db8::7]:80", "[::1", "fe80::1%a", "_x", "1.2.3.4:99999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		addr, ok := plainNode([]byte(text))
		if !ok {
			return
		}
		if addr.Zone() != "" || addr.Is4In6() || !addr.IsValid() {
			t.Fatalf("plainNode(%q): got %s", text, addr)
		}
		if again, ok := plainNode([]byte(addr.String())); !ok || again != addr {
			t.Fatalf("plainNode(%q): got %s, which reads as %s", text, addr, again)
		}
		ap := netip.AddrPortFrom(addr, 80)
		if again, ok := plainNode([]byte(ap.String())); !ok || again != addr {
			t.Fatalf("plainNode(%q): got %s; want %s", ap, again, addr)
		}
	})
}

func TestAppendUUID(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := make(map[string]bool)
	for range 1000 {
		id := string(appendUUID(nil))
		if !form.MatchString(id) || seen[id] {
			t.Fatalf("got %q; want a new UUID of version 4", id)
		}
		seen[id] = true
	}
}

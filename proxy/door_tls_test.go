package proxy

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/proxy/config"
)

func TestTLSFlag(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := newAuthority(t).bundle("a.pem", "a.example.org")
	f := func(text, listen, source string, domains, listeners []string, complaint string) {
		t.Helper()
		d, err := ParseFlags([]string{"-upstream", "http://127.0.0.1:9", "-listen", listen, "-tls", text}, nil)
		if complaint != "" {
			if err == nil || !strings.Contains(err.Error(), complaint) {
				t.Fatalf("-tls %s: got %v; want %q", text, err, complaint)
			}
			return
		}
		if err != nil {
			t.Fatalf("-tls %s: %s", text, err)
		}
		from, end, err := d.Source()
		if err != nil {
			t.Fatal(err)
		}
		defer end()
		doc, err := from.Document()
		if err != nil {
			t.Fatalf("-tls %s: %s", text, err)
		}
		var gotDomains, gotListeners []string
		for name, domain := range doc.Domains {
			gotDomains = append(gotDomains, name)
			if domain.TLS.Source != source {
				t.Fatalf("-tls %s: got source %q; want %q", text, domain.TLS.Source, source)
			}
		}
		for name, l := range doc.Listeners {
			gotListeners = append(gotListeners, name+" "+l.Address)
		}
		slices.Sort(gotDomains)
		slices.Sort(gotListeners)
		if !slices.Equal(gotDomains, domains) || !slices.Equal(gotListeners, listeners) || !doc.Listeners["main"].TLS {
			t.Fatalf("-tls %s: got domains %q and listeners %q; want %q and %q", text, gotDomains, gotListeners, domains, listeners)
		}
	}
	f("dev", ":8443", "dev", []string{config.AnyDomain}, []string{"main :8443"}, "")
	f("auto:A.example.org, b.example.org", ":443", "auto", []string{"a.example.org", "b.example.org"}, []string{"main :443", "plain :80"}, "")
	f(dir, "127.0.0.1:443", "", nil, []string{"main 127.0.0.1:443", "plain 127.0.0.1:80"}, "")
	f(file, ":8443", "", nil, []string{"main :8443"}, "")
	f(file+","+file, ":8443", "", nil, []string{"main :8443"}, "")
	f("auto", ":8443", "", nil, nil, "needs the names")
	f(filepath.Join(dir, "none.pem"), ":8443", "", nil, nil, "neither dev")
}

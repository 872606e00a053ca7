package tls

import (
	stdtls "crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDev trusts the local authority once, over restarts.
func TestDev(t *testing.T) {
	dir := t.TempDir()
	settings := Settings{Default: "localhost", Domains: map[string]Domain{
		"localhost": {Source: SourceDev}, "*.localhost": {Source: SourceDev}, "127.0.0.1": {Source: SourceDev}, "shop.example": {Source: SourceDev},
	}}
	var roots *x509.CertPool
	for range 2 {
		m := newManager(t, Config{Dir: dir, NoWatch: true})
		publish(t, m, settings)
		file, err := m.DevCA()
		if err != nil {
			t.Fatal(err)
		}
		if roots == nil {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			roots = x509.NewCertPool()
			roots.AppendCertsFromPEM(text)
		}
		address, _ := listen(t, m)
		for _, name := range []string{"localhost", "a.localhost", "shop.example", "127.0.0.1"} {
			if _, err := greet(address, &stdtls.Config{ServerName: name, RootCAs: roots}); err != nil {
				t.Fatalf("%s: got %v; want it trusted", name, err)
			}
		}
		if got := m.Certificates(); len(got) != 4 || got[0].Source != SourceDev {
			t.Fatalf("got %+v; want four certificates from dev", got)
		}
	}
	about, err := os.Stat(filepath.Join(dir, "dev", "ca.key"))
	if err != nil || about.Mode().Perm() != 0o600 {
		t.Fatalf("got %v, %v; want a key that only its owner reads", about.Mode(), err)
	}
}

func TestDevRenewsInTime(t *testing.T) {
	now := time.Now()
	a := authorityDev{dir: t.TempDir(), now: func() time.Time { return now }}
	first, err := a.certificate("localhost")
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(10 * 24 * time.Hour)
	if again, _ := a.certificate("localhost"); again != first {
		t.Fatal("got a second certificate after 10 days; want the first")
	}
	now = now.Add(11 * 24 * time.Hour)
	second, err := a.certificate("localhost")
	if err != nil || second == first || second.Leaf.NotAfter.Before(first.Leaf.NotAfter) {
		t.Fatalf("got %v, %v; want one that is valid longer", second, err)
	}
}

func TestDevMistakes(t *testing.T) {
	f := func(prepare func(dir string), want string) {
		t.Helper()
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "dev"), 0o700); err != nil {
			t.Fatal(err)
		}
		prepare(dir)
		m := newManager(t, Config{Dir: dir, NoWatch: true})
		if _, err := m.DevCA(); err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("got %v; want it to say %q", err, want)
		}
	}
	c := order{names: []string{"a"}}.make(t)
	f(func(dir string) { place(t, dir, "dev/ca.pem", c.certPEM()) }, "ca.key")
	f(func(dir string) {
		place(t, dir, "dev/ca.pem", c.certPEM())
		place(t, dir, "dev/ca.key", c.keyPEM(t))
	}, "not one that weir has made")
	m := newManager(t, Config{NoWatch: true})
	if _, err := m.Compile(Settings{Domains: map[string]Domain{"localhost": {Source: SourceDev}}}); err == nil || !strings.Contains(err.Error(), "-data") {
		t.Fatalf("got %v without a data directory; want a mistake", err)
	}
}

package tls

import (
	stdtls "crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// chained returns an authority, one under it, and a certificate under that.
func chained(t testing.TB, o order) (root, middle, leaf *made) {
	root = order{ca: true, names: []string{"root"}}.make(t)
	middle = order{ca: true, names: []string{"middle"}, issuer: root}.make(t)
	o.issuer = middle
	return root, middle, o.make(t)
}

func TestCertificateFiles(t *testing.T) {
	dir := t.TempDir()
	m := newManager(t, Config{NoWatch: true})
	root, middle, leaf := chained(t, order{names: []string{"a.example"}})
	other := order{names: []string{"other.example"}}.make(t)
	now := time.Now()
	old := order{names: []string{"old.example"}, from: now.Add(-2 * time.Hour), until: now.Add(-time.Hour)}.make(t)
	early := order{names: []string{"early.example"}, from: now.Add(time.Hour), until: now.Add(2 * time.Hour)}.make(t)
	encrypted := string(pem.EncodeToMemory(&pem.Block{
		Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte("sealed"),
	}))
	pkcs8 := "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"

	n := 0
	file := func(content string) string {
		n++
		return place(t, dir, strings.Repeat("x", n)+".pem", content)
	}
	good := func(what string, s Source, chain int, warning error) {
		t.Helper()
		terms, err := m.Compile(Settings{Certificates: []Source{s}})
		if err != nil {
			t.Fatalf("%s: got %v; want terms", what, err)
		}
		if len(terms.shelf.leaves) != 1 || len(terms.shelf.leaves[0].pair.Certificate) != chain {
			t.Fatalf("%s: got %d certificates; want one with a chain of %d", what, len(terms.shelf.leaves), chain)
		}
		var got error
		if w := terms.Warnings(); len(w) > 0 {
			got = w[0]
		}
		if !errors.Is(got, warning) {
			t.Fatalf("%s: got warning %v; want %v", what, got, warning)
		}
	}
	pair := func(cert, key string) Source { return Source{Cert: file(cert), Key: file(key)} }
	good("pair", pair(leaf.certPEM(), leaf.keyPEM(t)), 1, nil)
	good("chain", pair(leaf.certPEM()+middle.certPEM(), leaf.keyPEM(t)), 2, nil)
	good("wrong order, with root", pair(root.certPEM()+middle.certPEM()+leaf.certPEM(), leaf.keyPEM(t)), 2, nil)
	good("written twice", pair(leaf.certPEM()+leaf.certPEM()+middle.certPEM(), leaf.keyPEM(t)), 2, nil)
	good("bundle, key in the middle", Source{Bundle: file(middle.certPEM() + leaf.keyPEM(t) + leaf.certPEM())}, 2, nil)
	good("text between the blocks", Source{Bundle: file("subject=a\n" + leaf.certPEM() + "\nthe key\r\n" + leaf.keyPEM(t))}, 1, nil)
	good("expired", pair(old.certPEM(), old.keyPEM(t)), 1, ErrExpired)
	good("not yet valid", pair(early.certPEM(), early.keyPEM(t)), 1, ErrNotYetValid)

	bad := func(what string, s Source, want error) {
		t.Helper()
		_, err := m.Compile(Settings{Certificates: []Source{s}})
		var mistakes Mistakes
		if !errors.As(err, &mistakes) || len(mistakes) != 1 || want != nil && !errors.Is(mistakes[0], want) {
			t.Fatalf("%s: got %v; want one mistake, %v", what, err, want)
		}
		if path := mistakes[0].Path; len(path) != 4 || path[0] != "tls" || path[2] != 0 {
			t.Fatalf("%s: got path %v; want tls certificates 0 …", what, path)
		}
		for _, name := range []string{s.Cert + s.Bundle, s.Key} {
			if !strings.Contains(err.Error(), name) {
				t.Fatalf("%s: got %v; want it to name %q", what, err, name)
			}
		}
	}
	bad("mismatch", pair(leaf.certPEM(), other.keyPEM(t)), ErrMismatch)
	bad("encrypted", pair(leaf.certPEM(), encrypted), ErrEncryptedKey)
	bad("encrypted PKCS 8", pair(leaf.certPEM(), pkcs8), ErrEncryptedKey)
	bad("truncated certificate", pair(leaf.certPEM()[:200], leaf.keyPEM(t)), ErrTruncated)
	bad("truncated key", pair(leaf.certPEM(), leaf.keyPEM(t)[:100]), ErrTruncated)
	bad("truncated chain", pair(leaf.certPEM()+middle.certPEM()[:100], leaf.keyPEM(t)), ErrTruncated)
	bad("broken chain", pair(leaf.certPEM()+other.certPEM(), leaf.keyPEM(t)), ErrBrokenChain)
	bad("chain with a hole", pair(leaf.certPEM()+root.certPEM(), leaf.keyPEM(t)), ErrBrokenChain)
	bad("empty", pair("", leaf.keyPEM(t)), ErrEmptyFile)
	bad("no PEM", pair("hello\n", leaf.keyPEM(t)), ErrNoPEM)
	bad("key in place of the certificate", pair(leaf.keyPEM(t), leaf.keyPEM(t)), ErrNoCert)
	bad("certificate in place of the key", pair(leaf.certPEM(), leaf.certPEM()), ErrNoKey)
	bad("two keys", Source{Bundle: file(leaf.certPEM() + leaf.keyPEM(t) + other.keyPEM(t))}, ErrManyKeys)
	bad("bundle without a key", Source{Bundle: file(leaf.certPEM())}, ErrNoKey)
	bad("no file", Source{Bundle: filepath.Join(dir, "none")}, os.ErrNotExist)
	bad("a directory", Source{Bundle: dir}, nil)
	bad("garbage in a block", Source{Bundle: file("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + leaf.keyPEM(t))}, nil)
	if os.Geteuid() != 0 {
		locked := file(leaf.certPEM())
		if err := os.Chmod(locked, 0); err != nil {
			t.Fatal(err)
		}
		bad("unreadable", Source{Bundle: locked}, os.ErrPermission)
	}
}

// TestAllMistakesAtOnce names each with its own place.
func TestAllMistakesAtOnce(t *testing.T) {
	m := newManager(t, Config{NoWatch: true})
	_, err := m.Compile(Settings{
		Certificates: []Source{{Bundle: "/none-1.pem"}, {Cert: "/none-2.pem", Key: "/none-2.key"}, {Directory: "/none-3"}},
		Default:      "default.example", Profile: "ancient", ECHKeys: "/none-4", Tickets: Tickets{File: "/none-5"},
		Domains: map[string]Domain{
			"a.example": {Source: "pigeon", Profile: "SecurityPolicy_TLS13_1_3_FIPS_2025_09", ClientCertificates: &ClientAuth{Truststore: "/none-6", Mode: "maybe"}},
			"b.example": {},
		},
	})
	var mistakes Mistakes
	if !errors.As(err, &mistakes) || len(mistakes) != 12 {
		t.Fatalf("got %d mistakes\n%v\nwant 12", len(mistakes), err)
	}
	for _, want := range []string{
		"tls.certificates.0.bundle: ", "tls.certificates.1.cert: ", "tls.certificates.2.directory: ", "tls.default: ", "tls.profile: ", "tls.ech.keys: ",
		"tls.tickets.file: ", "domains.a.example.tls.source: ", "domains.a.example.tls.profile: cannot use profile \"SecurityPolicy_TLS13_1_3_FIPS_2025_09\": its name promises",
		"domains.a.example.tls.clientCertificates.truststore: ", "domains.a.example.tls.clientCertificates.mode: ", "domains.b.example.tls.source: ",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got\n%v\nwant %q in it", err, want)
		}
	}
}

func TestDirectoryWithOneBadFile(t *testing.T) {
	dir := t.TempDir()
	a, b := order{names: []string{"a.example"}}.make(t), order{names: []string{"b.example"}}.make(t)
	place(t, dir, "a.pem", a.certPEM()+a.keyPEM(t))
	place(t, dir, "b.crt", b.certPEM())
	place(t, dir, "b.key", b.keyPEM(t))
	place(t, dir, "bad.pem", a.certPEM()[:100])
	place(t, dir, "notes.txt", "no certificate")
	place(t, dir, ".hidden.pem", "no certificate")
	m := newManager(t, Config{NoWatch: true})
	terms := publish(t, m, Settings{Certificates: []Source{{Directory: dir}}})
	if len(terms.shelf.leaves) != 2 || terms.shelf.find("a.example") == nil || terms.shelf.find("b.example") == nil {
		t.Fatalf("got %d certificates; want those of a and b", len(terms.shelf.leaves))
	}
	if w := terms.Warnings(); len(w) != 1 || !strings.Contains(w[0].Error(), "bad.pem") || !errors.Is(w[0], ErrTruncated) {
		t.Fatalf("got warnings %v; want one about bad.pem", w)
	}
}

func TestTwoForOneName(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	short := order{names: []string{"a.example"}, until: now.Add(time.Hour)}.make(t)
	long := order{names: []string{"a.example"}, until: now.Add(2 * time.Hour)}.make(t)
	m := newManager(t, Config{NoWatch: true})
	terms := publish(t, m, Settings{Certificates: []Source{
		{Bundle: place(t, dir, "short.pem", short.certPEM()+short.keyPEM(t))}, {Bundle: place(t, dir, "long.pem", long.certPEM()+long.keyPEM(t))},
	}})
	if got := terms.shelf.find("a.example")[kindECDSA].source; filepath.Base(got) != "long.pem" {
		t.Fatalf("got %q; want the one that is valid longer", got)
	}
	if w := terms.Warnings(); len(w) != 1 || !strings.Contains(w[0].Error(), "short.pem") {
		t.Fatalf("got warnings %v; want one that names both files", w)
	}
}

// awaitLog returns once a line of the log holds a text.
type awaitLog struct {
	lines chan string
}

func (w awaitLog) Write(p []byte) (int, error) {
	select {
	case w.lines <- string(p):
	default:
	}
	return len(p), nil
}

func (w awaitLog) await(t *testing.T, text string) {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		select {
		case line := <-w.lines:
			if strings.Contains(line, text) {
				return
			}
		case <-timeout:
			t.Fatalf("got no line with %q in 10s", text)
		}
	}
}

// TestFilesAreWatched swaps certificates under open connections, by rename, by
// a symbolic link, and by a bad file, which changes nothing.
func TestFilesAreWatched(t *testing.T) {
	dir := t.TempDir()
	log := awaitLog{make(chan string, 1000)}
	m, err := New(Config{}, newTextLog(log))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	write := func(version string, c *made) {
		t.Helper()
		sub := filepath.Join(dir, version)
		if err := os.Mkdir(sub, 0o700); err != nil {
			t.Fatal(err)
		}
		place(t, sub, "tls.crt", c.certPEM())
		place(t, sub, "tls.key", c.keyPEM(t))
		// As Kubernetes does: a link beside is renamed over the old one.
		if err := os.Symlink(version, filepath.Join(dir, "..next")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..next"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	first, second := order{names: []string{"a.example"}}.make(t), order{names: []string{"a.example"}}.make(t)
	write("v1", first)
	for _, name := range []string{"tls.crt", "tls.key"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	more := t.TempDir()
	publish(t, m, Settings{Certificates: []Source{
		{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}, {Directory: more},
	}})
	address, _ := listen(t, m)
	shown := func(name string) *x509.Certificate {
		t.Helper()
		state, err := greet(address, &stdtls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		return state.PeerCertificates[0]
	}
	open, err := stdtls.Dial("tcp", address, &stdtls.Config{ServerName: "a.example", InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if !shown("a.example").Equal(first.cert) {
		t.Fatal("got another certificate; want the first")
	}
	write("v2", second)
	log.await(t, "changed certificate files were read")
	if !shown("a.example").Equal(second.cert) {
		t.Fatal("got the first certificate; want the second")
	}
	if _, err := open.Read(make([]byte, 1)); err != nil {
		t.Fatalf("got %v on a connection from before; want it to go on", err)
	}

	place(t, filepath.Join(dir, "v2"), "tls.crt", "-----BEGIN CERTIFICATE-----\ncut")
	log.await(t, "what it held before stays")
	log.await(t, "changed certificate files were read")
	if !shown("a.example").Equal(second.cert) || m.Counts().FilesKept == 0 {
		t.Fatalf("got %+v and another certificate; want the one from before the bad file", m.Counts())
	}

	added := order{names: []string{"b.example"}}.make(t)
	place(t, more, "b.pem", added.certPEM()+added.keyPEM(t))
	log.await(t, "changed certificate files were read")
	if !shown("b.example").Equal(added.cert) {
		t.Fatal("got another certificate; want the one that was added")
	}
	if err := os.Remove(filepath.Join(more, "b.pem")); err != nil {
		t.Fatal(err)
	}
	log.await(t, "changed certificate files were read")
	if _, err := greet(address, &stdtls.Config{ServerName: "b.example", InsecureSkipVerify: true}); !isAlert(err, unrecognizedName) {
		t.Fatalf("got %v for a certificate that was taken away; want %v", err, unrecognizedName)
	}
}

func FuzzReadBundle(f *testing.F) {
	root, _, leaf := chained(f, order{names: []string{"a.example"}})
	f.Add([]byte(leaf.certPEM() + leaf.keyPEM(f) + root.certPEM()))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END EC PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := readBundle(text)
		if err != nil {
			return
		}
		pair, _, err := b.pair()
		if err == nil && (pair.Leaf == nil || len(pair.Certificate) == 0 || b.leafOf(b.keys[0]) != pair.Leaf) {
			t.Fatalf("got a pair without its own certificate from %q", text)
		}
	})
}

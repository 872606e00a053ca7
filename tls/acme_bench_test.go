package tls

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/caddyserver/certmagic"
)

// BenchmarkHelloACME measures the same for a certificate that certmagic keeps.
func BenchmarkHelloACME(b *testing.B) {
	b.ReportAllocs()
	m := newManager(b, Config{NoWatch: true, Dir: b.TempDir()})
	const name = "auto.weir.example"
	c := order{names: []string{name}}.make(b)
	der, err := x509.MarshalECPrivateKey(c.key.(*ecdsa.PrivateKey))
	if err != nil {
		b.Fatal(err)
	}
	issuer := (&certmagic.ACMEIssuer{CA: "https://127.0.0.1:1/dir"}).IssuerKey()
	put := func(key, content string) {
		path := filepath.Join(m.config.Dir, "acme", filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			b.Fatal(err)
		}
		place(b, filepath.Dir(path), filepath.Base(path), content)
	}
	put(certmagic.StorageKeys.SiteCert(issuer, name), c.certPEM())
	put(certmagic.StorageKeys.SitePrivateKey(issuer, name), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
	put(certmagic.StorageKeys.SiteMeta(issuer, name), `{"sans":["`+name+`"]}`)
	publish(b, m, Settings{ACME: ACME{Directory: "https://127.0.0.1:1/dir"}, Domains: map[string]Domain{name: {Source: SourceAuto}}})
	set, hello := m.protocols.of([]string{"h2"}, false), helloFor(b, name)
	for {
		if shown, _ := m.answer(hello, set).GetCertificate(hello); shown != nil {
			break
		}
	}
	for b.Loop() {
		if shown, err := m.answer(hello, set).GetCertificate(hello); shown == nil || err != nil {
			b.Fatal(err)
		}
	}
}

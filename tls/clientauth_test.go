package tls

import (
	"crypto/rand"
	"crypto/rsa"
	stdtls "crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

// list makes a revocation list of an authority.
func (c *made) list(t testing.TB, next time.Time, revoked ...*made) string {
	t.Helper()
	template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: next}
	for _, r := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: r.cert.SerialNumber, RevocationTime: time.Now().Add(-time.Minute),
		})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, c.cert, c.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

// side is a test's server with one name, which asks clients by auth.
type side struct {
	m        *Manager
	dir      string
	server   Source
	address  string
	sessions <-chan *Session
}

func newSide(t *testing.T, names ...string) *side {
	t.Helper()
	s := &side{m: newManager(t, Config{NoWatch: true}), dir: t.TempDir()}
	c := order{names: names}.make(t)
	s.server = Source{Bundle: place(t, s.dir, "server.pem", c.certPEM()+c.keyPEM(t))}
	s.address, s.sessions = listen(t, s.m)
	return s
}

func TestClientCertificates(t *testing.T) {
	s := newSide(t, "a.example")
	root, middle, good := chained(t, order{names: []string{"client"}})
	_, _, stranger := chained(t, order{names: []string{"stranger"}})
	expired := order{names: []string{"client"}, issuer: middle, from: time.Now().Add(-2 * time.Hour), until: time.Now().Add(-time.Hour)}.make(t)
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weak := order{names: []string{"weak"}, issuer: middle, key: short}.make(t)
	next := time.Now().Add(time.Hour)
	file := func(name, content string) string { return place(t, s.dir, name, content) }
	store := file("store.pem", root.certPEM()+middle.certPEM())
	rootOnly := file("root.pem", root.certPEM())
	rootList, none := file("root.crl", root.list(t, next)), file("none.crl", middle.list(t, next))
	some := file("some.crl", middle.list(t, next, good))
	overdue := file("overdue.crl", middle.list(t, time.Now().Add(-time.Minute)))

	f := func(what string, auth ClientAuth, client *made, extra []*made, accepted bool) *Session {
		t.Helper()
		publish(t, s.m, Settings{Certificates: []Source{s.server}, Domains: map[string]Domain{"a.example": {ClientCertificates: &auth}}})
		c := &stdtls.Config{ServerName: "a.example", InsecureSkipVerify: true}
		if client != nil {
			pair := client.pair()
			for _, more := range extra {
				pair.Certificate = append(pair.Certificate, more.cert.Raw)
			}
			// Whatever authorities the server names: a test shows what it wants.
			c.GetClientCertificate = func(*stdtls.CertificateRequestInfo) (*stdtls.Certificate, error) { return &pair, nil }
		}
		_, err := greet(s.address, c)
		session := <-s.sessions
		if (err == nil) != accepted {
			t.Fatalf("%s: got %v; want accepted %v", what, err, accepted)
		}
		return session
	}
	required, optional := ClientAuth{Truststore: store}, ClientAuth{Truststore: store, Mode: ModeOptional}
	got := f("required", required, good, []*made{middle}, true)
	if got.Client == nil || got.Client.Subject != "CN=client" || got.Client.Serial != good.cert.SerialNumber.String() || got.Client.PEM != good.certPEM() {
		t.Fatalf("got %+v; want the client's certificate", got.Client)
	}
	if want := ":" + base64.StdEncoding.EncodeToString(good.cert.Raw) + ":"; got.Client.Header != want {
		t.Fatalf("got Client-Cert %q; want %q", got.Client.Header, want)
	}
	if want := ":" + base64.StdEncoding.EncodeToString(middle.cert.Raw) + ":"; got.Client.Chain != want {
		t.Fatalf("got Client-Cert-Chain %q; want %q", got.Client.Chain, want)
	}
	f("required, none shown", required, nil, nil, false)
	f("required, a stranger's", required, stranger, nil, false)
	f("required, expired", required, expired, nil, false)
	f("required, weak", required, weak, nil, false)
	f("optional", optional, good, nil, true)
	if got := f("optional, none shown", optional, nil, nil, true); got.Client != nil {
		t.Fatalf("got %+v; want no client", got.Client)
	}
	f("optional, a stranger's", optional, stranger, nil, false)
	f("optional, expired", optional, expired, nil, false)
	f("root only, with its chain", ClientAuth{Truststore: rootOnly}, good, []*made{middle}, true)
	f("root only, without", ClientAuth{Truststore: rootOnly}, good, nil, false)
	f("too deep", ClientAuth{Truststore: rootOnly, Depth: 2}, good, []*made{middle}, false)

	f("on no list", ClientAuth{Truststore: store, CRL: []string{none, rootList}}, good, nil, true)
	f("revoked", ClientAuth{Truststore: store, CRL: []string{some, rootList}}, good, nil, false)
	f("optional, revoked", ClientAuth{Truststore: store, Mode: ModeOptional, CRL: []string{some, rootList}}, good, nil, false)
	f("no list of its authority", ClientAuth{Truststore: store, CRL: []string{rootList}}, good, nil, false)
	f("overdue", ClientAuth{Truststore: store, CRL: []string{overdue}}, good, nil, false)
	f("overdue, accepted", ClientAuth{Truststore: store, CRL: []string{overdue}, AcceptExpiredCRL: true}, good, nil, true)

	wrong := func(auth ClientAuth, want string) {
		t.Helper()
		_, err := s.m.Compile(Settings{Certificates: []Source{s.server}, Domains: map[string]Domain{"a.example": {ClientCertificates: &auth}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("got %v; want it to say %q", err, want)
		}
	}
	wrong(ClientAuth{Truststore: file("leaf.pem", expired.certPEM())}, "no authority that can be used")
	wrong(ClientAuth{Truststore: file("empty.pem", "")}, "the file is empty")
	wrong(ClientAuth{Truststore: store, CRL: []string{file("foreign.crl", stranger.issuerList(t))}}, "no authority of the truststore has signed")
	wrong(ClientAuth{Truststore: store, CRL: []string{file("cut.crl", root.list(t, next)[:100])}}, "cut off")
	wrong(ClientAuth{Truststore: store, CRL: []string{file("text.crl", "hello")}}, "text.crl")
}

// issuerList makes a list of an authority that nobody trusts.
func (c *made) issuerList(t testing.TB) string {
	return order{ca: true, names: []string{"foreign"}}.make(t).list(t, time.Now().Add(time.Hour))
}

// TestTicketsStayWithTheirTerms tries tickets where they must be worth nothing:
// under other rules for clients, another name, and after a revocation.
func TestTicketsStayWithTheirTerms(t *testing.T) {
	s := newSide(t, "open.example", "mutual.example", "other.example", "twin.example")
	root := order{ca: true, names: []string{"root"}}.make(t)
	elsewhere := order{ca: true, names: []string{"elsewhere"}}.make(t)
	client := order{names: []string{"client"}, issuer: root}.make(t)
	store, otherStore := place(t, s.dir, "store.pem", root.certPEM()), place(t, s.dir, "other.pem", elsewhere.certPEM()+root.certPEM())
	none := place(t, s.dir, "none.crl", root.list(t, time.Now().Add(time.Hour)))
	settings := func(crl ...string) Settings {
		return Settings{Certificates: []Source{s.server}, Domains: map[string]Domain{
			"mutual.example": {ClientCertificates: &ClientAuth{Truststore: store, CRL: crl}},
			"other.example":  {ClientCertificates: &ClientAuth{Truststore: otherStore, Mode: ModeOptional}},
			"twin.example":   {ClientCertificates: &ClientAuth{Truststore: store, CRL: crl}},
		}}
	}
	for _, version := range []uint16{stdtls.VersionTLS12, stdtls.VersionTLS13} {
		publish(t, s.m, settings(none))
		// Its keys are the names', so that each ticket can be carried anywhere.
		cache := &oneTicket{}
		f := func(what, name string, withCert bool, accepted, resumed bool) {
			t.Helper()
			c := &stdtls.Config{ServerName: name, InsecureSkipVerify: true, ClientSessionCache: cache, MaxVersion: version}
			if withCert {
				pair := client.pair()
				c.GetClientCertificate = func(*stdtls.CertificateRequestInfo) (*stdtls.Certificate, error) { return &pair, nil }
			}
			state, err := greet(s.address, c)
			session := <-s.sessions
			if (err == nil) != accepted || state.DidResume != resumed || session != nil && session.Resumed != resumed {
				t.Fatalf("%s over %x: got %v, resumed %v; want accepted %v, resumed %v", what, version, err, state.DidResume, accepted, resumed)
			}
			if session != nil && resumed && withCert && session.Client == nil {
				t.Fatalf("%s over %x: got no client; want that of the first handshake", what, version)
			}
		}
		f("first", "open.example", false, true, false)
		f("again", "open.example", false, true, true)
		cache.keep()
		f("a ticket without a certificate, where one is required", "mutual.example", false, false, false)
		f("a ticket without a certificate, where it is optional", "other.example", false, true, false)
		cache.forget()
		f("first", "mutual.example", true, true, false)
		f("again", "mutual.example", true, true, true)
		cache.keep()
		f("a ticket of another truststore", "other.example", false, true, false)
		f("a ticket of the same rules and another name", "twin.example", true, true, false)
		f("a ticket of mutual TLS, where none is asked for", "open.example", false, true, false)
		f("again, where it is from", "mutual.example", true, true, true)
		place(t, s.dir, "some.crl", root.list(t, time.Now().Add(time.Hour), client))
		publish(t, s.m, settings(s.dir+"/some.crl"))
		f("revoked since", "mutual.example", true, false, false)
	}
}

// oneTicket keeps the last ticket for whatever name.
type oneTicket struct {
	session *stdtls.ClientSessionState
	kept    bool
}

func (o *oneTicket) keep() { o.kept = true }

func (o *oneTicket) forget() { o.session, o.kept = nil, false }

// Get implements stdtls.ClientSessionCache.
func (o *oneTicket) Get(string) (*stdtls.ClientSessionState, bool) {
	return o.session, o.session != nil
}

// Put implements stdtls.ClientSessionCache.
func (o *oneTicket) Put(_ string, session *stdtls.ClientSessionState) {
	if !o.kept && session != nil {
		o.session = session
	}
}

package tls

import (
	stdtls "crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestACMEChallenges has a first certificate by each challenge, with nonces
// rejected meanwhile, and finds it on disk again afterwards.
func TestACMEChallenges(t *testing.T) {
	f := func(name, challenge, reject string) {
		t.Run(challenge+" with "+reject+"% of nonces rejected", func(t *testing.T) {
			t.Parallel()
			l := newLab(t, labOptions{env: []string{"PEBBLE_WFE_NONCEREJECT=" + reject}, config: Config{ACMERetry: 100 * time.Millisecond}})
			publish(t, l.m, l.settings(challenge, name))
			host := strings.Replace(name, "*", "some", 1)
			first := l.until(t, host, nil)
			if !strings.Contains(first.Issuer.CommonName, "Pebble") {
				t.Fatalf("got a certificate of %s; want pebble's", first.Issuer)
			}
			if c := l.m.Counts(); c.ACMEObtained != 1 {
				t.Fatalf("got %+v; want one certificate", c)
			}
			infos := l.m.Certificates()
			if len(infos) != 1 || infos[0].Source != "acme" || infos[0].Names[0] != name || infos[0].LastError != "" {
				t.Fatalf("got %+v; want the one of %s", infos, name)
			}
			if challenge == ChallengeDNS {
				return
			}
			// A new process finds it on disk.
			again := newManager(t, Config{Dir: l.m.config.Dir})
			publish(t, again, l.settings(challenge, name))
			address, _ := listen(t, again)
			second := &lab{m: again, address: address}
			if got := second.until(t, host, nil); !got.Equal(first) || again.Counts().ACMEObtained != 0 {
				t.Fatalf("got %v, %+v; want the certificate that was on disk", got.SerialNumber, again.Counts())
			}
		})
	}
	f("http.weir.example", ChallengeHTTP, "5")
	f("alpn.weir.example", ChallengeALPN, "50")
	f("*.dns.weir.example", ChallengeDNS, "0")
}

func TestACMERenewsBeforeExpiry(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{validity: 20, config: Config{ACMECheck: 500 * time.Millisecond, ACMERetry: 100 * time.Millisecond}})
	s := l.settings("", "renew.weir.example")
	s.ACME.RenewBefore = 0.9
	publish(t, l.m, s)
	first := l.until(t, "renew.weir.example", nil)
	second := l.until(t, "renew.weir.example", func(c *x509.Certificate) bool { return !c.Equal(first) })
	if time.Now().After(first.NotAfter) || !second.NotAfter.After(first.NotAfter) {
		t.Fatalf("got a second one until %s at %s; want it before the first ends at %s", second.NotAfter, time.Now(), first.NotAfter)
	}
	if c := l.m.Counts(); c.ACMERenewed == 0 {
		t.Fatalf("got %+v; want a renewal", c)
	}
}

// TestACMEDirectoryDown serves what there is while the directory is away, and
// has the certificate once it is back.
func TestACMEDirectoryDown(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{down: true, config: Config{ACMERetry: 50 * time.Millisecond}})
	s := l.settings(ChallengeALPN, "late.weir.example")
	static := order{names: []string{"static.weir.example"}}.make(t)
	s.Certificates = []Source{{Bundle: place(t, l.dir, "static.pem", static.certPEM()+static.keyPEM(t))}}
	publish(t, l.m, s)
	for lastError(l.m) == "" {
		if _, err := greet(l.address, &stdtls.Config{ServerName: "late.weir.example", InsecureSkipVerify: true}); !isAlert(err, unrecognizedName) {
			t.Fatalf("got %v without a certificate; want %v", err, unrecognizedName)
		}
		if _, err := greet(l.address, &stdtls.Config{ServerName: "static.weir.example", InsecureSkipVerify: true}); err != nil {
			t.Fatalf("got %v for a name of files; want it served", err)
		}
		for len(l.sessions) > 0 {
			<-l.sessions
		}
	}
	l.start()
	l.until(t, "late.weir.example", nil)
	if got := lastError(l.m); got != "" {
		t.Fatalf("got last error %q; want none", got)
	}
}

func lastError(m *Manager) string {
	for _, info := range m.Certificates() {
		if info.LastError != "" {
			return info.LastError
		}
	}
	return ""
}

// TestACMEChallengeFails names what the directory says of a name that leads elsewhere.
func TestACMEChallengeFails(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{config: Config{ACMERetry: 50 * time.Millisecond}})
	l.elsewhere.Store(true)
	publish(t, l.m, l.settings(ChallengeHTTP, "fails.weir.example"))
	deadline := time.After(20 * time.Second)
	for lastError(l.m) == "" {
		select {
		case <-deadline:
			t.Fatal("got no error after 20s; want the directory's")
		case <-time.After(10 * time.Millisecond):
		}
	}
	if got := lastError(l.m); !strings.Contains(got, "fails.weir.example") || !strings.Contains(got, "404") {
		t.Fatalf("got %q; want what the directory says of the challenge", got)
	}
	l.elsewhere.Store(false)
	l.until(t, "fails.weir.example", nil)
}

// TestACMERateLimited leaves a directory alone that says it was asked too often.
func TestACMERateLimited(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	directory := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		base := "https://" + r.Host
		w.Header().Set("Replay-Nonce", "bm9uY2U")
		switch r.URL.Path {
		case "/dir":
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"newNonce":"` + base + `/nonce","newAccount":"` + base + `/account","newOrder":"` + base + `/order"}`))
		case "/account":
			w.Header().Set("Location", base+"/account/1")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{"status":"valid"}`))
		case "/order":
			asked.Add(1)
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = w.Write([]byte(`{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many certificates","status":429}`))
		}
	}))
	defer directory.Close()
	dir := t.TempDir()
	ca := &made{cert: directory.Certificate()}
	m := newManager(t, Config{Dir: dir, ACMERetry: 500 * time.Millisecond})
	publish(t, m, Settings{
		ACME:    ACME{Directory: directory.URL + "/dir", CA: place(t, dir, "ca.pem", ca.certPEM()), Challenges: []string{ChallengeALPN}, TLSPort: 1},
		Domains: map[string]Domain{"limited.weir.example": {Source: SourceAuto}},
	})
	deadline := time.After(20 * time.Second)
	for !strings.Contains(lastError(m), "too many certificates") {
		select {
		case <-deadline:
			t.Fatalf("got %q after 20s; want what the directory says", lastError(m))
		case <-time.After(10 * time.Millisecond):
		}
	}
	before := asked.Load()
	time.Sleep(1200 * time.Millisecond) // twice the pause after any other failure
	if after := asked.Load(); after != before {
		t.Fatalf("got %d more orders in 1.2s; want none for 10s", after-before)
	}
}

// TestACMEOnDemand has certificates for names that the rule allows, when asked.
func TestACMEOnDemand(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	var asked atomic.Int64
	rule := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Query().Get("domain") != "good.shops.weir.example" {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer rule.Close()
	s := l.settings("")
	s.ACME.OnDemand = &OnDemand{Allow: []string{"*.shops.weir.example"}, Ask: rule.URL}
	publish(t, l.m, s)
	ask := func(name string) error {
		_, err := greet(l.address, &stdtls.Config{ServerName: name, InsecureSkipVerify: true})
		for len(l.sessions) > 0 {
			<-l.sessions
		}
		return err
	}
	if err := ask("good.shops.weir.example"); err != nil {
		t.Fatalf("got %v; want a certificate on demand", err)
	}
	if err := ask("good.shops.weir.example"); err != nil || asked.Load() != 1 {
		t.Fatalf("got %v after %d questions; want the certificate that is there", err, asked.Load())
	}
	for range 3 {
		if err := ask("bad.shops.weir.example"); !isAlert(err, unrecognizedName) {
			t.Fatalf("got %v for a name that the URL denies; want %v", err, unrecognizedName)
		}
	}
	for _, name := range []string{"other.weir.example", "a.b.shops.weir.example", "shops.weir.example"} {
		if err := ask(name); !isAlert(err, unrecognizedName) {
			t.Fatalf("got %v for %s; want %v", err, name, unrecognizedName)
		}
	}
	if asked.Load() != 2 {
		t.Fatalf("got %d questions; want one for each name that allow has", asked.Load())
	}
	if c := l.m.Counts(); c.ACMEObtained != 1 || c.OnDemandDenied == 0 {
		t.Fatalf("got %+v; want one certificate and denials", c)
	}
}

func TestACMEExternalAccount(t *testing.T) {
	t.Parallel()
	const key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	l := newLab(t, labOptions{eab: map[string]string{"kid-1": key}, config: Config{ACMERetry: 100 * time.Millisecond}})
	s := l.settings(ChallengeALPN, "bound.weir.example")
	s.ACME.Email = "" // which asks nobody for one
	s.ACME.ExternalAccount = &ExternalAccount{ID: "kid-1", Key: key}
	publish(t, l.m, s)
	l.until(t, "bound.weir.example", nil)
}

func TestACMESettingsMistakes(t *testing.T) {
	m := newManager(t, Config{Dir: t.TempDir()})
	f := func(s Settings, wants ...string) {
		t.Helper()
		_, err := m.Compile(s)
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("got %v; want it to say %q", err, want)
			}
		}
	}
	auto := map[string]Domain{"a.example": {Source: SourceAuto}, "*.b.example": {Source: SourceAuto}}
	f(Settings{Domains: auto, ACME: ACME{
		CA: "/none.pem", Challenges: []string{"carrier-pigeon"}, ExternalAccount: &ExternalAccount{ID: "x", Key: "!"}, OnDemand: &OnDemand{},
	}}, "/none.pem", "carrier-pigeon", "external account", "without a rule", "*.b.example")
	f(Settings{Domains: auto, ACME: ACME{Challenges: []string{ChallengeDNS}}}, "without dns")
	f(Settings{Domains: map[string]Domain{"*": {Source: SourceAuto}}}, "every name")
	m = newManager(t, Config{})
	f(Settings{Domains: auto}, "no data directory")
}

package tls

import (
	stdtls "crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// responder answers as the state of its index file says, by openssl ocsp.
type responder struct {
	*httptest.Server
	dir   string
	down  atomic.Bool
	asked chan struct{}
}

func newResponder(t *testing.T, ca *made) *responder {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Fatalf("got %v; want openssl, which tools/setup.sh openssl installs", err)
	}
	r := &responder{dir: t.TempDir(), asked: make(chan struct{}, 100)}
	place(t, r.dir, "ca.pem", ca.certPEM())
	place(t, r.dir, "ca.key", ca.keyPEM(t))
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		defer func() { r.asked <- struct{}{} }()
		if r.down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body, _ := io.ReadAll(request.Body)
		in, out := filepath.Join(r.dir, "in.der"), filepath.Join(r.dir, "out.der")
		_ = os.WriteFile(in, body, 0o600)
		said, err := exec.Command("openssl", "ocsp", "-index", filepath.Join(r.dir, "index.txt"), "-CA", filepath.Join(r.dir, "ca.pem"),
			"-rsigner", filepath.Join(r.dir, "ca.pem"), "-rkey", filepath.Join(r.dir, "ca.key"), "-ndays", "2", "-reqin", in, "-respout", out).CombinedOutput()
		if err != nil {
			t.Errorf("openssl ocsp: %v: %s", err, said)
		}
		answer, _ := os.ReadFile(out)
		w.Header().Set("Content-Type", "application/ocsp-response")
		_, _ = w.Write(answer)
	}))
	t.Cleanup(r.Close)
	return r
}

// set writes the index of an authority as openssl keeps it.
func (r *responder) set(t *testing.T, c *made, revoked bool) {
	t.Helper()
	state, at := "V", ""
	if revoked {
		state, at = "R", time.Now().Add(-time.Minute).UTC().Format("060102150405Z")
	}
	serial := fmt.Sprintf("%X", c.cert.SerialNumber)
	if len(serial)%2 == 1 {
		serial = "0" + serial
	}
	place(t, r.dir, "index.txt", fmt.Sprintf("%s\t%s\t%s\t%s\tunknown\t/CN=a.example\n", state, c.cert.NotAfter.UTC().Format("060102150405Z"), at, serial))
}

// TestOCSP staples what a real responder says, and keeps serving when it is down.
func TestOCSP(t *testing.T) {
	ca := order{ca: true, names: []string{"authority"}}.make(t)
	r := newResponder(t, ca)
	c := order{names: []string{"a.example"}, issuer: ca, server: r.URL}.make(t)
	r.set(t, c, false)
	var clock atomic.Int64
	clock.Store(time.Now().UnixNano())
	m := newManager(t, Config{NoWatch: true, Now: func() time.Time { return time.Unix(0, clock.Load()) }})
	bundle := place(t, t.TempDir(), "a.pem", c.certPEM()+c.keyPEM(t)+ca.certPEM())
	terms := publish(t, m, Settings{OCSP: true, Certificates: []Source{{Bundle: bundle}}})
	address, _ := listen(t, m)
	staple := func() []byte {
		t.Helper()
		state, err := greet(address, &stdtls.Config{ServerName: "a.example", InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		return state.OCSPResponse
	}
	select {
	case <-r.asked:
	case <-time.After(10 * time.Second):
		t.Fatal("got no question in 10s; want one")
	}
	// The Manager's own round has asked; ours is only there to wait for it.
	await := func(state string) {
		t.Helper()
		deadline := time.After(10 * time.Second)
		for m.Certificates()[0].OCSP != state {
			select {
			case <-deadline:
				t.Fatalf("got %+v after 10s; want state %q", m.Certificates()[0], state)
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	await("good")
	parsed, err := ocsp.ParseResponse(staple(), ca.cert)
	if err != nil || parsed.Status != ocsp.Good {
		t.Fatalf("got %+v, %v; want a good state stapled", parsed, err)
	}
	step := func(after time.Duration) {
		t.Helper()
		clock.Add(int64(after))
		m.staples(t.Context(), terms)
	}
	step(time.Hour)
	if len(r.asked) != 0 {
		t.Fatal("got a question after an hour of two days; want none")
	}
	r.down.Store(true)
	step(24 * time.Hour)
	if got := m.Certificates()[0]; staple() == nil || got.OCSP != "good" || got.LastError == "" || m.Counts().OCSPFailures != 1 {
		t.Fatalf("got %+v; want the old staple while it is good, and the error", got)
	}
	step(24 * time.Hour)
	if staple() != nil {
		t.Fatal("got a staple that has ended; want none")
	}
	r.down.Store(false)
	r.set(t, c, true)
	step(time.Hour)
	if got := m.Certificates()[0]; staple() != nil || got.OCSP != "revoked" {
		t.Fatalf("got %+v; want the revocation told, and nothing stapled", got)
	}
}

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
)

// freshServer reads document and certificate anew for each connection, as weir does after a change.
func freshServer(t *testing.T, l *lab, atMost int64, full func()) *target {
	t.Helper()
	w := &target{peer: peer{name: "weir"}, front: front{true, "h2"}}
	generation := regexp.MustCompile(`body: "(\d+)"`)
	var asked atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == atMost {
			full()
		}
		document, err := os.ReadFile(l.folder + "/document-weir/weir.yaml")
		if err != nil {
			http.Error(answer, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(answer, "%s", generation.FindSubmatch(document)[1])
	}))
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair := l.keyPair()
		certificate, err := tls.LoadX509KeyPair(pair.Certificate, pair.Key)
		return &certificate, err
	}}
	if err := l.writeCertificate(); err != nil {
		t.Fatal(err)
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	// The server of the test has a certificate of its own beside; without it GetCertificate is asked.
	server.TLS.Certificates = nil
	w.address = server.Listener.Addr().String()
	if _, err := l.writeDocument(w, 0); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestRewriteSeesDocumentsAndCertificates(t *testing.T) {
	l := &lab{folder: t.TempDir(), origin: "127.0.0.1:9"}
	ctx, stop := context.WithCancel(t.Context())
	w := freshServer(t, l, 4, stop)
	if seen := l.rewrite(ctx, w); seen.documents != 2 || seen.certificates != 2 || seen.err != nil {
		t.Fatalf("got %+v; want the 2 changes between 3 answers", seen)
	}
	document, err := os.ReadFile(l.folder + "/document-weir/weir.yaml")
	for _, want := range []string{
		`https: { address: "` + w.address + `", tls: true, protocols: [h2, http/1.1] }`,
		`certificates: [ { cert: "` + l.folder + `/tls/cert.pem", key: "` + l.folder + `/tls/key.pem" } ]`, "default: localhost",
	} {
		if err != nil || !strings.Contains(string(document), want) {
			t.Fatalf("got %v and\n%s\nwant %s", err, document, want)
		}
	}
}

func TestWhatIsSpokenIsChecked(t *testing.T) {
	l := &lab{folder: t.TempDir(), origin: "127.0.0.1:9"}
	w := freshServer(t, l, 0, func() {})
	answer, _, err := w.fetch(t.Context(), "/")
	if err != nil {
		t.Fatal(err)
	}
	f := func(spoken front, version uint16, suite uint16, isGood bool) {
		t.Helper()
		asIf := *answer
		asIf.TLS = &tls.ConnectionState{Version: version, CipherSuite: suite}
		if err := spoken.checkSpoken(&asIf); (err == nil) != isGood {
			t.Fatalf("%+v, version %#x, suite %#x: got %v; want good %t", spoken, version, suite, err, isGood)
		}
	}
	if err := w.front.checkSpoken(answer); err != nil {
		t.Fatal(err)
	}
	f(front{true, "h2"}, tls.VersionTLS13, tls.TLS_AES_128_GCM_SHA256, true)
	f(front{true, "h3"}, tls.VersionTLS13, tls.TLS_AES_128_GCM_SHA256, true)
	f(front{true, ""}, tls.VersionTLS13, tls.TLS_AES_128_GCM_SHA256, false)
	f(front{true, "h2"}, tls.VersionTLS12, tls.TLS_AES_128_GCM_SHA256, false)
	f(front{true, "h2"}, tls.VersionTLS13, tls.TLS_AES_256_GCM_SHA384, false)
}

const h2loadSaid = `starting benchmark...
spawning thread #0: 64 total client(s). Timing-based test with 0s of warm-up time and 1s of main duration for measurements.

finished in 1.00s, 16400.00 req/s, 16.80MB/s
requests: 17041 total, 17041 started, 16401 done, 16399 succeeded, 2 failed, 0 errored, 0 timeout
status codes: 16399 2xx, 0 3xx, 0 4xx, 2 5xx
traffic: 16.80MB (17613600) total, 112.80KB (115504) headers (space savings 95.00%), 16.02MB (16793600) data
                     min         max         mean         sd        +/- sd
time for request:     8.10ms     60.20ms     29.09ms      6.10ms    70.00%
time for connect:    40.10ms     90.20ms     60.10ms     10.10ms    60.00%
`

func TestParseH2load(t *testing.T) {
	f := func(said string, want sample, wantError string) {
		t.Helper()
		got, err := parseH2load(said)
		if wantError != "" {
			if err == nil || !strings.Contains(err.Error(), wantError) {
				t.Fatalf("got %v; want an error with %q", err, wantError)
			}
			return
		}
		if err != nil || got != want {
			t.Fatalf("got %+v, %v; want %+v", got, err, want)
		}
	}
	f(h2loadSaid, sample{Requests: 16399, Failures: 2, RequestsPerSecond: 16400, Mean: 29.09}, "")
	f("Could not connect to host", sample{}, "cannot find the requests")
	f(strings.Replace(h2loadSaid, "29.09ms", "soon", 1), sample{}, "cannot read the latency")
	f(strings.Replace(h2loadSaid, "16399 succeeded", "0 succeeded", 1), sample{}, "cannot find an answer")
}

package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"
)

const wrkSaid = `Running 2s test @ http://127.0.0.1:9000/size/1024
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     0.93ms    1.01ms  22.02ms   93.11%
    Req/Sec    75.01k     3.10k   80.00k    65.00%
  Latency Distribution
     50%  745.00us
     75%    1.05ms
     90%    1.60ms
     99%    1.02s
  149321 requests in 2.00s, 165.21MB read
`

func TestParseWrk(t *testing.T) {
	f := func(said string, want sample, wantError string) {
		t.Helper()
		got, err := parseWrk(said)
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
	want := sample{Requests: 149321, RequestsPerSecond: 74660.52, P50: 0.745, P99: 1020}
	f(wrkSaid+"Requests/sec:  74660.52\n", want, "")
	want.Failures = 12 + 1 + 2 + 3 + 4
	f(wrkSaid+"  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 12\nRequests/sec:  74660.52\n", want, "")
	f(wrkSaid, sample{}, "cannot find the requests")
	f("unable to connect to 127.0.0.1:1 Connection refused", sample{}, "cannot find a latency")
	f("   50%    soon\n   99%    later\n", sample{}, "cannot read the latency")
}

func TestMissingHeaders(t *testing.T) {
	f := func(echo, want string) {
		t.Helper()
		missing, err := missingHeaders([]byte(echo))
		if got := strings.Join(missing, " "); err != nil || got != want {
			t.Fatalf("%s: got %q, %v; want %q", echo, got, err, want)
		}
	}
	f(`{"headers":[["x-forwarded-for","1"],["X-Forwarded-Proto","1"],["X-Forwarded-Host","1"],["Via","1"],["X-Request-ID","1"]]}`, "")
	f(`{"headers":[["X-Forwarded-For","1"],["X-Forwarded-Proto","1"],["X-Forwarded-Host","1"],["Via",""]]}`, "Via X-Request-Id")
	if _, err := missingHeaders([]byte("<html>")); err == nil {
		t.Fatal("got no error for what is not an echo; want one")
	}
}

func TestFindVersion(t *testing.T) {
	f := func(said, want string) {
		t.Helper()
		if got := findVersion(said); got != want {
			t.Fatalf("findVersion(%q): got %q; want %q", said, got, want)
		}
	}
	f("nginx version: nginx/1.22.1\n", "1.22.1")
	f("HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/", "2.6.12-1+deb12u4")
	f("v2.11.9 h1:abc=", "v2.11.9")
	f("unknown", "")
}

func TestProcessorName(t *testing.T) {
	if got := processorName([]byte("processor\t: 0\nmodel name\t: A Processor: 3 GHz\n")); got != "A Processor: 3 GHz" {
		t.Fatalf("got %q; want the model's name", got)
	}
}

// Every template takes every setting that it names, and what it renders holds them.
func TestTemplates(t *testing.T) {
	f := func(name string, values setting, wants ...string) {
		t.Helper()
		form, err := template.ParseFS(rivals, "rivals/"+peers()[name].template)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := form.Execute(&b, values); err != nil {
			t.Fatal(err)
		}
		for _, want := range append(wants, "X-Request-Id", "127.0.0.1:2") {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: got a configuration without %q; want it", name, want)
			}
		}
	}
	plain := setting{Folder: "/f", Log: "/f/l", Memory: "/m", Listen: "127.0.0.1:1", Upstream: "127.0.0.1:2", UpstreamHost: "127.0.0.1", UpstreamPort: "2"}
	secure := plain
	secure.TLS, secure.Port, secure.H2 = &keyPair{"/f/c", "/f/k", "/f/b"}, "1", true
	f("nginx", plain, "listen 127.0.0.1:1 backlog", "proxy_cache_path /m/")
	f("varnish", plain, `.host = "127.0.0.1"`, `.port = "2"`)
	f("nginx", secure, "listen 127.0.0.1:1 ssl http2 backlog", "/f/c", "/f/k", "TLSv1.3")
	f("haproxy", plain, "bind 127.0.0.1:1 backlog 4096\n", "Proto http\n")
	f("haproxy", secure, "ssl crt /f/b", "alpn h2,http/1.1\n", "Proto https\n")
	f("caddy", plain, "http://127.0.0.1:1 {", "protocols h1\n")
	f("caddy", secure, "https://localhost:1 {", "protocols h1 h2\n", "tls /f/c /f/k")
}

func TestDocumentIsReplacedInOneStep(t *testing.T) {
	l := &lab{folder: t.TempDir(), origin: "127.0.0.1:9"}
	for generation := range 2 {
		path, err := l.writeDocument(&target{address: "127.0.0.1:8"}, generation)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if want := `body: "` + string(rune('0'+generation)); err != nil || !strings.Contains(string(text), want) {
			t.Fatalf("got %q, %v; want %q in it", text, err, want)
		}
	}
	left, err := filepath.Glob(filepath.Join(l.folder, "*", "*"))
	if err != nil || len(left) != 1 {
		t.Fatalf("got %q, %v; want the document alone", left, err)
	}
}

func TestOrder(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		_, err := parseOrder(args, io.Discard)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Fatalf("%q: got %v; want %s", args, err, want)
		}
	}
	f(`cannot find scenario "2kb": there are 1kb, 16kb`, "-scenario", "1kb,2kb")
	f(`cannot find program "iis"`, "-only", "weir,iis")
	f(`cannot measure 0 rounds of 4 seconds`, "-rounds", "0")
	f(`cannot use argument "1kb"`, "1kb")
	o, err := parseOrder([]string{"-scenario", "tail,1kb"}, io.Discard)
	if err != nil || len(o.scenarios) != 2 || o.scenarios[0].name != "tail" || !slices.Contains(o.only, "caddy") {
		t.Fatalf("got %+v, %v; want tail and 1kb of all programs", o, err)
	}
}

// A started process is stopped by its id, also when it does not want to, together with what it started.
func TestStopEndsTheWholeFamily(t *testing.T) {
	f := func(script string, grace time.Duration) {
		t.Helper()
		read, write := io.Pipe()
		p, err := startProcess(t.TempDir(), "sh", nil, []string{"sh", "-c", script}, write)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readAnnouncement(read); err != nil {
			t.Fatal(err)
		}
		p.grace = grace
		p.stop()
		if !p.hasEnded() {
			t.Fatalf("%s: got a living process; want it ended", script)
		}
	}
	f("echo listening on x; exec sleep 100", time.Minute)
	f("trap '' TERM; echo listening on x; while true; do sleep 1; done", 50*time.Millisecond)
}

func TestLastWords(t *testing.T) {
	f := func(script, want string) {
		t.Helper()
		p, err := startProcess(t.TempDir(), "sh", nil, []string{"sh", "-c", script}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer p.stop()
		<-p.ended
		if got := p.lastWords(); got != want {
			t.Fatalf("%s: got %q; want %q", script, got, want)
		}
	}
	f("echo no such file >&2", "no such file")
	f("true", "")
	f("echo first; for i in $(seq 1000); do printf xxxxxxxxxx; done; echo; echo last",
		"first\n"+strings.Repeat("x", 294)+" … "+strings.Repeat("x", 294)+"\nlast")
}

func TestRunLeavesNothingBehindWhenItCannotStart(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := run(ctx, []string{"-scenario", "1kb"}, io.Discard, io.Discard); err == nil {
		t.Fatal("got no error from a run that was cancelled; want one")
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) != 0 {
		t.Fatalf("got %v, %v; want an empty folder", left, err)
	}
}

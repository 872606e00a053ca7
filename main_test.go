package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if flags := os.Getenv(asGateway); flags != "" {
		os.Exit(beGateway(flags))
	}
	// fasthttp's cleaner of idle workers wakes every 10 s and only then sees
	// that its pool has ended.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		// Its compressors and its clock belong to the process.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp/stackless.funcWorker"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		// What rueidis does about a Cluster some seconds later ends by itself, after Close too.
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func1"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"))
}

// output takes what a program says, from any goroutine.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	said chan struct{} // something was written
}

func newOutput() *output { return &output{said: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.said <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// until waits for a text that the expression finds and returns its groups.
func (o *output) until(t *testing.T, expression string) []string {
	t.Helper()
	re := regexp.MustCompile(expression)
	late := time.After(5 * time.Second)
	for {
		if found := re.FindStringSubmatch(o.String()); found != nil {
			return found
		}
		select {
		case <-o.said:
		case <-late:
			t.Fatalf("got %q; want %s", o, expression)
		}
	}
}

// weir runs the program to its end.
func weir(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, errs := newOutput(), newOutput()
	code = run(ctx, args, environ, out, errs)
	if ctx.Err() != nil {
		t.Fatalf("weir %q: did not end by itself\n%s", args, errs)
	}
	return code, out.String(), errs.String()
}

func TestVersionAndSchema(t *testing.T) {
	if code, out, errs := weir(t, nil, "-version"); code != 0 || out != "weir "+version+"\n" || errs != "" {
		t.Errorf("-version: got %d %q %q; want 0 and the version", code, out, errs)
	}
	code, out, errs := weir(t, nil, "-schema")
	var schema map[string]any
	if err := json.Unmarshal([]byte(out), &schema); code != 0 || err != nil || errs != "" {
		t.Fatalf("-schema: got %d, %v, %q; want 0 and JSON", code, err, errs)
	}
	if schema["properties"] == nil {
		t.Errorf("-schema: got no properties; want those of a document")
	}
}

func TestECHKey(t *testing.T) {
	code, out, errs := weir(t, nil, "-echKey", "cover.example.org")
	if code != 0 || errs != "" || !strings.Contains(out, "# HTTPS record: ech=A") || !strings.Contains(out, "-----BEGIN ECHCONFIG-----") {
		t.Errorf("-echKey: got %d %q %q; want 0, the key and what the record needs", code, out, errs)
	}
	if code, _, errs := weir(t, nil, "-echKey", strings.Repeat("x", 300)); code != 2 || !strings.Contains(errs, "cannot make an ECH key") {
		t.Errorf("-echKey with a long name: got %d %q; want 2, and why", code, errs)
	}
}

func TestHelp(t *testing.T) {
	code, out, errs := weir(t, nil, "-help")
	if code != 0 || errs != "" {
		t.Fatalf("-help: got %d %q; want 0 and nothing on stderr", code, errs)
	}
	const file = "testdata/help.golden"
	if os.Getenv("WEIR_GOLDEN") == "1" {
		if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || out != string(want) {
		t.Errorf("-help differs from %s (%v); look at it and renew with WEIR_GOLDEN=1 go test .\n%s", file, err, out)
	}
	for _, line := range strings.Split(out, "\n") {
		if len(line) > 80 {
			t.Errorf("-help: line %q is longer than 80 characters", line)
		}
	}
}

// file writes a file of the test and returns its path.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheck(t *testing.T) {
	good := file(t, "good.yaml", "apis: { a: { routes: [ { path: /, answer: {} } ] } }\n")
	if code, out, errs := weir(t, nil, "-check", "-config", good); code != 0 || out != "the flags and the document are good\n" || errs != "" {
		t.Errorf("got %d %q %q; want 0 and that all is good", code, out, errs)
	}
	bad := file(t, "bad.yaml", "apis:\n  a:\n    routes:\n      - { path: /, answer: {}, retyr: true }\n      - { path: x, upstream: nowhere }\nlisteners: { main: {} }\n")
	code, out, errs := weir(t, nil, "-check", "-config", bad)
	if code != 1 || out != "" {
		t.Errorf("got %d %q; want 1 and nothing on stdout", code, out)
	}
	for _, want := range []string{
		bad + `:4:32: .*retyr.*did you mean "retry"`, bad + `:5:17: .*path`, bad + `:5:30: .*nowhere`, bad + `:6:14: .*address`,
	} {
		if !regexp.MustCompile(`(?m)^` + want).MatchString(errs) {
			t.Errorf("got\n%s; want a line like %s", errs, want)
		}
	}
	if lines := strings.Count(errs, "\n"); lines != 4 {
		t.Errorf("got %d lines; want 4\n%s", lines, errs)
	}
}

func TestBadUsage(t *testing.T) {
	f := func(code int, want string, environ []string, args ...string) {
		t.Helper()
		got, out, errs := weir(t, environ, args...)
		if got != code || out != "" || !regexp.MustCompile(want).MatchString(errs) {
			t.Errorf("weir %q with %q: got %d %q %q; want %d and %s", args, environ, got, out, errs, code, want)
		}
	}
	env := func(entries ...string) []string { return entries }

	f(2, `no flag -lisen; did you mean -listen\?`, nil, "-lisen", ":1")
	f(2, `no flag -zzzzzzzz; see weir -help`, nil, "-zzzzzzzz")
	f(2, `"serve" is not a flag`, nil, "serve")
	f(2, `flag -drain.timeout: parse error`, nil, "-drain.timeout", "5")
	f(2, `flag needs an argument: -config`, nil, "-config")
	f(2, `WEIR_LISEN.*did you mean WEIR_LISTEN\?`, env("WEIR_LISEN=:1"), "-check")
	f(2, `WEIR_SHARDS="many".*`, env("WEIR_SHARDS=many"), "-check")
	f(2, `WEIR_A(.|\n)*WEIR_B`, env("WEIR_A=1", "WEIR_B=2"), "-check")

	f(2, `-shards is -1; it must be 0 or more`, nil, "-shards", "-1")
	f(2, `-shards is 1025`, nil, "-shards", "1025")
	f(2, `-listen.maxHead is 5; it must be from 1024`, nil, "-listen.maxHead", "5")
	f(2, `-listen.maxBody is -2`, nil, "-listen.maxBody", "-2")
	f(2, `-drain.timeout is -1s`, nil, "-drain.timeout", "-1s")
	f(2, `-shards(.|\n)*-upstream.idle`, nil, "-shards", "-1", "-upstream.idle", "-1s")
	f(2, `-control "0.0.0.0:1" can be reached from other machines; set -control.token`, nil, "-control", "0.0.0.0:1")
	f(2, `-control ":1" can be reached`, nil, "-control", ":1")
	f(2, `-control is "here"; write host:port or off`, nil, "-control", "here")
	f(2, `-listen is "bogus": the port is missing`, nil, "-listen", "bogus")
	f(2, `-listen is ":99999": "99999" is not a port`, nil, "-listen", ":99999", "-check")
	f(2, `-listen is "unix:": a socket needs an absolute path`, nil, "-listen", "unix:")
	f(2, `-upstream.headerLimit is -1`, nil, "-upstream.headerLimit", "-1")
	f(2, `-upstream.readBuffer is -1`, nil, "-upstream.readBuffer", "-1")
	f(2, `-forward.via is "a, b"; it must be a name without spaces`, nil, "-forward.via", "a, b")
	f(2, `-config and -upstream exclude each other`, nil, "-config", "a", "-upstream", "http://b")
	f(2, `-config is empty`, nil, "-config", "")
	f(2, `-upstream is empty`, nil, "-upstream", "", "-check")

	f(1, `log format "bogus"`, nil, "-log.format", "bogus")
	f(1, `unknown scheme "ftp"`, nil, "-upstream", "ftp://x")
	f(1, `cannot listen on "192.0.2.1:1": this machine does not have the address`, nil, "-listen", "192.0.2.1:1", "-control", "off")
	f(1, `cannot read -control.token: .*no such file`, nil, "-listen", "127.0.0.1:0", "-control", "127.0.0.1:0", "-control.token", "file:/nonexistent")
}

func TestDocumentThatCannotBeRead(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		for _, args := range [][]string{{"-check", "-config", path}, {"-config", path, "-listen", "127.0.0.1:0", "-control", "off"}} {
			if code, _, errs := weir(t, nil, args...); code != 1 || !regexp.MustCompile(want).MatchString(errs) {
				t.Errorf("weir %q: got %d %q; want 1 and %s", args, code, errs, want)
			}
		}
	}
	f("/nonexistent/weir.yaml", `cannot read document "/nonexistent/weir.yaml".*no such file`)
	f(t.TempDir(), `is a directory`)
	f(file(t, "empty.yaml", ""), `empty.yaml:1:1: the document is empty`)
	f(file(t, "huge.yaml", strings.Repeat("#", 50<<20)), `larger than 16\s?MiB`)
}

// program is weir while it runs.
type program struct {
	stdout, stderr *output
	cancel         context.CancelFunc
	ended          chan int
}

func start(t *testing.T, environ []string, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{stdout: newOutput(), stderr: newOutput(), cancel: cancel, ended: make(chan int, 1)}
	go func() { p.ended <- run(ctx, args, environ, p.stdout, p.stderr) }()
	return p
}

func (p *program) stop(t *testing.T) {
	t.Helper()
	p.cancel()
	select {
	case code := <-p.ended:
		if code != 0 {
			t.Errorf("got exit status %d; want 0\n%s", code, p.stderr)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("the program did not end\n%s", p.stderr)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestDemo(t *testing.T) {
	p := start(t, []string{"PATH=/bin"}, "-listen", "127.0.0.1:0", "-control", "127.0.0.1:0", "-log.output", "off")
	defer p.stop(t)
	at := "http://" + p.stderr.until(t, `weir listens on (\S+) \(main\)`)[1]
	control := p.stderr.until(t, `control is on (http://\S+)`)[1]
	p.stderr.until(t, `built-in demo`)
	f := func(url string, status int, want string) {
		t.Helper()
		if got, body := get(t, url); got != status || !strings.Contains(body, want) {
			t.Errorf("%s: got %d %q; want %d and %q", url, got, body, status, want)
		}
	}
	f(at+"/", 200, "This is weir")
	f(at+"/health", 200, `{"ok":true}`)
	f(at+"/hello/you", 200, `"target": "/echo/hello/you"`)
	f(at+"/echo/a/b?c=d", 200, `"target": "/echo/a/b?c=d"`)
	f(at+"/nowhere", 404, "urn:weir:problem:no_route")
	f(control+"/readyz", 200, "ready")
	f(control+"/metrics", 200, "weir_requests_total")
}

func TestUpstreamDoor(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(ln)
	}()
	defer func() {
		_ = server.Close()
		<-served
	}()
	p := start(t, []string{"WEIR_UPSTREAM=http://" + ln.Addr().String(), "WEIR_LISTEN=127.0.0.1:0", "WEIR_CONTROL=off", "WEIR_LOG_OUTPUT=off"})
	defer p.stop(t)
	at := "http://" + p.stderr.until(t, `weir listens on (\S+) \(main\)`)[1]
	if status, body := get(t, at+"/any/path"); status != 200 || body != "/any/path" {
		t.Errorf("got %d %q; want 200 from the upstream", status, body)
	}
}

func TestCommandLineWinsOverEnvironment(t *testing.T) {
	// The address of the environment cannot be listened on.
	p := start(t, []string{"WEIR_LISTEN=192.0.2.1:1", "WEIR_LOG_OUTPUT=off"}, "-listen", "127.0.0.1:0", "-control", "off")
	defer p.stop(t)
	p.stderr.until(t, `weir listens on 127.0.0.1:\d+`)
}

func TestPortInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	f := func(want string, args ...string) {
		t.Helper()
		if code, _, errs := weir(t, nil, args...); code != 1 || !strings.Contains(errs, want) {
			t.Errorf("weir %q: got %d %q; want 1 and %q", args, code, errs, want)
		}
	}
	address := ln.Addr().String()
	const inUse = "the address is in use by another process; stop that one or choose another address"
	f(`cannot listen on "`+address+`": `+inUse, "-listen", address, "-control", "off")
	f(`cannot listen on "`+address+`" for control: `+inUse, "-listen", "127.0.0.1:0", "-control", address)
}

func TestExplain(t *testing.T) {
	doc := file(t, "weir.yaml", "apis: { a: { routes: [ { path: \"/x/{id}\", methods: [PUT], answer: { status: 201 } } ] } }\n")
	f := func(code int, wantOut, wantErr, text string) {
		t.Helper()
		got, out, errs := weir(t, nil, "-config", doc, "-explain", text)
		if got != code || !strings.Contains(out, wantOut) || !strings.Contains(errs, wantErr) {
			t.Errorf("%s: got %d %q %q; want %d, %q and %q", text, got, out, errs, code, wantOut, wantErr)
		}
	}
	f(0, `"status": 201`, "", "PUT http://example.org/x/1")
	f(0, `"cause": "no_method"`, "", "http://example.org/x/1")
	f(0, `"status": 201`, "", `{"method": "PUT", "url": "http://example.org/x/1"}`)
	f(1, "", "write it whole", "/x/1")
}

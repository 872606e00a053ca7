package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

func goodFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/good/*.[yj]*")
	if err != nil || len(files) < 5 {
		t.Fatalf("got %d good documents, %v; want at least 5", len(files), err)
	}
	return files
}

// forget takes away what a document knows about its text.
func forget(d *Document) *Document {
	bare := *d
	bare.file, bare.root = "", nil
	return &bare
}

// TestGood loads each good document, writes it as JSON and parses that: nothing
// may be lost. None of them holds a secret.
func TestGood(t *testing.T) {
	for _, file := range goodFiles(t) {
		doc, err := Load(file)
		if err != nil {
			t.Errorf("got mistakes\n%v\nwant none", err)
			continue
		}
		text, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("again.json", text)
		if err != nil {
			// The paths of files are resolved already, so the directory must be ours.
			t.Errorf("%s: got mistakes\n%v\nin %s; want none", file, err, text)
			continue
		}
		if !reflect.DeepEqual(forget(doc), forget(again)) {
			t.Errorf("%s: got %+v after a round trip; want %+v", file, forget(again), forget(doc))
		}
	}
}

func TestParseFillsDefaults(t *testing.T) {
	doc, err := Load("testdata/good/whole.yaml")
	if err != nil {
		t.Fatal(err)
	}
	routes := doc.APIs["site"].Routes
	login, root, plain := routes[6], routes[0], routes[4]
	if plain.Retry == nil || !*plain.Retry || !reflect.DeepEqual(plain.Upgrade, []string{"websocket"}) {
		t.Errorf("got retry %v, upgrade %q; want true, websocket", plain.Retry, plain.Upgrade)
	}
	if login.Redirect.Status != 308 || login.Retry != nil || login.Upgrade != nil {
		t.Errorf("got %+v, retry %v, upgrade %q; want 308, and nothing that needs an upstream", login.Redirect, login.Retry, login.Upgrade)
	}
	if got := routes[2].Upgrade; got == nil || len(got) != 0 {
		t.Errorf("got upgrade %#v for an empty list; want it empty", got)
	}
	if root.Answer.Body != "hello\n" || *routes[1].Retry || routes[1].AccessLog == nil || *routes[1].AccessLog {
		t.Errorf("got %+v and %+v; want what the document says", root, routes[1])
	}
	if routes[1].MaxBody != 10<<20 || routes[2].MaxBody != Unlimited || routes[3].MaxBody != Unlimited {
		t.Errorf("got bodies up to %s, %s, %s; want 10MiB, none, none", routes[1].MaxBody, routes[2].MaxBody, routes[3].MaxBody)
	}
	want := Timeouts{
		Connect: Duration(time.Second), FirstByte: Duration(90 * time.Second), Idle: Duration(250 * time.Millisecond),
		TunnelIdle: Duration(time.Hour), TunnelTotal: Duration(24 * time.Hour),
	}
	if routes[1].Timeouts != want {
		t.Errorf("got timeouts %+v; want %+v", routes[1].Timeouts, want)
	}
	if got := routes[5].Redirect.Status; got != 301 {
		t.Errorf("got status %d; want 301", got)
	}
	if got := doc.Upstreams["web-blue"].Balance; got != "roundRobin" {
		t.Errorf("got balance %q; want roundRobin", got)
	}
	if got := doc.Upstreams["web"].TLS.CA; got != "testdata/good/ca.pem" {
		t.Errorf("got ca %q; want it relative to the document", got)
	}
	if got := doc.APIs["other"].Stages; !reflect.DeepEqual(got, map[string]Stage{"$default": {}}) {
		t.Errorf("got stages %v; want $default", got)
	}
	if got := fmt.Sprint(doc.TrustedProxies); got != "[10.0.0.0/8 192.0.2.1/32 fd00::/8 ::1/128]" {
		t.Errorf("got trusted proxies %s", got)
	}
}

func TestMergeKeys(t *testing.T) {
	doc, err := Load("testdata/good/anchors.yaml")
	if err != nil {
		t.Fatal(err)
	}
	slow, both := doc.Upstreams["slow"], doc.Upstreams["both"]
	if slow.MaxIdle != 4 || slow.Targets[0] != "http://10.0.0.1:8080" || slow.Timeouts.Total != Duration(time.Hour) {
		t.Errorf("got %+v; want what is merged and what is written", slow)
	}
	// What is written wins, then the first of the merged mappings.
	if both.MaxIdle != 9 || both.Targets[0] != "http://10.0.0.2:8080" {
		t.Errorf("got %+v; want maxIdle 9 and its own target", both)
	}
}

// TestMergeOfItself would not end if a merge could reach itself.
func TestMergeOfItself(t *testing.T) {
	_, err := Parse("weir.yaml", []byte("upstreams: &u { <<: *u, web: &w { <<: [*w, *w, *w], targets: [\"http://a\"] } }"))
	if err != nil {
		t.Fatalf("got %v; want no mistakes", err)
	}
}

// TestAliasBomb would unfold a few kilobytes into a hundred million values and not
// end in this machine's memory.
func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("x: &headers {")
	for i := range 100 {
		fmt.Fprintf(&b, " H%d: v,", i)
	}
	b.WriteString("}\ny: &route { path: /, answer: { headers: *headers } }\n")
	b.WriteString("z: &api { routes: [" + strings.Repeat("*route, ", 1000) + "] }\napis:\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "  a%d: *api\n", i)
	}
	_, err := Parse("weir.yaml", []byte(b.String()))
	if err == nil || !strings.Contains(err.Error(), "aliases repeat more than 200000 values") {
		t.Fatalf("got %.300v; want the aliases refused", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	f := func(name string, content []byte, want string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if content != nil {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Load(path)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Load(%q): got %v; want an error with %q", name, err, want)
		}
	}
	f("absent.yaml", nil, "no such file")
	f("empty.yaml", []byte{}, "empty.yaml:1:1: the document is empty")
	f("spaces.yaml", []byte(" \n\n"), "the document is empty")
	f("null.yaml", []byte("null\n"), "the document is empty")
	f("marks.yaml", []byte("---\n...\n"), "the document is empty")
	f("text.yaml", []byte("hello"), `text.yaml:1:1: expected a mapping, found the text "hello"`)
	f("latin1.yaml", []byte("apis: {}\n# caf\xe9\n"), "latin1.yaml:2:6: the document is not UTF-8")
	f("utf16.yaml", []byte("\xff\xfea\x00"), "the document is not UTF-8")
	f("zero.yaml", []byte("apis: {}\n\x00"), "not valid YAML: control characters are not allowed")
	f("two.yaml", []byte("apis: {}\n---\napis: {}\n"), "two.yaml:2:1: a second YAML document begins here")
	f("broken-second.yaml", []byte("apis: {}\n---\n}\n"), "not valid YAML")
	f("cut.json", []byte(`{"apis": {`), "not valid YAML")
	f(".", nil, "it is a directory")

	_, err := Load(filepath.Join(dir, "absent.yaml"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v; want an error that is fs.ErrNotExist", err)
	}
	if os.Getuid() != 0 {
		path := filepath.Join(dir, "secret.yaml")
		if err := os.WriteFile(path, []byte("apis: {}"), 0); err != nil {
			t.Fatal(err)
		}
		f("secret.yaml", nil, "permission denied")
	}
}

// TestLoadLarge shows that a file beyond the limit is refused without being read:
// it is sparse, and its bytes would not even be text.
func TestLoadLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 50<<20); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Load(path)
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "larger than 16MiB") {
		t.Fatalf("got %v; want a document that is too large", err)
	}
	if read := after.TotalAlloc - before.TotalAlloc; read > 1<<20 {
		t.Fatalf("got %d bytes allocated; want the file left unread", read)
	}
	if _, err := Parse("large.yaml", make([]byte, maxDocumentBytes+1)); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Fatalf("Parse: got %v; want a document that is too large", err)
	}
}

// manyRoutes writes a document with n routes, on n upstreams.
func manyRoutes(n int, route string) []byte {
	var b bytes.Buffer
	b.WriteString("apis:\n  site:\n    routes:\n")
	for i := range n {
		fmt.Fprintf(&b, "      - { path: \"/"+route+"\", methods: [GET, POST], upstream: u%d, timeouts: { total: 5s } }\n", i, i)
	}
	b.WriteString("upstreams:\n")
	for i := range n {
		fmt.Fprintf(&b, "  u%d: { targets: [\"http://10.0.0.1:80\"] }\n", i)
	}
	return b.Bytes()
}

// TestParseManyRoutes compares ten times the routes with ten times the time, so
// that nothing that grows with the square of the routes comes in.
func TestParseManyRoutes(t *testing.T) {
	measure := func(n, times int, route string) time.Duration {
		text := manyRoutes(n, route)
		best := time.Hour
		for range times {
			start := time.Now()
			_, err := Parse("weir.yaml", text)
			best = min(best, time.Since(start))
			if wantMistakes := strings.HasPrefix(route, "same"); (err != nil) != wantMistakes {
				t.Fatalf("%d routes /%s: got error %.200v", n, route, err)
			}
		}
		return best
	}
	for _, route := range []string{"route-%d/{id}", "same/{p%d}"} {
		few, many := measure(500, 2, route), measure(5000, 1, route)
		t.Logf("/%s: 500 routes in %s, 5,000 in %s", route, few, many)
		// A square would be 100 times; a busy machine may make 10 look like 30.
		if many > 40*few && many > 500*time.Millisecond {
			t.Errorf("/%s: got %s for 5,000 routes and %s for 500; want it linear", route, many, few)
		}
	}
}

func TestMistakesAreBounded(t *testing.T) {
	var b bytes.Buffer
	for i := range 5000 {
		fmt.Fprintf(&b, "key%d: 1\n", i)
	}
	_, err := Parse("weir.yaml", b.Bytes())
	var mistakes *Mistakes
	if !errors.As(err, &mistakes) || len(mistakes.List) != maxMistakes || mistakes.Omitted != 4000 {
		t.Fatalf("got %.200v; want %d mistakes and 4000 omitted", err, maxMistakes)
	}
	if text := err.Error(); !strings.HasSuffix(text, "\nand 4000 more mistakes") {
		t.Fatalf("got an end of %q", text[len(text)-50:])
	}
}

func BenchmarkParse(b *testing.B) {
	for _, n := range []int{10, 10000} {
		text := manyRoutes(n, "route-%d/{id}")
		b.Run(fmt.Sprintf("routes-%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := Parse("weir.yaml", text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

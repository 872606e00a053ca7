package h2

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"weir/proxy/exchange"
)

// TestConformance runs h2spec, which tools/setup.sh builds, in its strict mode:
// against answers that wait for the body of their request, and against those
// that are there before the client has broken the rules it is about to break.
func TestConformance(t *testing.T) {
	program := findSpec(t)
	f := func(name string, handler func(*exchange.Exchange)) {
		s := serve(t, handle(handler), nil)
		host, port, err := net.SplitHostPort(s.address)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"generic", "http2", "hpack"} {
			t.Run(name+"/"+part, func(t *testing.T) {
				t.Parallel()
				out, err := exec.Command(program, "-S", "-h", host, "-p", port, "-o", "2", part).CombinedOutput()
				if err != nil || !regexp.MustCompile(`\d+ tests, \d+ passed, 0 skipped, 0 failed`).Match(out) {
					_, failures, _ := strings.Cut(string(out), "Failures:")
					t.Fatalf("h2spec %s: %v\n%s", part, err, failures)
				}
				t.Log(string(regexp.MustCompile(`\d+ tests.*`).Find(out)))
			})
		}
	}
	f("early", answer("hello"))
	f("late", func(x *exchange.Exchange) {
		if x.RequestBody != nil {
			_, _ = io.Copy(io.Discard, x.RequestBody)
		}
		answer("hello")(x)
	})
}

func findSpec(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("h2spec"); err == nil {
		return path
	}
	path, _ := filepath.Abs("../../.cache/bin/h2spec")
	if _, err := os.Stat(path); err != nil {
		t.Fatal("no h2spec; tools/setup.sh h2spec builds it")
	}
	return path
}

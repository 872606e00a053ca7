package h2

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"weir/proxy/exchange"
)

// TestConformance runs h2spec, which tools/setup.sh builds, in its strict mode.
func TestConformance(t *testing.T) {
	program := findSpec(t)
	s := serve(t, handle(func(x *exchange.Exchange) {
		// It asks for bodies to be refused in time, so they are read.
		if x.RequestBody != nil {
			buf := make([]byte, 4<<10)
			for {
				if _, err := x.RequestBody.Read(buf); err != nil {
					break
				}
			}
		}
		answer("hello")(x)
	}), nil)
	host, port, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"generic", "http2", "hpack"} {
		t.Run(part, func(t *testing.T) {
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

func findSpec(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("h2spec"); err == nil {
		return path
	}
	path, _ := filepath.Abs("../../.cache/bin/h2spec")
	if _, err := os.Stat(path); err != nil {
		t.Skip("no h2spec; tools/setup.sh h2spec builds it")
	}
	return path
}

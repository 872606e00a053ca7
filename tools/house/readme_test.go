package house

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReadme runs every command line of README.md: make targets as a dry run,
// weir as a built binary on free ports, and curl against the demo.
func TestReadme(t *testing.T) {
	t.Parallel()
	wanted := map[string]string{ // a part of what each curl must print
		"curl -i http://localhost:8080/":                    "This is weir",
		"curl -i http://localhost:8080/hello/you":           "/echo/hello/you",
		"curl -i 'http://localhost:8080/echo/a/b?c=d'":      "/echo/a/b?c=d",
		"curl -i -d 'some text' http://localhost:8080/echo": "some text",
		"curl -i http://localhost:8080/nowhere":             "urn:weir:problem:no_route",
		"curl http://localhost:8081/metrics":                "weir_requests_total",
		"curl http://localhost:8081/upstreams":              `"target"`,
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	lines := commandLines(string(text))
	if len(lines) < 10 {
		t.Fatalf("got %d command lines; want all of README.md", len(lines))
	}
	binary := filepath.Join(t.TempDir(), "weir")
	if out, err := command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("cannot build weir: %v\n%s", err, out)
	}
	demo := startWeir(t, binary)
	for _, line := range lines {
		program, rest, _ := strings.Cut(line, " ")
		switch program {
		case "make":
			if out, err := command("make", "-n", rest).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", line, err, out)
			}
		case "weir":
			runWeir(t, binary, strings.Fields(rest))
		case "curl":
			local := strings.NewReplacer("localhost:8080", demo.main, "localhost:8081", demo.control).Replace(line)
			out, err := command("sh", "-c", local+" -sS --max-time 10").CombinedOutput()
			if want, known := wanted[line]; err != nil || !known || !strings.Contains(string(out), want) {
				t.Errorf("%s: got %v\n%s\nwant %q", line, err, out, want)
			}
		default:
			t.Errorf("%s: this test does not know how to run it", line)
		}
	}
}

// commandLines returns the lines of the fenced blocks marked sh.
func commandLines(text string) []string {
	var lines []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(text, -1) {
		lines = append(lines, strings.Split(strings.TrimSpace(block[1]), "\n")...)
	}
	return lines
}

func command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = root
	return cmd
}

// served is a running weir: where it listens.
type served struct{ main, control string }

// startWeir starts the binary on free ports, waits until it has said where it
// listens, and ends it with the test; it must drain and exit with 0.
func startWeir(t *testing.T, binary string, args ...string) served {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "WEIR_LISTEN=127.0.0.1:0", "WEIR_CONTROL=127.0.0.1:0", "WEIR_LOG_OUTPUT=off", "WEIR_DRAIN_TIMEOUT=1s", "WEIR_DATA="+t.TempDir())
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer cancel()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("weir %s: %v", strings.Join(args, " "), err)
		}
	})
	var s served
	var said strings.Builder
	for in := bufio.NewScanner(stderr); in.Scan(); {
		said.WriteString(in.Text() + "\n")
		if rest, found := strings.CutPrefix(in.Text(), "weir listens on "); found {
			s.main, _, _ = strings.Cut(rest, " ")
		}
		if rest, found := strings.CutPrefix(in.Text(), "control is on http://"); found {
			s.control = rest
			return s
		}
	}
	t.Fatalf("weir %s does not say where it listens:\n%s", strings.Join(args, " "), said.String())
	return s
}

// runWeir runs a command line that either ends by itself or serves.
func runWeir(t *testing.T, binary string, args []string) {
	t.Helper()
	for _, arg := range args {
		switch arg {
		case "-check", "-explain", "-help", "-version", "-schema":
			if out, err := command(binary, args...).CombinedOutput(); err != nil || len(out) == 0 {
				t.Errorf("weir %s: %v\n%s", strings.Join(args, " "), err, out)
			}
			return
		}
	}
	startWeir(t, binary, args...)
}

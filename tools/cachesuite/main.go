// Cachesuite runs the public suite of HTTP caches (npm http-cache-tests) against weir:
//
//	go run ./tools/cachesuite                  a table of how many pass, and each required one that does not
//	go run ./tools/cachesuite -all             every test with its outcome
//	go run ./tools/cachesuite -id vary-match   what one test saw
//
// The suite's origin and weir listen on loopback only. Exit status 1 says that a required test fails, or that fewer
// optional ones pass than -optimal asks for.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "cachesuite:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("cachesuite", flag.ContinueOnError)
	flags.SetOutput(stderr)
	weir := flags.String("weir", "", "Binary of weir. Empty builds the one of this checkout.")
	all := flags.Bool("all", false, "Tell the outcome of every test.")
	id := flags.String("id", "", "Run one test, and tell what it saw.")
	optimal := flags.Int("optimal", 75, "How many optional tests have to pass.")
	if err := flags.Parse(args); err != nil {
		return err
	}
	said, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("cannot find the module: %w", err)
	}
	folder, err := os.MkdirTemp("", "weir-cachesuite-")
	if err != nil {
		return fmt.Errorf("cannot make a scratch folder: %w", err)
	}
	defer os.RemoveAll(folder)
	stderr = &oneByOne{w: stderr}
	s := stage{suite: filepath.Join(strings.TrimSpace(string(said)), "tools", "cachesuite", "suite"), folder: folder, weir: *weir, stderr: stderr}
	defer s.close()
	if err := s.open(ctx); err != nil {
		return err
	}
	results, err := s.ask(ctx, *id)
	if err != nil {
		return err
	}
	if *id != "" {
		_, err := stdout.Write(results)
		return err
	}
	verdicts, err := s.judge(ctx, results)
	if err != nil {
		return err
	}
	return tell(stdout, verdicts, *all, *optimal)
}

// standard is the standard mode with what the suite takes for granted and weir
// does only when it is told: answers with Set-Cookie are stored, and such as say
// nothing of their freshness.
const standard = `
apis: { suite: { routes: [ { path: $default, upstream: origin, cache: { setCookie: true, heuristic: 0.1, staleIfError: 60s } } ] } }
upstreams: { origin: { targets: [ %q ] } }
`

// exempt are required tests that weir is not to pass, and why.
var exempt = map[string]string{
	"headers-store-Transfer-Encoding": "an answer in an unknown transfer coding is refused: nobody can tell its content",
	"stale-close-must-revalidate":     "the origin hangs up, and the suite wants the answer that it never sent",
	"stale-close-proxy-revalidate":    "the same",
	"stale-close-no-cache":            "the same",
	"stale-close-s-maxage=2":          "the same",
}

// verdict is what became of one test.
type verdict struct{ Suite, ID, Name, Kind, Outcome, Detail string }

// tell writes the table and returns an error when not enough pass.
func tell(w io.Writer, verdicts []verdict, all bool, optimal int) error {
	passed, total, failed := make(map[string]int), make(map[string]int), 0
	for _, v := range verdicts {
		total[v.Kind]++
		if v.Outcome == "pass" {
			passed[v.Kind]++
		}
		why, known := exempt[v.ID]
		if known {
			v.Detail += " (" + why + ")"
		}
		if v.Kind == "required" && v.Outcome != "pass" && !known {
			failed++
		}
		if all || v.Kind == "required" && v.Outcome != "pass" {
			fmt.Fprintf(w, "%-8s %-10s %-42s %s\n", v.Kind, v.Outcome, v.ID, v.Detail)
		}
	}
	fmt.Fprintf(w, "required %d of %d, optimal %d of %d, checks answered yes %d of %d\n",
		passed["required"], total["required"], passed["optimal"], total["optimal"], passed["check"], total["check"])
	switch {
	case len(verdicts) == 0:
		return errors.New("cannot tell anything: no test ran")
	case failed > 0:
		return fmt.Errorf("cannot pass: %d required tests fail", failed)
	case passed["optimal"] < optimal:
		return fmt.Errorf("cannot pass: %d optional tests pass, %d have to", passed["optimal"], optimal)
	}
	return nil
}

// oneByOne lets several programs write to one place.
type oneByOne struct {
	mu sync.Mutex
	w  io.Writer
}

func (o *oneByOne) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(p)
}

// stage is the suite's origin and weir before it.
type stage struct {
	suite, folder, weir string
	stderr              io.Writer
	address             string
	running             []*exec.Cmd
}

func (s *stage) open(ctx context.Context) error {
	if s.weir == "" {
		s.weir = filepath.Join(s.folder, "weir")
		if said, err := exec.CommandContext(ctx, "go", "build", "-o", s.weir, "weir").CombinedOutput(); err != nil {
			return fmt.Errorf("cannot build weir: %w: %s", err, said)
		}
	}
	origin, err := s.startOrigin(ctx)
	if err != nil {
		return err
	}
	if s.address, err = freeAddress(); err != nil {
		return err
	}
	document := filepath.Join(s.folder, "weir.yaml")
	if err := os.WriteFile(document, fmt.Appendf(nil, standard, "http://"+origin), 0o600); err != nil {
		return fmt.Errorf("cannot write the document: %w", err)
	}
	weir := exec.CommandContext(ctx, s.weir, "-listen", s.address, "-control", "off", "-data", filepath.Join(s.folder, "data"),
		"-config", document, "-log.output", "off")
	weir.Stderr = s.stderr
	if err := s.start(weir); err != nil {
		return err
	}
	return awaitListener(ctx, s.address)
}

// startOrigin starts the suite's origin and returns where it listens.
func (s *stage) startOrigin(ctx context.Context) (string, error) {
	origin := s.node(ctx, "--require", "./loopback.cjs", "node_modules/http-cache-tests/server/server.mjs")
	origin.Env = append(origin.Env, "npm_config_protocol=http", "npm_config_port=0", "npm_config_pidfile="+filepath.Join(s.folder, "origin.pid"))
	out, err := origin.StdoutPipe()
	if err != nil {
		return "", fmt.Errorf("cannot read from the origin: %w", err)
	}
	if err := s.start(origin); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_, address, found := strings.Cut(strings.TrimSpace(line), "http://")
	if err != nil || !found {
		return "", fmt.Errorf("cannot start the origin: it says %q: %w", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	return strings.TrimSuffix(address, "/"), nil
}

func (s *stage) node(ctx context.Context, arguments ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, "node", append([]string{"--no-warnings"}, arguments...)...)
	c.Dir, c.Stderr, c.Env = s.suite, s.stderr, os.Environ()
	return c
}

func (s *stage) start(c *exec.Cmd) error {
	if err := c.Start(); err != nil {
		return fmt.Errorf("cannot start %q: %w", c.Path, err)
	}
	s.running = append(s.running, c)
	return nil
}

func (s *stage) close() {
	for _, c := range s.running {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
}

// ask runs the suite's client: all of it, or one test.
func (s *stage) ask(ctx context.Context, id string) ([]byte, error) {
	client := s.node(ctx, "node_modules/http-cache-tests/cli.mjs")
	client.Env = append(client.Env, "npm_config_base=http://"+s.address, "npm_config_id="+id, "npm_package_config_id="+id)
	out, err := client.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot run the suite: %w", err)
	}
	return out, nil
}

// judge has the suite say what its results mean.
func (s *stage) judge(ctx context.Context, results []byte) ([]verdict, error) {
	judge := s.node(ctx, "verdicts.mjs")
	judge.Stdin = bytes.NewReader(results)
	out, err := judge.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot judge the results: %w", err)
	}
	var list []verdict
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var v verdict
		switch err := d.Decode(&v); err {
		case nil:
			list = append(list, v)
		case io.EOF:
			return list, nil
		default:
			return nil, fmt.Errorf("cannot read the verdicts: %w", err)
		}
	}
}

// freeAddress returns an address of loopback where nobody listens.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("cannot find a port: %w", err)
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// awaitListener returns when something listens there.
func awaitListener(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot reach weir: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

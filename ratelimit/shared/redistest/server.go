// Package redistest starts real Redis servers on loopback for tests: single
// ones, Clusters, and masters with replicas and Sentinels. They can be frozen,
// killed and started again, and end with their test.
package redistest

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Server is one redis-server, without persistence, on a port of its own.
type Server struct {
	Address string
	Port    int

	t       testing.TB
	args    []string
	dir     string
	ready   string // what it prints when it is there
	process *exec.Cmd
	ended   chan struct{}
	log     *tail
}

// Start starts a server with further arguments, as on the command line, and
// waits until it is there. The test is skipped if redis-server is not installed.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return start(t, "Ready to accept connections", func(port int) []string {
		return append([]string{
			"--port", strconv.Itoa(port), "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0",
		}, args...)
	})
}

// start tries ports until a server stays. arguments are made for each port.
func start(t testing.TB, ready string, arguments func(port int) []string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skipf("redis-server is not installed, tools/setup.sh redis-server does it: %s", err)
	}
	dir, err := os.MkdirTemp("", "weir-redis-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for range 20 {
		port := freePort(t)
		s := &Server{t: t, dir: dir, ready: ready, Port: port, Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
		s.args = append(arguments(port), "--bind", "127.0.0.1", "--dir", dir, "--logfile", "", "--daemonize", "no")
		if s.run() {
			t.Cleanup(s.Kill)
			return s
		}
	}
	t.Fatal("no redis-server stays")
	return nil
}

// freePort returns a port whose bus port of a Cluster is free as well. Those
// below 32000 are not given to connections by the system.
func freePort(t testing.TB) int {
	for range 100 {
		port := 20000 + rand.IntN(6000)
		if isFree(port) && isFree(port+busOffset) {
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// busOffset is how far the bus port of a node of a Cluster is from its port.
const busOffset = 6000

func isFree(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

// run starts the process and tells whether it came up.
func (s *Server) run() bool {
	s.log = &tail{wanted: s.ready, found: make(chan struct{})}
	s.process = exec.Command("redis-server", s.args...)
	s.process.Stdout, s.process.Stderr = s.log, s.log
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan struct{})
	s.ended = ended
	go func(p *exec.Cmd) {
		defer close(ended)
		_ = p.Wait()
	}(s.process)
	select {
	case <-s.log.found:
		return true
	case <-ended:
		return false
	case <-time.After(20 * time.Second):
		s.Kill()
		s.t.Fatalf("redis-server does not come up; it says:\n%s", s.log)
		return false
	}
}

// tail keeps what a process prints and tells when it has printed what is wanted.
type tail struct {
	mutex  sync.Mutex
	text   strings.Builder
	wanted string
	found  chan struct{}
	done   bool
}

func (l *tail) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.text.Write(p)
	if !l.done && strings.Contains(l.text.String(), l.wanted) {
		l.done = true
		close(l.found)
	}
	return len(p), nil
}

func (l *tail) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

// Log returns what the server has printed since it was last started.
func (s *Server) Log() string { return s.log.String() }

// Freeze stops the process without ending it: connections stay and nobody answers.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal syscall.Signal) {
	if err := s.process.Process.Signal(signal); err != nil {
		s.t.Errorf("cannot send %s to redis-server: %s", signal, err)
	}
}

// Kill ends the process, frozen or not, and returns when it has ended.
func (s *Server) Kill() {
	_ = s.process.Process.Kill()
	<-s.ended
}

// Restart starts a server that has been killed, on the same port and empty.
func (s *Server) Restart() {
	s.t.Helper()
	if !s.run() {
		s.t.Fatalf("redis-server does not come back; it says:\n%s", s.log)
	}
}

// Do sends one command and returns its answer as text, the elements of an array
// by lines. An error of Redis is returned as one.
func (s *Server) Do(args ...string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.Address, 5*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	var out strings.Builder
	fmt.Fprintf(&out, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&out, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := io.WriteString(conn, out.String()); err != nil {
		return "", err
	}
	return readAnswer(bufio.NewReader(conn))
}

// Must is Do for commands that have to succeed.
func (s *Server) Must(args ...string) string {
	s.t.Helper()
	answer, err := s.Do(args...)
	if err != nil {
		s.t.Fatalf("%s: %s", strings.Join(args, " "), err)
	}
	return answer
}

func readAnswer(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return "", fmt.Errorf("an empty answer")
	}
	switch kind, rest := line[0], line[1:]; kind {
	case '-':
		return "", fmt.Errorf("%s", rest)
	case '$':
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 {
			return "", err
		}
		b := make([]byte, n+2)
		_, err = io.ReadFull(r, b)
		return string(b[:max(0, len(b)-2)]), err
	case '*':
		n, err := strconv.Atoi(rest)
		lines := make([]string, 0, max(0, n))
		for ; n > 0 && err == nil; n-- {
			var one string
			one, err = readAnswer(r)
			lines = append(lines, one)
		}
		return strings.Join(lines, "\n"), err
	default:
		return rest, nil
	}
}

// OpenTLS opens a second port of a server that was given a certificate, for TLS.
func (s *Server) OpenTLS() int {
	s.t.Helper()
	port := freePort(s.t)
	s.Must("CONFIG", "SET", "tls-port", strconv.Itoa(port))
	return port
}

// Await calls ready until it is true, and fails the test if that takes longer than limit.
func Await(t testing.TB, limit time.Duration, what string, ready func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ready() {
		if time.Since(began) > limit {
			t.Fatalf("%s: not within %s", what, limit)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(began)
}

// file writes a file into the server's directory-to-be.
func file(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

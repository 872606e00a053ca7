package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asGateway is the variable that makes the test binary be weir, with its value
// for flags: two processes can hold twice the descriptors of one.
const asGateway = "TEST_AS_GATEWAY"

func beGateway(flags string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return run(ctx, strings.Fields(flags), nil, io.Discard, os.Stdout)
}

// startProcess starts weir as a process and returns it and where it listens.
func startProcess(t *testing.T, flags string) (*os.Process, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asGateway+"="+flags)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	address := regexp.MustCompile(`listens on (\S+) `).FindStringSubmatch(line)
	if err != nil || address == nil {
		t.Fatalf("got %q, %v; want where it listens", line, err)
	}
	return cmd.Process, address[1]
}

// TestCrowd: ten thousand clients that begin a request and stop disturb nobody,
// those over the limit are told so, and memory stays bounded.
func TestCrowd(t *testing.T) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	crowd := int(min(10_000, uint64(files.Cur)-500))
	process, address := startProcess(t, fmt.Sprintf(
		"-listen 127.0.0.1:0 -control off -log.output off -listen.headTimeout 60s -listen.maxConnections %d", crowd+1))
	dial := func() net.Conn {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		return c
	}
	var clients []net.Conn
	defer func() {
		for _, c := range clients {
			_ = c.Close()
		}
	}()
	for range crowd {
		c := dial()
		clients = append(clients, c)
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: "); err != nil {
			t.Fatal(err)
		}
	}
	status := func(c net.Conn) int {
		t.Helper()
		_, _ = io.WriteString(c, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("among %d clients: %v; want an answer", crowd, err)
		}
		return answer.StatusCode
	}
	last := dial()
	clients = append(clients, last)
	if got := status(last); got != http.StatusOK {
		t.Errorf("among %d clients: got %d; want 200", crowd, got)
	}
	// Connections are counted by goroutines of their own: which one is the first
	// over the limit is not told by the order of dialing.
	refused := false
	for range 50 {
		over := dial()
		clients = append(clients, over)
		if refused = status(over) == http.StatusServiceUnavailable; refused {
			break
		}
	}
	if !refused {
		t.Error("over the limit: got no 503; want one")
	}
	if kib := residentKiB(process.Pid); kib > 64*crowd && !underRace {
		t.Errorf("%d clients: got %d KiB resident; want at most 64 KiB for each", crowd, kib)
	}
}

// residentKiB reads the memory of a process, 0 where the system does not tell.
func residentKiB(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	found := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(text)
	if found == nil {
		return 0
	}
	kib, _ := strconv.Atoi(string(found[1]))
	return kib
}

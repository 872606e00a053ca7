package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is a program that this one started and will stop by its id.
type process struct {
	name    string
	command *exec.Cmd
	said    *os.File
	ended   chan struct{}
	// grace is how long it may take to end before it is killed.
	grace time.Duration
}

// startProcess runs the command; what it says goes to a file in the folder, or its stdout to the writer if given.
func startProcess(folder, name string, env, argv []string, stdout io.Writer) (*process, error) {
	said, err := os.OpenFile(filepath.Join(folder, name+".said"), os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	command := exec.Command(argv[0], argv[1:]...)
	command.Env = append(os.Environ(), env...)
	command.Dir = folder
	command.Stdout, command.Stderr = said, said
	if stdout != nil {
		command.Stdout = stdout
	}
	if err := command.Start(); err != nil {
		said.Close()
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	p := &process{name: name, command: command, said: said, ended: make(chan struct{}), grace: 3 * time.Second}
	go func() {
		_ = command.Wait() // how it ended is read from what it said
		close(p.ended)
	}()
	return p, nil
}

func (p *process) pid() int { return p.command.Process.Pid }

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// stop asks the process to end, and when its grace is over kills it with all that it started.
func (p *process) stop() {
	defer p.said.Close()
	family, _ := newProcfs().tree(p.pid())
	_ = p.command.Process.Signal(syscall.SIGTERM) // may have ended by itself
	select {
	case <-p.ended:
		return
	case <-time.After(p.grace):
	}
	_ = p.command.Process.Kill()
	for _, member := range family {
		_ = syscall.Kill(member.pid, syscall.SIGKILL)
	}
	<-p.ended
}

// lastWords is what the process said, without the middle where it is long, for an error about it.
func (p *process) lastWords() string {
	info, err := p.said.Stat()
	if err != nil {
		return ""
	}
	const side = 300 // a panic begins with its reason, a log ends with it
	said := make([]byte, min(info.Size(), 2*side))
	if n, _ := p.said.ReadAt(said, 0); info.Size() > 2*side && n > side {
		_, _ = p.said.ReadAt(said[side:], info.Size()-side)
		return strings.TrimSpace(string(said[:side])) + " … " + strings.TrimSpace(string(said[side:]))
	}
	return strings.TrimSpace(string(said))
}

// awaitListening returns once the address accepts, or says why the process does not get there.
func (p *process) awaitListening(address string) error {
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		if p.hasEnded() {
			return fmt.Errorf("%s ended at once: %s", p.name, p.lastWords())
		}
		connection, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return connection.Close()
		}
		time.Sleep(20 * time.Millisecond) // a foreign program has no other sign of being ready
	}
	return fmt.Errorf("%s does not listen on %s: %s", p.name, address, p.lastWords())
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("cannot find a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// readAnnouncement returns the address in the first line that tools/upstream says.
func readAnnouncement(r io.Reader) (string, error) {
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("cannot read where the upstream listens: %w", err)
	}
	return strings.TrimSpace(strings.TrimPrefix(line, "listening on ")), nil
}

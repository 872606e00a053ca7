package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// inside is the variable that tells the program that it has a network of its own.
const inside = "INTEROP_INSIDE"

func isInside() bool { return os.Getenv(inside) != "" }

// goInside runs this program again in a network namespace of its own, with the arguments. Who may not make one as
// the user that he is makes it as root of a user namespace, which many systems let everyone do.
func goInside(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find this program: %w", err)
	}
	attributes := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Getuid() != 0 {
		attributes.Cloneflags |= syscall.CLONE_NEWUSER
		attributes.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		attributes.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	command := exec.CommandContext(ctx, self, args...)
	command.Env = append(os.Environ(), inside+"=yes")
	command.Stdout, command.Stderr = stdout, stderr
	command.SysProcAttr = attributes
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	if err := command.Start(); err != nil {
		return fmt.Errorf("cannot make a network for a server that listens everywhere: %w", err)
	}
	if command.Wait() != nil {
		return errTold
	}
	return nil
}

// raiseLoopback makes 127.0.0.1 usable, which it is not in a new network.
func raiseLoopback() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open a socket: %w", err)
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("cannot name the loopback: %w", err)
	}
	request.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("cannot raise the loopback: %w", err)
	}
	return nil
}

package observe

import (
	"os"

	"golang.org/x/sys/unix"
)

// openOutput opens what the access log writes to. Nothing of it may wait: a named
// pipe without a reader is an error.
func openOutput(output string) (*os.File, error) {
	switch output {
	case "", "stdout":
		return duplicate(os.Stdout)
	case "stderr":
		return duplicate(os.Stderr)
	}
	return os.OpenFile(output, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NONBLOCK, 0o640)
}

// duplicate gives the stream another number. The Go runtime ends the program when
// it writes to a closed pipe under the numbers 1 and 2, and only under those.
func duplicate(stream *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(stream.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), stream.Name()), nil
}

// Upstream is a fake upstream for load tests and comparisons: it answers fast and allocates nothing where speed is
// measured, and misbehaves on request where robustness is. What it does is chosen by the path, see answers.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "upstream:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends and prints the address that it listens on to stdout, so that port 0 is usable.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("upstream", flag.ContinueOnError)
	flags.SetOutput(stderr)
	address := flags.String("listen", "127.0.0.1:9000", "Where to listen: host:port, or unix:path. Port 0 picks a free one.")
	procs := flags.Int("procs", 0, "Processors to use at once. 0 uses all that the process may run on.")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *procs > 0 {
		runtime.GOMAXPROCS(*procs)
	}
	listener, err := listen(*address)
	if err != nil {
		return fmt.Errorf("cannot listen on %q: %w", *address, err)
	}
	fmt.Fprintf(stdout, "listening on %s\n", listener.Addr())
	return serve(ctx, listener)
}

func listen(address string) (net.Listener, error) {
	if path, isUnix := strings.CutPrefix(address, "unix:"); isUnix {
		return net.Listen("unix", path)
	}
	return net.Listen("tcp", address)
}

// serve answers on the listener until ctx ends, then gives requests in flight one second.
func serve(ctx context.Context, listener net.Listener) error {
	server := newServer()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()

	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := server.ShutdownWithContext(grace); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func newServer() *fasthttp.Server {
	var stored fresh
	return &fasthttp.Server{
		Handler: func(ctx *fasthttp.RequestCtx) {
			if !stored.answer(ctx) {
				answer(ctx)
			}
		},
		Name:              "upstream",
		StreamRequestBody: true,
		// A peer that sends a wild header is what some tests are about.
		ReadBufferSize:  64 << 10,
		Logger:          silence{},
		CloseOnShutdown: true,
	}
}

// silence drops what fasthttp says about connections that clients cut, which tests do on purpose.
type silence struct{}

func (silence) Printf(string, ...any) {}

// Command weir is an API gateway for the network edge.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	stdlog "log"
	"os"
	"os/signal"
	"syscall"

	"github.com/rs/zerolog"

	"weir/proxy"
	"weir/proxy/config"
)

// version is set when a release is built.
var version = "dev"

func main() {
	stdlog.SetFlags(0)
	stdlog.SetOutput(zerolog.New(os.Stderr).With().Timestamp().Logger()) // of libraries that have no other log
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program: flags → gateway → serve until ctx ends → drain.
// It returns the exit status: 0, 1 for what cannot be served, 2 for bad usage.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	door, err := proxy.ParseFlags(args, environ)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, proxy.Help())
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "weir: %s\n", err)
		return 2
	case door.Version:
		fmt.Fprintln(stdout, "weir", version)
		return 0
	case door.Schema:
		_, _ = stdout.Write(config.Schema())
		return 0
	case door.ECHKey != "":
		return printECHKey(door.ECHKey, stdout, stderr)
	}
	source, closeSource, err := door.Source()
	if err != nil {
		fmt.Fprintf(stderr, "weir: %s\n", err)
		return 1
	}
	defer closeSource()
	if door.Check || door.Explain != "" {
		return door.Examine(source, stdout, stderr)
	}
	log := zerolog.New(stderr).With().Timestamp().Logger()
	g, err := proxy.New(door.Options, source, version, log)
	if err != nil {
		fmt.Fprintf(stderr, "weir: %s\n", err)
		return 1
	}
	defer proxy.TuneCollector(door.Options.HeapFloor, g.CacheMemory())()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	go proxy.OnHangup(ctx, hup, g, log)
	err = g.Run(ctx, func() { door.Greet(stderr, g) })
	if err != nil {
		fmt.Fprintf(stderr, "weir: %s\n", err)
		return 1
	}
	return 0
}

// printECHKey prints the file for tls.ech.keys; what goes into DNS stands in it
// as a comment.
func printECHKey(name string, stdout, stderr io.Writer) int {
	text, err := proxy.NewECHKey(name)
	if err != nil {
		fmt.Fprintf(stderr, "weir: %s\n", err)
		return 2
	}
	_, _ = stdout.Write(text)
	return 0
}

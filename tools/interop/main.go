// Interop runs grpc-go's own client against grpc-go's own server, with weir between them:
//
//	go run ./tools/interop                     every case, without and with TLS, and directly for comparison
//	go run ./tools/interop -ways h2c -cases ping_pong
//	go run ./tools/interop -ways h2c -- k6 run x.js    the program in place of the client, with WEIR_URL to call
//	                                                   and WEIR_CA to trust
//	go run ./tools/interop -ways web -- node tools/interop/web/run.mjs    clients of gRPC-Web
//	go run ./tools/interop -ways web-tls -- node tools/interop/web/browser.mjs         the same in Chromium
//	go run ./tools/interop -ways web-tls -- node tools/interop/web/browser.mjs quic    and over HTTP/3
//
// The server listens on every address that there is, so all of it runs in a network of its own that reaches nothing
// and nobody (Linux only). The outcome is a table; a case that fails is exit status 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case err == errTold:
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
}

// errTold is what the run inside has said already.
var errTold = errors.New("cannot pass")

// order is what was asked for on the command line.
type order struct {
	ways  []way
	cases []string
	// command runs in place of the cases.
	command []string
	// weir is the binary; it is built where there is none.
	weir           string
	client, server string
	patience       time.Duration
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseOrder(args, stderr)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "weir-interop-")
	if err != nil {
		return fmt.Errorf("cannot make a scratch folder: %w", err)
	}
	defer os.RemoveAll(folder)
	if !isInside() {
		if o.weir == "" && slices.ContainsFunc(o.ways, way.needsWeir) {
			o.weir = filepath.Join(folder, "weir")
			if said, err := exec.CommandContext(ctx, "go", "build", "-o", o.weir, "weir").CombinedOutput(); err != nil {
				return fmt.Errorf("cannot build weir: %w: %s", err, said)
			}
		}
		return goInside(ctx, o.arguments(), stdout, stderr)
	}
	if err := raiseLoopback(); err != nil {
		return err
	}
	return perform(ctx, o, folder, stdout)
}

// arguments are those that mean the same order.
func (o order) arguments() []string {
	var names []string
	for _, w := range o.ways {
		names = append(names, w.name)
	}
	return append([]string{
		"-weir", o.weir, "-bin", filepath.Dir(o.client), "-patience", o.patience.String(),
		"-ways", strings.Join(names, ","), "-cases", strings.Join(o.cases, ","), "--",
	}, o.command...)
}

func parseOrder(args []string, stderr io.Writer) (order, error) {
	var o order
	flags := flag.NewFlagSet("interop", flag.ContinueOnError)
	flags.SetOutput(stderr)
	ways := flags.String("ways", "", "Comma-separated ways. Empty goes all: "+strings.Join(wayNames(), ",")+".")
	cases := flags.String("cases", "", "Comma-separated cases. Empty runs all.")
	bin := flags.String("bin", "", "Folder of grpc-interop-client and grpc-interop-server. Empty is .cache/bin of the checkout.")
	flags.StringVar(&o.weir, "weir", "", "Binary of weir. Empty builds the one of this checkout.")
	flags.DurationVar(&o.patience, "patience", 20*time.Second, "How long one case may take.")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	if o.ways, err = chooseWays(*ways); err != nil {
		return o, err
	}
	if o.command = flags.Args(); len(o.command) > 0 && len(o.ways) != 1 {
		return o, fmt.Errorf("cannot run %q on %d ways: name one by -ways", o.command[0], len(o.ways))
	}
	if o.cases, err = chooseCases(*cases); err != nil {
		return o, err
	}
	if *bin == "" {
		said, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
		if err != nil {
			return o, fmt.Errorf("cannot find the module: %w", err)
		}
		*bin = filepath.Join(strings.TrimSpace(string(said)), ".cache", "bin")
	}
	o.client, o.server = filepath.Join(*bin, "grpc-interop-client"), filepath.Join(*bin, "grpc-interop-server")
	for _, program := range []string{o.client, o.server} {
		if _, err := os.Stat(program); err != nil {
			return o, fmt.Errorf("cannot find %q: tools/setup.sh %[1]s installs it: %w", filepath.Base(program), err)
		}
	}
	return o, nil
}

// Load asks one address for one path over HTTP/1.1 in the ways that wrk cannot:
//
//	load -mode steady -rate 5000    requests at fixed moments; latency counts from the moment a request was due
//	load -mode hold -connections N  one request on each connection, then holds all of them idle until it is stopped
//	load -mode count -requests N    N requests as fast as they go; counts failures and connections that were closed
//
// The outcome is one line of JSON on stdout.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// plan is what to ask, and how.
type plan struct {
	address     string
	path        string
	host        string
	connections int
	rate        float64
	requests    int
	duration    time.Duration
	timeout     time.Duration
}

// outcome is what came of it.
type outcome struct {
	Requests int `json:"requests"`
	// Failures are requests without a whole answer of status 200.
	Failures int `json:"failures"`
	// Closed counts the connections that the server ended, announced or not.
	Closed  int     `json:"closed_connections"`
	Seconds float64 `json:"seconds"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	P999    float64 `json:"p999_ms"`
	// Late99 is how late the load program itself sent, at the 99th percentile: a bound on what it adds.
	Late99 float64 `json:"late_p99_ms"`
	// FirstFailure says what went wrong first.
	FirstFailure string `json:"first_failure,omitempty"`
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var p plan
	mode := flags.String("mode", "steady", "What to do: steady, hold or count.")
	flags.StringVar(&p.address, "address", "127.0.0.1:8080", "Where to send, host:port.")
	flags.StringVar(&p.path, "path", "/", "Path to ask for.")
	flags.StringVar(&p.host, "host", "", "Host header. Empty sends the address.")
	flags.IntVar(&p.connections, "connections", 64, "Connections to keep open.")
	flags.Float64Var(&p.rate, "rate", 5000, "Requests a second in mode steady.")
	flags.IntVar(&p.requests, "requests", 100_000, "Requests in mode count.")
	flags.DurationVar(&p.duration, "duration", 5*time.Second, "How long mode steady lasts.")
	flags.DurationVar(&p.timeout, "timeout", 10*time.Second, "How long to wait for an answer before it counts as a failure.")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if p.host == "" {
		p.host = p.address
	}
	if p.connections < 1 {
		return fmt.Errorf("cannot work with %d connections", p.connections)
	}
	switch *mode {
	case "steady":
		if p.rate <= 0 {
			return fmt.Errorf("cannot send at %v requests a second", p.rate)
		}
		return report(stdout, steady(ctx, p))
	case "count":
		return report(stdout, count(ctx, p))
	case "hold":
		return hold(ctx, p, stdout)
	}
	return fmt.Errorf("cannot do mode %q: it is steady, hold or count", *mode)
}

func report(stdout io.Writer, o outcome) error { return json.NewEncoder(stdout).Encode(o) }

// Load asks one address for one path in the ways that wrk and h2load cannot:
//
//	load -mode steady -rate 5000    requests at fixed moments; latency counts from the moment a request was due
//	load -mode hold -connections N  one request on each connection, then holds all of them idle until it is stopped
//	load -mode count -requests N    N requests as fast as they go; counts failures and connections that were closed
//	load -mode saturate             requests as fast as they go, for a time
//	load -mode handshake            the same, each on a connection of its own, whose TLS handshake resumes nothing
//
// It speaks HTTP/1.1 or, with -protocol, h2 or h3, in which each connection carries -streams requests at once; -tls
// adds TLS 1.3.
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
	"slices"
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
	protocol    string
	isTLS       bool
	connections int
	streams     int
	rate        float64
	requests    int
	duration    time.Duration
	timeout     time.Duration
	// limited takes 429 for an answer that is counted apart, and not for a failure.
	limited bool
}

// outcome is what came of it.
type outcome struct {
	Requests int `json:"requests"`
	// Failures are requests without a whole answer of status 200.
	Failures int `json:"failures"`
	// Refused are answers of status 429, where they are expected; the latencies are without them.
	Refused int `json:"refused,omitempty"`
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
	mode := flags.String("mode", "steady", "What to do: steady, hold, count, saturate or handshake.")
	flags.StringVar(&p.address, "address", "127.0.0.1:8080", "Where to send, host:port.")
	flags.StringVar(&p.path, "path", "/", "Path to ask for.")
	flags.StringVar(&p.host, "host", "", "Host header, and name of the server for TLS. Empty sends the address.")
	flags.StringVar(&p.protocol, "protocol", "http/1.1", "What to speak: http/1.1, h2 or h3.")
	flags.BoolVar(&p.isTLS, "tls", false, "Speak over TLS 1.3. h3 always does.")
	flags.IntVar(&p.connections, "connections", 64, "Connections to keep open.")
	flags.IntVar(&p.streams, "streams", 1, "Requests at once on each connection of h2 and h3.")
	flags.Float64Var(&p.rate, "rate", 5000, "Requests a second in mode steady.")
	flags.IntVar(&p.requests, "requests", 100_000, "Requests in mode count.")
	flags.DurationVar(&p.duration, "duration", 5*time.Second, "How long steady, saturate and handshake last.")
	flags.BoolVar(&p.limited, "limited", false, "Expect answers of status 429: they are no failures, and latencies are those of the others.")
	flags.DurationVar(&p.timeout, "timeout", 10*time.Second, "How long to wait for an answer before it counts as a failure.")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := p.check(); err != nil {
		return err
	}
	switch *mode {
	case "steady":
		if p.rate <= 0 {
			return fmt.Errorf("cannot send at %v requests a second", p.rate)
		}
		return report(stdout, steady(ctx, p))
	case "count":
		return report(stdout, count(ctx, p))
	case "saturate":
		return report(stdout, saturate(ctx, p))
	case "handshake":
		if !p.isTLS || p.streams > 1 {
			return errors.New("cannot count handshakes without -tls, or with several -streams")
		}
		return report(stdout, handshakes(ctx, p))
	case "hold":
		return hold(ctx, p, stdout)
	}
	return fmt.Errorf("cannot do mode %q: it is steady, hold, count, saturate or handshake", *mode)
}

// check refuses a plan that cannot be worked, and completes it.
func (p *plan) check() error {
	switch {
	case !slices.Contains([]string{"http/1.1", "h2", "h3"}, p.protocol):
		return fmt.Errorf("cannot speak %q: it is http/1.1, h2 or h3", p.protocol)
	case p.connections < 1:
		return fmt.Errorf("cannot work with %d connections", p.connections)
	case p.streams < 1 || p.streams > 1 && p.protocol == "http/1.1":
		return fmt.Errorf("cannot send %d requests at once over %s", p.streams, p.protocol)
	}
	p.isTLS = p.isTLS || p.protocol == "h3"
	if p.host == "" {
		p.host = p.address
	}
	return nil
}

func report(stdout io.Writer, o outcome) error { return json.NewEncoder(stdout).Encode(o) }

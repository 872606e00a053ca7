// Compare measures weir beside nginx, haproxy, caddy and varnish: the same work, in interleaved rounds, each program with one
// worker alone on a processor of its own while load and upstream share another. The main figure is the processor time
// a request costs, which the noise of a shared machine inflates but does not hide.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// order is what was asked for on the command line.
type order struct {
	scenarios  []scenario
	only       []string
	rounds     int
	seconds    int
	weir       string
	weirFlags  []string
	outFile    string
	jsonFile   string
	picture    string
	isCheck    bool
	proxyCPU   int
	loadCPU    int
	keepFolder bool
}

func parseOrder(args []string, stderr io.Writer) (order, error) {
	var o order
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	flags.SetOutput(stderr)
	names := flags.String("scenario", "", "Comma-separated scenarios. Empty runs all: "+strings.Join(scenarioNames(), ",")+".")
	only := flags.String("only", "", "Comma-separated programs to measure. Empty measures all: weir,nginx,haproxy,caddy,varnish.")
	flags.IntVar(&o.rounds, "rounds", 5, "Rounds of each scenario; the programs take turns in each.")
	flags.IntVar(&o.seconds, "seconds", 4, "Seconds of load per program and round.")
	flags.StringVar(&o.weir, "weir", "", "Binary of weir. Empty builds the one of this checkout.")
	weirFlags := flags.String("weir.flags", "", "More flags for weir, between spaces, e.g. -forward.trace=false.")
	flags.StringVar(&o.outFile, "out", "", "File for the tables, beside stdout.")
	flags.StringVar(&o.jsonFile, "json", "", "File for every single measurement, as JSON.")
	flags.StringVar(&o.picture, "picture", "", "File for a bar chart, as SVG.")
	flags.BoolVar(&o.isCheck, "check", false, "Compare the ratios with weir's goals; a missed one is exit status 1.")
	flags.IntVar(&o.proxyCPU, "cpu.proxy", 0, "Processor for the measured program alone. Linux only.")
	flags.IntVar(&o.loadCPU, "cpu.load", 1, "Processor for load and upstream. Linux only.")
	flags.BoolVar(&o.keepFolder, "keep", false, "Keep the scratch folder with logs and configurations, and say where it is.")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("cannot use argument %q", flags.Arg(0))
	}
	if o.rounds < 1 || o.seconds < 1 {
		return o, fmt.Errorf("cannot measure %d rounds of %d seconds", o.rounds, o.seconds)
	}
	o.weirFlags = strings.Fields(*weirFlags)
	var err error
	if o.scenarios, err = chooseScenarios(*names); err != nil {
		return o, err
	}
	o.only, err = choosePeers(*only)
	return o, err
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseOrder(args, stderr)
	if err != nil {
		return err
	}
	l, err := openLab(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer l.close()

	report := comparison{Machine: machineLine(), Method: methodLine(o, l)}
	for _, s := range o.scenarios {
		outcome := s.measure(ctx, l)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		report.Scenarios = append(report.Scenarios, outcome)
		fmt.Fprintln(stderr, outcome.table())
	}
	report.Versions = l.versions
	if err := publish(report, o, stdout); err != nil {
		return err
	}
	if !o.isCheck {
		return nil
	}
	return checkGoals(report, o.scenarios, stdout)
}

// publish writes the tables, the raw measurements and the picture where they were asked for.
func publish(c comparison, o order, stdout io.Writer) error {
	text := c.markdown()
	fmt.Fprint(stdout, text)
	if o.outFile != "" {
		if err := os.WriteFile(o.outFile, []byte(text), 0o644); err != nil {
			return fmt.Errorf("cannot write tables: %w", err)
		}
	}
	if o.jsonFile != "" {
		if err := os.WriteFile(o.jsonFile, c.json(), 0o644); err != nil {
			return fmt.Errorf("cannot write measurements: %w", err)
		}
	}
	if o.picture != "" {
		if err := os.WriteFile(o.picture, []byte(c.svg()), 0o644); err != nil {
			return fmt.Errorf("cannot write picture: %w", err)
		}
	}
	return nil
}

func chooseScenarios(names string) ([]scenario, error) {
	all := scenarios()
	if names == "" {
		return all, nil
	}
	var chosen []scenario
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(all, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("cannot find scenario %q: there are %s", name, strings.Join(scenarioNames(), ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func scenarioNames() []string {
	var names []string
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	return names
}

func choosePeers(names string) ([]string, error) {
	if names == "" {
		return []string{"weir", "nginx", "haproxy", "caddy", "varnish"}, nil
	}
	chosen := strings.Split(names, ",")
	for _, name := range chosen {
		if _, known := peers()[name]; !known {
			return nil, fmt.Errorf("cannot find program %q: there are weir, nginx, haproxy, caddy, varnish", name)
		}
	}
	return chosen, nil
}

package main

import (
	"fmt"
	"io"
	"slices"
)

// goal bounds weir's main figure in a scenario: divided by a rival's, or by itself where there is no rival.
type goal struct {
	scenario, rival string
	atMost          float64
}

// subject is the form of weir that the goal is about.
func (g goal) subject() string {
	if g.rival == "weir-quiet" {
		return "weir-default"
	}
	return "weir"
}

func goals() []goal {
	return []goal{
		{"1kb", "nginx", 1.0}, {"1kb", "haproxy", 1.0}, {"1kb", "caddy", 0.2},
		{"16kb", "nginx", 0.8}, {"16kb", "nginx-stock", 0.8}, {"16kb", "haproxy", 1.0},
		{"1mb", "nginx", 0.7}, {"1mb", "nginx-stock", 0.7}, {"1mb", "haproxy", 0.9},
		{"rate", "haproxy", 1.2},
		{"tail", "nginx", 1.2},
		{"everything", "weir-quiet", 1.15},
		{"idle", "", 10},
		{"reload", "", 0},
		{"limit", "nginx", 1.0}, {"limit", "haproxy", 0.9},
		{"overload", "", 1.5},
		{"cache-1k", "nginx", 0.5}, {"cache-1k", "varnish", 0.5}, {"cache-1k", "haproxy", 1.0},
		{"cache-16k", "nginx", 0.5}, {"cache-16k", "haproxy", 0.8},
		{"cache-100k", "nginx", 1.0}, {"cache-1m", "nginx", 1.0},
		{"tls", "nginx", 0.85},
		// 1.25 times the handshakes of a second.
		{"handshake", "nginx", 0.8},
		{"h2", "nginx", 1.0},
		{"idle-tls", "", 25}, {"idle-h2", "", 40},
		{"reload-tls", "", 0},
	}
}

// checkGoals prints whether each goal of the chosen scenarios is reached. One that could not be measured counts as
// missed, for a check that measures nothing must not pass.
func checkGoals(c comparison, chosen []scenario, w io.Writer) error {
	missed := 0
	fmt.Fprint(w, "\n### goals\n\n| scenario | figure | goal | median | best | |\n|---|---|---:|---:|---:|---|\n")
	for _, g := range goals() {
		if !slices.ContainsFunc(chosen, func(s scenario) bool { return s.name == g.scenario }) {
			continue
		}
		j := g.judge(c)
		if j.verdict != "pass" {
			missed++
		}
		fmt.Fprintf(w, "| %s | %s | ≤ %v | %s | %s | %s |\n", g.scenario, j.figure, g.atMost, j.median, j.best, j.verdict)
	}
	if missed > 0 {
		return fmt.Errorf("%d goals missed", missed)
	}
	return nil
}

// judgement is on the medians; the best rounds are told beside them, because noise only adds.
type judgement struct{ verdict, figure, median, best string }

func (g goal) judge(c comparison) judgement {
	j := judgement{verdict: "not measured", figure: "-", median: "-", best: "-"}
	i := slices.IndexFunc(c.Scenarios, func(o outcome) bool { return o.Name == g.scenario })
	if i < 0 {
		return j
	}
	o := c.Scenarios[i]
	main := o.columns[0]
	j.figure = main.title
	value, found := o.median(g.subject(), main)
	if g.rival != "" {
		j.figure += " ÷ " + g.rival
		value, found = o.ratio(g.subject(), g.rival)
	}
	if !found {
		return j
	}
	best := o.best(g.subject(), main)
	if g.rival != "" {
		best /= o.best(g.rival, main)
	}
	j.median, j.best, j.verdict = fmt.Sprintf("%.2f", value), fmt.Sprintf("%.2f", best), "pass"
	if value > g.atMost {
		j.verdict = "FAIL"
	}
	return j
}

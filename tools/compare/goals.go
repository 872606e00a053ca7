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

func goals() []goal {
	return []goal{
		{"1kb", "nginx", 1.0}, {"1kb", "haproxy", 1.0}, {"1kb", "caddy", 0.2},
		{"16kb", "nginx", 0.8}, {"16kb", "haproxy", 1.0},
		{"1mb", "nginx", 0.7}, {"1mb", "haproxy", 0.9},
		{"rate", "haproxy", 1.2},
		{"tail", "nginx", 1.2},
		{"everything", "weir-quiet", 1.15},
		{"idle", "", 10},
		{"reload", "", 0},
	}
}

// checkGoals prints whether each goal of the chosen scenarios is reached. One that could not be measured counts as
// missed, for a check that measures nothing must not pass.
func checkGoals(c comparison, chosen []scenario, w io.Writer) error {
	missed := 0
	fmt.Fprint(w, "\n### goals\n\n| scenario | figure | goal | measured | |\n|---|---|---:|---:|---|\n")
	for _, g := range goals() {
		if !slices.ContainsFunc(chosen, func(s scenario) bool { return s.name == g.scenario }) {
			continue
		}
		verdict, measured, figure := g.judge(c)
		if verdict != "pass" {
			missed++
		}
		fmt.Fprintf(w, "| %s | %s | ≤ %v | %s | %s |\n", g.scenario, figure, g.atMost, measured, verdict)
	}
	if missed > 0 {
		return fmt.Errorf("%d goals missed", missed)
	}
	return nil
}

func (g goal) judge(c comparison) (verdict, measured, figure string) {
	i := slices.IndexFunc(c.Scenarios, func(o outcome) bool { return o.Name == g.scenario })
	if i < 0 {
		return "not measured", "-", "-"
	}
	o := c.Scenarios[i]
	value, found := o.median("weir", o.columns[0])
	figure = o.columns[0].title
	if g.rival != "" {
		figure += " ÷ " + g.rival
		value, found = o.ratio("weir", g.rival)
	}
	if !found {
		return "not measured", "-", figure
	}
	measured = fmt.Sprintf("%.2f", value)
	if value > g.atMost {
		return "FAIL", measured, figure
	}
	return "pass", measured, figure
}
